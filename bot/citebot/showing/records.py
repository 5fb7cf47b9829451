"""The messages of one answer, as the database remembers them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from citebot.storage import Database, Transaction, shown
from citebot.storage.shown import ShownMessage

T = TypeVar("T")


class Records:
    """What `citebot.storage.shown` keeps under one idempotency key, off the event loop."""

    def __init__(self, database: Database, key: str) -> None:
        self._database = database
        self.key = key

    def message_key(self, part: int) -> str:
        """The key of one message."""
        return f"{self.key}-{part}"

    async def load(self) -> list[ShownMessage]:
        """The messages, in their order."""

        def read() -> list[ShownMessage]:
            with self._database.read() as tx:
                return shown.messages(tx, self.key)

        return await asyncio.to_thread(read)

    async def begin(self, part: int, *, stream: bool) -> bool:
        """A message is about to be sent; False when another process has said so already."""
        return await self._write(lambda tx: shown.begin(tx, self.key, part, stream=stream))

    async def sent(self, part: int, message_id: str, *, stream: bool) -> str:
        """A message was sent; another than this is returned when a process that shows the same had noted its own."""
        return await self._write(lambda tx: shown.sent(tx, self.key, part, message_id, stream=stream))

    async def forget(self, part: int, message_id: str | None) -> None:
        """A message is not there; None for one that was to be sent."""
        await self._write(lambda tx: shown.forget(tx, self.key, part, message_id))

    async def finish(self) -> None:
        """The answer is shown whole."""
        await self._write(lambda tx: shown.finish(tx, self.key))

    async def _write(self, work: Callable[[Transaction], T]) -> T:
        def run() -> T:
            with self._database.write() as tx:
                return work(tx)

        return await asyncio.to_thread(run)
