"""What the contract of sources is run in: a place that can be changed, a database, and sources that fall ill."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import structlog

from citebot.ingest import SyncProgress, SyncRunner
from citebot.model import Batch, Document, Failed, Gone, Json, Passage, Readers
from citebot.ports import Http, NoHttp, Source, SourceContext, SourceSpec
from citebot.settings import IngestSettings
from citebot.storage import Database, passages, schema, sources


class Lab(Protocol):
    """A place of yours with documents in it, and how to change it."""

    def source(self, state_dir: Path) -> Source:
        """A new source that reads the place."""

    def create(self, title: str, text: str, readers: Readers | None) -> str:
        """Add a document and return its id; `readers` None leaves out who may read it."""

    def edit(self, key: str, text: str) -> None:
        """Change the text of a document."""

    def delete(self, key: str) -> None:
        """Delete a document."""


@runtime_checkable
class ReadsNetwork(Protocol):
    """A lab whose source reads a server."""

    http: Http


class Killed(BaseException):
    """Stands for the end of the process: nothing may catch it."""


@dataclass(slots=True)
class Counts:
    """What a run asked of the source."""

    listed: int = 0
    fetched: int = 0


class Watched:
    """A source seen from outside: counts, and dies, fails or lies where it is told to."""

    name = "watched"
    summary = "for tests"
    spec = SourceSpec()

    def __init__(
        self,
        source: Source,
        *,
        kill_at: int | None = None,
        refs: Callable[[list[Any]], list[Any]] | None = None,
        list_error: Exception | None = None,
        answer: Callable[[Document | Gone | Failed], Document | Gone | Failed] | None = None,
    ) -> None:
        self._source = source
        self._kill_at = kill_at
        self._refs = refs
        self._list_error = list_error
        self._answer = answer
        self._steps = 0
        self.counts = Counts()

    def list(self, ctx: SourceContext, cursor: Json) -> Iterator[Batch]:
        """Batches of one item, so that there is a lot to be killed at."""
        for batch in self._source.list(ctx, cursor):
            items = self._refs(list(batch.items)) if self._refs else list(batch.items)
            for number, item in enumerate(items):
                self.counts.listed += 1
                self._step()
                yield replace(batch, items=(item,), cursor=batch.cursor if number == len(items) - 1 else cursor)
            if self._list_error is not None:
                raise self._list_error

    def fetch(self, ctx: SourceContext, ids: Sequence[str]) -> Iterator[Document | Gone | Failed]:
        """The source's answers."""
        for item in self._source.fetch(ctx, ids):
            self.counts.fetched += 1
            self._step()
            yield self._answer(item) if self._answer else item

    def _step(self) -> None:
        self._steps += 1
        if self._steps == self._kill_at:
            raise Killed


class SourceWorld:
    """A database that reads one lab."""

    def __init__(self, lab: Lab, folder: Path, *, name: str = "lab") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._lab = lab
        self._name = name
        self._folder = folder
        self.database = Database(f"sqlite:///{folder / 'world.db'}")
        schema.upgrade(self.database)
        with self.database.write() as tx:
            sources.add(tx, name=name, type="lab", settings={})
        self.notes: list[str] = []

    def close(self) -> None:
        """Close the database."""
        self.database.close()

    def context(self, *, stop: Callable[[], bool] = lambda: False) -> SourceContext:
        """What the source gets; its notes are kept in `notes`."""
        return SourceContext(
            state_dir=self._folder / "state",
            log=structlog.get_logger("citebot.source"),
            stop=stop,
            now=lambda: datetime.now(UTC),
            progress=self.notes.append,
            http=self._lab.http if isinstance(self._lab, ReadsNetwork) else NoHttp(),
        )

    def watched(self, **ills: Any) -> Watched:
        """A new source over the lab."""
        return Watched(self._lab.source(self._folder / "state"), **ills)

    def run(
        self, source: Any = None, *, stop: Callable[[], bool] = lambda: False, allow_removals: bool = False
    ) -> SyncProgress:
        """One sync."""
        return SyncRunner(
            self.database,
            source or self._lab.source(self._folder / "state"),
            source=self._name,
            context=self.context(stop=stop),
            settings=IngestSettings(),
            allow_removals=allow_removals,
        ).run()

    def passages(self) -> list[Passage]:
        """Everything that is stored, by document and position."""
        with self.database.read() as tx:
            ids = [entry.id for entry in passages.scan(tx, after=0, limit=1_000_000)]
            found = passages.by_ids(tx, ids).values()
        return sorted(found, key=lambda passage: (passage.document_id, passage.position))

    def texts(self) -> dict[str, str]:
        """The text of every document."""
        found: dict[str, str] = {}
        for passage in self.passages():
            found[passage.document_id] = "\n".join(filter(None, (found.get(passage.document_id, ""), passage.text)))
        return found

    def state(self) -> list[tuple[object, ...]]:
        """What two databases that read the same place must have in common: all but ids and times."""
        return [
            (p.document_id, p.position, p.title, p.url, p.anchor, p.headings, p.text, p.kind, p.readers)
            for p in self.passages()
        ]
