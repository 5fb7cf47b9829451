"""Hears what other processes were told about channels and people, before it counts."""

from __future__ import annotations

import asyncio

from citebot.ports import HeedsNews, News, Platform
from citebot.storage import Database, news


class NewsReader:
    """Gives a platform what is new; the first time all that is kept, of which it may remember something already."""

    def __init__(self, database: Database, platform: Platform) -> None:
        self._database = database
        self._platform = platform
        self._read = 0

    async def catch_up(self) -> None:
        """Hear what was told until now. Raises `StorageError`: then nothing is certain."""
        if not isinstance(self._platform, HeedsNews):
            return
        number, found = await asyncio.to_thread(self._since, self._read)
        for each in found:
            self._platform.heed(each)
        self._read = max(self._read, number)

    async def spread(self, told: News) -> None:
        """Tell all processes."""

        def write() -> None:
            with self._database.write() as tx:
                news.write(tx, self._platform.name, told)

        await asyncio.to_thread(write)

    def _since(self, number: int) -> tuple[int, list[News]]:
        with self._database.read() as tx:
            return news.since(tx, self._platform.name, number)
