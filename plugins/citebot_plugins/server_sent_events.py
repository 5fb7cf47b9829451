"""Server-sent events, as far as providers of models use them.

Lines are split as bytes and at line feeds alone: text splitters also break at U+2028 and the like, which stand as they
are in the JSON of many servers.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

LONGEST = 1_000_000
"""Bytes of a line; a server that sends more without an end is broken."""


async def data_of(chunks: AsyncIterator[bytes]) -> AsyncIterator[str]:
    """The data of each event; comments and other fields are passed over. Raises `ValueError` for what cannot be one."""
    rest = b""
    async for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        if len(rest) > LONGEST:
            raise ValueError("a line without an end")
        for line in lines:
            if line.startswith(b"data:"):
                yield line[5:].decode().strip()
    if rest.startswith(b"data:"):
        yield rest[5:].decode().strip()
