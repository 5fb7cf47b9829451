"""Reads a source as soon as something in it has changed, where that can be seen by looking at it every few seconds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import structlog

from citebot.app.core import Citebot
from citebot.errors import CitebotError, SourceBusy, SourceError
from citebot.ports import CanBeWatched, Source, SourceContext
from citebot.storage import sources
from citebot.storage.sources import SourceRow

log = structlog.get_logger("citebot.watching")

LOOK_EVERY = 2.0
LOOKING_SHARE = 0.05
"""Of the time, at most, for looking: a large folder is looked at less often."""
ASK_AGAIN = 30.0
"""Until a source is asked once more that need not be watched now, or cannot be looked at."""
PATIENCE = 60.0


class Watcher:
    """Looks at every source that can be watched. What it misses, the next regular read finds."""

    def __init__(self, bot: Citebot, *, stop: Callable[[], bool] = lambda: False) -> None:
        self._bot = bot
        self._stop = stop
        self._read: dict[str, str] = {}
        """How each source looked before its last read."""
        self._busy: set[str] = set()

    async def run(self) -> None:
        """Look until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                for row in await self._rows():
                    if row.name not in self._busy:
                        self._busy.add(row.name)
                        group.create_task(self._watch(row))
                await asyncio.sleep(LOOK_EVERY)

    async def _rows(self) -> list[SourceRow]:
        def find() -> list[SourceRow]:
            with self._bot.database.read() as tx:
                return [row for row in sources.list_all(tx) if not row.paused and self._can_be_watched(row)]

        try:
            return await asyncio.to_thread(find)
        except CitebotError as error:
            log.warning("no source is looked at", error=str(error))
            return []

    def _can_be_watched(self, row: SourceRow) -> bool:
        try:
            return hasattr(self._bot.plugins.part("source", row.type), "stamp")
        except CitebotError:
            return False  # not installed any more

    async def _watch(self, row: SourceRow) -> None:
        try:
            await asyncio.sleep(await self._look(row))
        finally:
            self._busy.discard(row.name)

    async def _look(self, row: SourceRow) -> float:
        """Look at a source, and read it if it has changed; returns the seconds until the next look."""
        began = time.monotonic()
        try:
            stamp = await self._bot.held.call(row, _stamp, patience=PATIENCE)
            took = time.monotonic() - began
            if stamp and stamp != self._read.get(row.name) and await self._sync(row.name):
                self._read[row.name] = stamp
        except Exception as error:  # noqa: BLE001 - a source is other people's code; its next regular read tells of it
            log.info("source cannot be looked at", source=row.name, error=str(error))
            return ASK_AGAIN
        return took * (1 / LOOKING_SHARE - 1) if stamp else ASK_AGAIN

    async def _sync(self, name: str) -> bool:
        """Read it; False when it is being read already, which may have passed what has changed."""
        try:
            await self._bot.sync(name, stop=self._stop)
        except SourceBusy:
            return False
        except SourceError as error:
            log.warning("source not read", source=name, error=str(error))
        return True


def _stamp(source: Source, context: SourceContext) -> str:
    assert isinstance(source, CanBeWatched), "only those are looked at"
    return source.stamp(context)
