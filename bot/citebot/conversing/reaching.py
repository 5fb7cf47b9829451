"""Whether the server of a WebSocket can be connected to."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

TIMEOUT = 10

Reach = Callable[[str], Awaitable[None]]
"""Raises `OSError` or `TimeoutError` for an address whose server cannot be connected to."""


async def reach(address: str) -> None:
    """Connect and hang up: a socket that is opened whole counts as a session, or is given events."""
    parts = urlsplit(address)
    secure = parts.scheme == "wss"
    async with asyncio.timeout(TIMEOUT):
        _, writer = await asyncio.open_connection(parts.hostname, parts.port or (443 if secure else 80), ssl=secure)
        writer.close()
        await writer.wait_closed()
