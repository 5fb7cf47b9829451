"""What the checks run in: a database that reads a place, and sources that fall ill."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import structlog

from citebot.ingest import SyncProgress, SyncRunner
from citebot.ingest.parsing import Parser
from citebot.model import Batch, Document, Failed, Gone, Json, Passage
from citebot.ports import ReportsChanges, Source, SourceContext, SourceSpec
from citebot.settings import IngestSettings
from citebot.storage import Database, passages, schema, sources, todo
from citebot.testing.sources.lab import Lab, ReadsNetwork, SetsPages
from citebot.testing.sources.network import Network, Runaway

ENDLESS = 200_000
"""Documents after which a listing of a lab is taken for one without end."""


class Killed(BaseException):
    """Stands for the end of the process: nothing may catch it."""


@dataclass(slots=True)
class Counts:
    """What a run asked of the source."""

    listed: int = 0
    asked: int = 0
    """Documents it was asked to fetch."""
    fetched: int = 0


class Watched:
    """A source seen from outside: counts, and dies, fails or lies where it is told to."""

    name = "watched"
    summary = "for tests"
    spec: SourceSpec

    def __init__(
        self,
        source: Source,
        *,
        kill_at: int | None = None,
        refs: Callable[[list[Any]], list[Any]] | None = None,
        list_error: Exception | None = None,
        answer: Callable[[Document | Gone | Failed], Document | Gone | Failed] | None = None,
        most: int | None = None,
    ) -> None:
        self.spec = source.spec
        self._source = source
        self._most = most
        self._kill_at = kill_at
        self._refs = refs
        self._list_error = list_error
        self._answer = answer
        self._steps = 0
        self.counts = Counts()

    def list(self, ctx: SourceContext, cursor: Json) -> Iterator[Batch]:
        """Batches of one item, so that there is a lot to be killed at."""
        seen, before = 0, cursor
        for batch in self._source.list(ctx, cursor):
            items = list(batch.items if self._most is None else batch.items[: self._most - seen])
            seen += len(items)
            items = self._refs(items) if self._refs else items
            for number, item in enumerate(items):
                self.counts.listed += 1
                if self.counts.listed > ENDLESS:
                    raise Runaway(f"The listing goes on after {ENDLESS:,} documents.")
                self._step()
                yield replace(batch, items=(item,), cursor=batch.cursor if number == len(items) - 1 else before)
            before = batch.cursor
            if self._list_error is not None:
                raise self._list_error
            if seen == self._most:
                return

    def fetch(self, ctx: SourceContext, ids: Sequence[str]) -> Iterator[Document | Gone | Failed]:
        """The source's answers."""
        self.counts.asked += len(ids)
        for item in self._source.fetch(ctx, ids):
            self.counts.fetched += 1
            self._step()
            yield self._answer(item) if self._answer else item

    def _step(self) -> None:
        self._steps += 1
        if self._steps == self._kill_at:
            raise Killed


class WatchedWithFeed(Watched):
    """A source with a change feed, seen from outside."""

    def changes(self, ctx: SourceContext, cursor: Json) -> Iterator[Batch]:
        """The source's feed."""
        assert isinstance(self._source, ReportsChanges)
        yield from self._source.changes(ctx, cursor)


