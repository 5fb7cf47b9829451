"""Who is in which group, of sources that are read more seldom than such a list counts (`access.staleness`)."""

from __future__ import annotations

from citebot.app.held import HeldSources
from citebot.app.sources import known_source, source_context, source_of
from citebot.app.threads import in_own_thread
from citebot.errors import CitebotError
from citebot.pluginmanager import PluginManager
from citebot.ports import ReportsGroups, SourceStatus
from citebot.settings import Settings
from citebot.storage import Database, people, sources


class GroupLists:
    """Reads the groups of sources beside the reads of their documents, which bring them too."""

    def __init__(self, database: Database, plugins: PluginManager, settings: Settings, held: HeldSources) -> None:
        self._database = database
        self._plugins = plugins
        self._settings = settings
        self._held = held

    @property
    def distance(self) -> float:
        """Seconds between two reads: two may fail before a list opens nothing."""
        return self._settings.access.staleness / 3

    def wanted(self, source: SourceStatus) -> bool:
        """Whether a source has groups that its own reads are too seldom for."""
        if source.paused or (source.poll or self._settings.ingest.poll) <= self.distance:
            return False
        try:
            return hasattr(self._plugins.part("source", source.type), "groups")
        except CitebotError:
            return False  # not installed any more, or one of ours without groups

    async def read(self, name: str) -> None:
        """Read the groups of one source now. Raises what the source raises: the last list then counts on."""

        def run() -> None:
            with self._database.read() as tx:
                row = known_source(tx, name)
            source = source_of(row, self._plugins, self._settings, self._database)
            if not isinstance(source, ReportsGroups):
                return
            with source_context(self._settings, name, cookies=self._held.session(row, source)) as context:
                groups = list(source.groups(context))
            with self._database.write() as tx:
                if sources.get(tx, name) is not None:
                    people.replace(tx, name, groups)

        await in_own_thread(run, name=f"groups {name}")
