"""Asking sources live who may read: built once, kept between questions, because a session that is logged in is dear."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Collection
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from citebot.access import Ask
from citebot.app.sources import source_context, source_of
from citebot.app.threads import in_own_thread
from citebot.errors import CitebotError, SourceError
from citebot.pluginmanager import PluginManager
from citebot.ports import ChecksReaders, SourceContext
from citebot.settings import Settings
from citebot.storage import Database, sources
from citebot.storage.sources import SourceRow


@dataclass(frozen=True, slots=True)
class _Held:
    settings: dict[str, Any] = field(repr=False)
    source: ChecksReaders
    context: SourceContext
    lock: threading.Lock = field(default_factory=threading.Lock)
    """Sources are written for one thread."""


class LiveSources:
    """The ways to ask: `ask_of` is what `LiveReaders` wants. A paused source is left in peace, its lists count."""

    def __init__(self, database: Database, plugins: PluginManager, settings: Settings) -> None:
        self._database = database
        self._plugins = plugins
        self._settings = settings
        self._held: dict[str, _Held] = {}

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
        return await in_own_thread(lambda: self._may_read(row, person, list(ids)), name=f"readers {row.name}")

    def _may_read(self, row: SourceRow, person: str, ids: list[str]) -> set[str]:
        held = self._of(row)
        # Nobody waits longer than this: threads must not pile up behind a call that hangs.
        if not held.lock.acquire(timeout=self._settings.access.live_seconds):
            raise SourceError(f"{row.name} is still answering an earlier question.")
        try:
            return set(held.source.may_read(held.context, person, ids)) & set(ids)
        finally:
            held.lock.release()

    def _of(self, row: SourceRow) -> _Held:
        held = self._held.get(row.name)
        if held is None or held.settings != row.settings:
            source = source_of(row, self._plugins, self._settings)
            assert isinstance(source, ChecksReaders), "only those are asked"
            held = self._held[row.name] = _Held(row.settings, source, source_context(self._settings, row.name))
        return held
