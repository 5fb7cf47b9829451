"""Sources outside a sync: built once and kept between calls, because a session that is logged in is dear."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from http.cookiejar import CookieJar
from typing import Any, TypeVar

from citebot.app.sources import source_context, source_of
from citebot.app.threads import in_own_thread
from citebot.errors import SourceError
from citebot.pluginmanager import PluginManager
from citebot.ports import Source, SourceContext
from citebot.settings import Settings
from citebot.storage import Database
from citebot.storage.sources import SourceRow

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Held:
    settings: dict[str, Any] = field(repr=False)
    source: Source
    context: SourceContext
    lock: threading.Lock = field(default_factory=threading.Lock)
    """Sources are written for one thread."""


class HeldSources:
    """Calls sources beside their syncs, each in an instance of its own and one call at a time."""

    def __init__(self, plugins: PluginManager, settings: Settings, database: Database) -> None:
        self._plugins = plugins
        self._database = database
        self._settings = settings
        self._held: dict[str, _Held] = {}
        self._sessions: dict[str, tuple[dict[str, Any], CookieJar]] = {}
        self._open = ExitStack()
        self._making = threading.Lock()

    def close(self) -> None:
        """Close what they have open."""
        self._open.close()

    async def call(self, row: SourceRow, work: Callable[[Source, SourceContext], T], *, patience: float) -> T:
        """What `work` makes of the source, in a thread; waits at most `patience` seconds for an earlier call."""

        def run() -> T:
            with self._making:
                held = self._of(row)
            # Threads must not pile up behind a call that hangs.
            if not held.lock.acquire(timeout=patience):
                raise SourceError(f"{row.name} is still busy with an earlier call.")
            try:
                return work(held.source, held.context)
            finally:
                held.lock.release()

        return await in_own_thread(run, name=f"call {row.name}")

    def session(self, row: SourceRow, source: Source) -> CookieJar | None:
        """The cookies of its syncs, which are secrets: in memory alone, and only while its settings are the same."""
        if not source.spec.keeps_session:
            return None
        with self._making:
            settings, cookies = self._sessions.get(row.name, (None, None))
            if cookies is None or settings != row.settings:
                cookies = CookieJar()
                self._sessions[row.name] = row.settings, cookies
            return cookies

    def _of(self, row: SourceRow) -> _Held:
        held = self._held.get(row.name)
        if held is None or held.settings != row.settings:
            source = source_of(row, self._plugins, self._settings, self._database)
            context = self._open.enter_context(source_context(self._settings, row.name))
            held = self._held[row.name] = _Held(row.settings, source, context)
        return held
