"""Lists that Slack gives in pages."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from citebot_connectors.platforms.slack.calling import Body, Web


def next_cursor(body: Body) -> str:
    """Where a list goes on, empty at its end."""
    return str((body.get("response_metadata") or {}).get("next_cursor") or "")


async def pages(web: Web, method: str, items: str, *, most: int = 0, **arguments: object) -> AsyncIterator[Any]:
    """The items of all pages, or of the first `most`."""
    cursor, read = "", 0
    while not read or (cursor and read != most):
        body = await web.read(method, cursor=cursor or None, **arguments)
        for item in body[items]:
            yield item
        cursor, read = next_cursor(body), read + 1
