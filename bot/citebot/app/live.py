"""Asking sources live who may read."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from functools import partial

from citebot.access import Ask
from citebot.app.held import HeldSources
from citebot.errors import CitebotError
from citebot.pluginmanager import PluginManager
from citebot.ports import ChecksReaders, Source, SourceContext
from citebot.storage import Database, sources
from citebot.storage.sources import SourceRow


class LiveSources:
    """The ways to ask: `ask_of` is what `LiveReaders` wants. A paused source is left in peace, its lists count."""

    def __init__(self, database: Database, plugins: PluginManager, held: HeldSources, *, seconds: float) -> None:
        self._database = database
        self._plugins = plugins
        self._held = held
        self._seconds = seconds

    async def ask_of(self, names: Collection[str]) -> dict[str, Ask]:
        """How to ask each of these sources that can be asked."""
        rows = await asyncio.to_thread(self._rows, names)
        return {row.name: partial(self._ask, row) for row in rows if self._can_say(row)}

    def _rows(self, names: Collection[str]) -> list[SourceRow]:
        with self._database.read() as tx:
            return [row for name in names if (row := sources.get(tx, name)) is not None and not row.paused]

    def _can_say(self, row: SourceRow) -> bool:
        try:
            return hasattr(self._plugins.part("source", row.type), "may_read")
        except CitebotError:
            return False  # not installed any more: the lists of its last read count, as for sources without a say

    async def _ask(self, row: SourceRow, person: str, ids: Collection[str]) -> set[str]:
        def may_read(source: Source, context: SourceContext) -> set[str]:
            assert isinstance(source, ChecksReaders), "only those are asked"
            return set(source.may_read(context, person, list(ids))) & set(ids)

        return await self._held.call(row, may_read, patience=self._seconds)
