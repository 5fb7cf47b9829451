"""A local index that answers while the chosen one is away, and says how much it may miss."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import structlog

from citebot.calls import Breaker
from citebot.errors import IndexUnavailable
from citebot.ingest import Feeder
from citebot.ports import Index, IndexHits, IndexQuery, TellsModel
from citebot.storage import Database
from citebot.storage.folder_lock import FolderLock

log = structlog.get_logger("citebot.standby")

SEARCH_SECONDS = 3.0
"""What the chosen index gets, so that there is time left for the standby."""


class Standby:
    """The local index, fed by one process, which owns its folder."""

    def __init__(self, database: Database, index: Index) -> None:
        self.index = index
        self.feeder = Feeder(database, index)
        self._open = False

    @asynccontextmanager
    async def opened(self, folder: Path | None) -> AsyncIterator[None]:
        """While it can be fed and searched; raises `DataFolderBusy`. No folder: it is ours already."""
        lock = FolderLock(folder) if folder is not None else None
        if lock is not None:
            lock.acquire()
        try:
            await self.index.open()
            self._open = True
            yield
        finally:
            self._open = False
            await self.index.close()
            if lock is not None:
                lock.release()

    async def age(self) -> float | None:
        """Seconds since it was seen to hold everything; None when it cannot answer."""
        try:
            return await self.feeder.age() if self._open else None
        except IndexUnavailable:
            return None


class WithStandby:
    """Searches the index, and the standby while that one fails or its breaker is open."""

    def __init__(self, index: Index, standby: Standby, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._index = index
        self._standby = standby
        self._breaker = Breaker(clock=clock)
        self._trouble = ""
        """Why the standby answers; empty while it need not."""

    @property
    def vector_model(self) -> str:
        """Of the index; empty where it does not tell."""
        return self._index.vector_model if isinstance(self._index, TellsModel) else ""

    async def search(self, query: IndexQuery) -> IndexHits:
        """As the index does; raises `IndexUnavailable` when the standby cannot answer either."""
        era = self._breaker.admit()
        if era is None:
            return await self._instead(query, IndexUnavailable(self._trouble or "The index is left alone for a while."))
        try:
            hits = await asyncio.wait_for(self._index.search(query), SEARCH_SECONDS)
        except TimeoutError:
            self._breaker.record(era, well=False)
            slow = IndexUnavailable(f"The index did not answer within {SEARCH_SECONDS:.0f} seconds.")
            return await self._instead(query, slow)
        except IndexUnavailable as error:
            self._breaker.record(era, well=False)
            return await self._instead(query, error)
        except BaseException:
            self._breaker.record(era, well=None)
            raise
        self._breaker.record(era, well=True)
        if self._trouble:
            log.info("the index answers again")
            self._trouble = ""
        return hits

    async def _instead(self, query: IndexQuery, why: IndexUnavailable) -> IndexHits:
        age = await self._standby.age()
        if age is None:
            raise why
        try:
            hits = await self._standby.index.search(query)
        except IndexUnavailable:
            raise why from None
        if not self._trouble:
            log.warning("the standby answers", standby=self._standby.index.name, why=str(why))
        self._trouble = str(why)
        return replace(hits, may_miss=age)