class SourceWorld:
    """A database that reads one lab."""

    def __init__(
        self,
        lab: Lab,
        folder: Path,
        *,
        name: str = "lab",
        network: Network | None = None,
        parser: Parser | None = None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._lab = lab
        self._name = name
        self.state_dir = folder / "state"
        """The folder of the source's own state."""
        self._parser = parser
        self._own = Network(lab.egress if isinstance(lab, ReadsNetwork) and network is None else None)
        self._network = network or self._own
        file = folder / "world.db"
        if not file.exists():
            file.write_bytes(_empty_database())
        self.database = Database(f"sqlite:///{file}")
        with self.database.write() as tx:
            sources.add(tx, name=name, type="lab", settings={})
        self.notes: list[str] = []
        """What the source said while it worked."""
        self.by_feed = True
        """Whether polls use the change feed, where the source has one."""
        self.most: int | None = None
        """How many of the listed documents are read; None: all."""
        self.page_size: int | None = None
        """Size of a listing's page, where the lab can set it."""

    def close(self) -> None:
        """Close the database, and connections of its own."""
        self.database.close()
        self._own.close()

    @contextmanager
    def context(
        self, *, stop: Callable[[], bool] = lambda: False, skew: timedelta = timedelta()
    ) -> Iterator[SourceContext]:
        """What the source gets in one run; its clock goes wrong by `skew`."""
        with self._network.open(stop) as http:
            yield SourceContext(
                state_dir=self.state_dir,
                log=structlog.get_logger("citebot.source"),
                stop=stop,
                now=lambda: datetime.now(UTC) + skew,
                progress=self.notes.append,
                http=http,
            )

    def source(self) -> Source:
        """A new source over the lab."""
        if self.page_size is not None and isinstance(self._lab, SetsPages):
            return self._lab.paged(self.state_dir, self.page_size)
        return self._lab.source(self.state_dir)

    def watched(self, source: Source | None = None, *, feed: bool = False, **ills: Any) -> Watched:
        """A new source over the lab, or this one, seen from outside; with `feed` its change feed is used, if any."""
        source = source or self.source()
        kind = WatchedWithFeed if feed and isinstance(source, ReportsChanges) else Watched
        return kind(source, most=self.most, **ills)

    def run(
        self,
        source: Any = None,
        *,
        stop: Callable[[], bool] = lambda: False,
        skew: timedelta = timedelta(),
        settings: IngestSettings | None = None,
        allow_removals: bool = False,
        full: bool = False,
    ) -> SyncProgress:
        """One sync; `full` lists everything even where a feed would do."""
        plain: Any = self.source() if self.by_feed and self.most is None else self.watched()
        with self.context(stop=stop, skew=skew) as context:
            return SyncRunner(
                self.database,
                source or plain,
                source=self._name,
                context=context,
                settings=settings or IngestSettings(),
                allow_removals=allow_removals,
                full=full,
                parser=self._parser,
            ).run()

    def failure(self) -> str:
        """What an admin is told of the last run; empty when it was good."""
        with self.database.read() as tx:
            row = sources.get(tx, self._name)
        return row.failure or "" if row else ""

    def parked(self) -> dict[str, str]:
        """Documents that could not be read, and why."""
        with self.database.read() as tx:
            row = sources.get(tx, self._name)
            return {key: why for key, why, _ in todo.parked(tx, row.id)} if row else {}

    def passages(self) -> list[Passage]:
        """Everything that is stored, by document and position."""
        with self.database.read() as tx:
            ids = [entry.id for entry in passages.scan(tx, after=0, limit=1_000_000)]
            found = passages.by_ids(tx, ids).values()
        return sorted(found, key=lambda passage: (passage.document_id, passage.position))

    def texts(self) -> dict[str, str]:
        """The text of every document."""
        found: dict[str, list[str]] = {}
        for passage in self.passages():
            found.setdefault(passage.document_id, []).append(passage.text)
        return {key: "\n".join(filter(None, pieces)) for key, pieces in found.items()}

    def state(self) -> list[tuple[object, ...]]:
        """What two databases that read the same place must have in common: all but ids and times."""
        return [
            (p.document_id, p.position, p.title, p.url, p.anchor, p.path, p.headings, p.text, p.kind, p.readers)
            for p in self.passages()
        ]


@cache
def _empty_database() -> bytes:
    """A database with our tables, made once: the migrations would take longer than most checks."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "empty.db"
        database = Database(f"sqlite:///{file}")
        schema.upgrade(database)
        database.close()
        return file.read_bytes()
