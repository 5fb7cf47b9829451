"""`Citebot`: the opened parts, and what can be asked of them. Commands, the desk and tests all talk to this."""

from __future__ import annotations

import asyncio
import shutil
import threading
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from citebot.access import Directory, LiveReaders
from citebot.answering import AnswerPath
from citebot.app.events import Events
from citebot.app.groups import GroupLists
from citebot.app.held import HeldSources
from citebot.app.indexing import Indexing, IndexStatus
from citebot.app.live import LiveSources
from citebot.app.meter import Kind, Meter
from citebot.app.sources import known_source, source_context, source_of, state_dir
from citebot.app.threads import in_own_thread
from citebot.budgets import Budgets
from citebot.calls import Calls
from citebot.delivery import TakenOver
from citebot.errors import CitebotError
from citebot.ingest import EmbeddingWorker, Feeder, SyncProgress, SyncRunner
from citebot.model import AnswerEvent, Audience, Conversation, Passage, Person, Question, ScoredPassage, Turn
from citebot.pluginmanager import PluginManager
from citebot.ports import DocumentView, Embedder, Generator, Index, Reranker, SourceStatus
from citebot.settings import Settings
from citebot.storage import Database, documents, index_log, purge, sources, todo
from citebot.storage.deletions import Record

STOPPING_SECONDS = 2.0
"""What a source that is being read gets to come to a point where it can be left."""
FEED_SECONDS = 5.0
"""How soon words are found while a sync goes on. More often costs more than it gives: both want the interpreter."""
ANYBODY = ""
"""The id of an asker who has not said who they are: a member of the team without groups."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a search found."""

    hits: tuple[ScoredPassage, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Citebot:
    """Everything, opened. Made by `open_citebot`."""

    settings: Settings
    plugins: PluginManager
    database: Database
    directory: Directory
    index: Index
    embedder: Embedder | None
    reranker: Reranker | None
    generator: Generator
    previous: Embedder | None = None
    """Whose vectors the index may still hold."""
    standby: Index | None = None
    """Opened, fed and searched by servers alone."""
    calls: Calls = field(default_factory=Calls)
    """The models behind these three, and what is wrong with them."""
    feeds: bool = True
    """Whether this process keeps the index equal to the database, not another."""
    searches: bool = True
    """Whether the index is open in this process."""

    @cached_property
    def path(self) -> AnswerPath:
        """The question's path."""
        return AnswerPath(
            database=self.database,
            index=self.indexing.searched,
            embedder=self.embedder,
            previous=self.previous,
            reranker=self.reranker,
            generator=self.generator,
            hooks=self.plugins,
            live=self.live,
            budgets=self.budgets,
            poll=self.settings.ingest.poll,
            settings=self.settings.answering,
        )

    @cached_property
    def budgets(self) -> Budgets:
        """What models may cost."""
        return Budgets(self.database, self.settings.budgets)

    @cached_property
    def live(self) -> LiveReaders:
        """Asks sources who may read at this moment, where they can say it."""
        seconds = self.settings.access.live_seconds
        asked = LiveSources(self.database, self.plugins, self.held, seconds=seconds)
        return LiveReaders(asked.ask_of, seconds=seconds)

    @cached_property
    def events(self) -> Events:
        """Receives what servers tell by webhook."""
        return Events(self.database, self.held)

    @cached_property
    def taken_over(self) -> list[TakenOver]:
        """Who counts rows that were taken over from a process that did not renew its lease."""
        return []

    @cached_property
    def meter(self) -> Meter:
        """Counts what reads of sources do."""
        return Meter()

    @cached_property
    def held(self) -> HeldSources:
        """Sources as they are called beside their syncs."""
        return HeldSources(self.plugins, self.settings, self.database)

    @cached_property
    def groups(self) -> GroupLists:
        """Groups of sources that are read seldom."""
        return GroupLists(self.database, self.plugins, self.settings, self.held)

    @cached_property
    def indexing(self) -> Indexing:
        """Feeds the index, builds the next one beside it, and switches."""
        return Indexing(self.database, self.index, embedder=self.embedder, previous=self.previous, standby=self.standby)

    @property
    def feeder(self) -> Feeder:
        """Keeps the index equal to the database."""
        return self.indexing.feeder

    @cached_property
    def _removals(self) -> Record:
        return Record(self.settings.data_dir)

    async def record_removals(self) -> None:
        """Bring the record of what was removed up to date; it is beside the database, for restores."""
        await asyncio.to_thread(self._removals.follow, self.database)

    @cached_property
    def embedding(self) -> EmbeddingWorker | None:
        """Fills in vectors, if there is a model to make them."""
        return EmbeddingWorker(self.database, self.embedder, self.indexing) if self.embedder else None

    # --- asking --------------------------------------------------------------------------------------------------

    def person(self, person_id: str | None) -> Person:
        """Somebody by id; without an id, a member of the team without groups."""
        name = person_id or ANYBODY
        return Person(name, guest=name in self.settings.access.guests)

    async def audience(self, person: Person) -> Audience:
        """What one person may see when only they see it."""
        return await asyncio.to_thread(self.directory.audience_of, frozenset({person}))

    async def question(
        self,
        text: str,
        *,
        history: Sequence[Turn] = (),
        person: str | None = None,
        sources: Sequence[str] = (),
        conversation: Conversation | None = None,
    ) -> Question:
        """A question asked by one person for themselves; refuses sources that do not exist."""
        await asyncio.to_thread(self._refuse_unknown_sources, sources)
        asker = self.person(person)
        return Question(
            text=text,
            asker=asker,
            conversation=conversation or Conversation(platform="cli", id="terminal"),
            audience=await self.audience(asker),
            history=tuple(history),
            sources=tuple(sources),
            asked_at=datetime.now(UTC),
        )

    async def ask(
        self, text: str, *, history: Sequence[Turn] = (), person: str | None = None, sources: Sequence[str] = ()
    ) -> AsyncGenerator[AnswerEvent, None]:
        """Answer one question; closing the iterator stops the answer."""
        question = await self.question(text, history=history, person=person, sources=sources)
        async with aclosing(self.path.answer(question)) as events:
            async for event in events:
                yield event

    async def search(
        self,
        text: str,
        *,
        history: Sequence[Turn] = (),
        person: str | None = None,
        sources: Sequence[str] = (),
        limit: int = 10,
    ) -> Found:
        """The retrieval half of the path: the best passages with the score of every leg."""
        question = await self.question(text, history=history, person=person, sources=sources)
        hits, notes = await self.path.search(question, limit=limit)
        return Found(hits=tuple(hits), notes=tuple(notes))

    async def show_document(self, passage_id: int, person: str | None = None) -> DocumentView | None:
        """The document around a passage, as far as the person may read it."""
        return await self.document_for(passage_id, self.person(person))

    async def document_for(self, passage_id: int, viewer: Person) -> DocumentView | None:
        """The same for a viewer of whom a platform may know that they are a guest."""
        audience = await self.audience(viewer)
        passages = await asyncio.to_thread(self._document_of, passage_id)
        visible = tuple(p for p in passages if audience.may_read(p.readers))
        wanted = [p for p in visible if p.id == passage_id]
        if not wanted or not (await self.live.check(audience, viewer, wanted)).readable:
            return None
        first = visible[0]
        return DocumentView(
            source=first.source,
            document_id=first.document_id,
            title=first.title,
            url=first.url,
            path=first.path,
            updated=first.updated,
            passages=visible,
        )

    async def sources(self, person: str | None = None) -> Sequence[SourceStatus]:
        """All sources. Names and freshness are no secret within the team; documents are."""
        del person
        return await asyncio.to_thread(self._statuses)

    # --- knowing -------------------------------------------------------------------------------------------------

    async def sync(
        self,
        name: str,
        *,
        progress: Callable[[SyncProgress], None] | None = None,
        stop: Callable[[], bool] | None = None,
        allow_removals: bool = False,
        full: bool = False,
    ) -> SyncProgress:
        """Read one source now and bring the index up to date with it."""
        options: dict[str, Any] = {"allow_removals": allow_removals, "full": full}
        result = await self._in_thread(name, "regular", stop, progress, options)
        await self.plugins.sync_finished(source=name, counts=result.counts())
        return result

    async def sync_urgent(self, name: str, *, stop: Callable[[], bool] | None = None) -> SyncProgress:
        """Read only the documents of one source that events have named."""
        return await self._in_thread(name, "urgent", stop, None, {})

    async def urgent_sources(self) -> list[str]:
        """The sources with such documents."""

        def find() -> list[str]:
            with self.database.read() as tx:
                return todo.urgent_sources(tx)

        return await asyncio.to_thread(find)

    async def _in_thread(
        self,
        name: str,
        kind: Kind,
        stop: Callable[[], bool] | None,
        progress: Callable[[SyncProgress], None] | None,
        options: dict[str, Any],
    ) -> SyncProgress:
        ending = threading.Event()

        def run() -> SyncProgress:
            with self.database.read() as tx:
                row = known_source(tx, name)
            source = source_of(row, self.plugins, self.settings, self.database)

            def ended() -> bool:
                return ending.is_set() or (stop is not None and stop())

            with (
                self.meter.run(name, kind=kind, stopped=ended, show=progress) as metered,
                source_context(
                    self.settings,
                    name,
                    stop=ended,
                    progress=metered.note,
                    counted=metered.ask,
                    cookies=self.held.session(row, source),
                ) as context,
            ):
                runner = SyncRunner(
                    self.database,
                    source,
                    source=name,
                    context=context,
                    settings=self.settings.ingest,
                    document_fetched=self.plugins.document_fetched_sync,
                    progress=metered.show,
                    **options,
                )
                try:
                    return runner.run() if kind == "regular" else runner.run_urgent()
                finally:
                    metered.show(runner.progress)

        running = in_own_thread(run, name=f"sync {name}")
        try:
            while not running.done():
                # Words are found while the sync goes on.
                await asyncio.wait({running}, timeout=FEED_SECONDS)
                await self._feed()
        finally:
            ending.set()
            if not running.done():
                # Cancelled: let it put down what it holds. What hangs is left to die with the process.
                await asyncio.wait({running}, timeout=STOPPING_SECONDS)
        return running.result()

    async def remove_source(self, name: str) -> int:
        """Remove a source with everything from it; returns how many documents it had."""

        def remove() -> int:
            with self.database.write() as tx:
                known_source(tx, name)
                count = sources.remove(tx, name)
            # A copy of the place, such as a repository's, is text of it too.
            shutil.rmtree(state_dir(self.settings, name), ignore_errors=True)
            return count

        removed = await asyncio.to_thread(remove)
        await self._feed()
        return removed

    async def index_status(self) -> IndexStatus:
        """What the index holds."""
        return await self.indexing.status()

    async def _feed(self) -> None:
        if self.feeds:
            await self.feeder.catch_up()

    async def check_database(self) -> None:
        """Raise `StorageError` unless it answers."""
        await asyncio.to_thread(self._log_head)

    async def purge(self) -> IndexStatus:
        """Erase deleted text from the files of the index and of the database."""
        await self.indexing.purge()
        await asyncio.to_thread(purge.purge, self.database)
        return await self.index_status()

    # --- database work, run in threads ---------------------------------------------------------------------------

    def _document_of(self, passage_id: int) -> list[Passage]:
        with self.database.read() as tx:
            return documents.view(tx, passage_id)

    def _statuses(self) -> list[SourceStatus]:
        with self.database.read() as tx:
            return sources.statuses(tx)

    def _log_head(self) -> int:
        with self.database.read() as tx:
            return index_log.head(tx)

    def _refuse_unknown_sources(self, names: Sequence[str]) -> None:
        if names:
            known = {status.name for status in self._statuses()}
            unknown = [name for name in names if name not in known]
            if unknown:
                raise CitebotError(
                    f"There is no source “{unknown[0]}”. Known: {', '.join(sorted(known)) or 'none yet'}."
                )
