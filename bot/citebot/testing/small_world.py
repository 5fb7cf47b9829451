"""A handful of documents in a real database and an index, ready to be asked."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from citebot.answering import AnswerPath
from citebot.answering.hooks import Hooks
from citebot.budgets import Budgets
from citebot.model import (
    EVERYONE,
    Answer,
    AnswerEvent,
    Audience,
    Chunk,
    Conversation,
    Document,
    Done,
    Passage,
    Person,
    Question,
    Readers,
    Turn,
)
from citebot.ports import Embedder, Generator, Index, IndexChanges, Reranker
from citebot.settings import AnsweringSettings
from citebot.storage import Database, documents, index_log, passages, schema, sources
from citebot.storage.documents import ToSave
from citebot.testing.fake_models import QuotingGenerator
from citebot.testing.memory_index import MemoryIndex

READ_BY_ALL = Readers.everyone()
TEAM = Audience(frozenset({EVERYONE}), "the team")


@dataclass(frozen=True, slots=True)
class Page:
    """One document of one passage."""

    text: str
    title: str = "Page"
    readers: Readers = READ_BY_ALL
    updated: datetime | None = None
    source: str = "wiki"
    headings: tuple[str, ...] = ()


class SmallWorld:
    """Pages, stored and indexed. Use `close` at the end."""

    def __init__(self, folder: Path, *, index: Index | None = None, embedder: Embedder | None = None) -> None:
        self.database = Database(f"sqlite:///{folder / 'world.db'}")
        schema.upgrade(self.database)
        self.index = index or MemoryIndex()
        self.embedder = embedder
        self._pages = 0

    async def open(self) -> None:
        """Open index and embedder."""
        await self.index.open()
        if self.embedder is not None:
            await self.embedder.open()

    async def close(self) -> None:
        """Close everything."""
        if self.embedder is not None:
            await self.embedder.close()
        await self.index.close()
        self.database.close()

    async def add(self, pages: Iterable[Page]) -> list[int]:
        """Store pages and index them; their passage ids."""
        with self.database.write() as tx:
            names: list[tuple[str, str]] = []
            for page in pages:
                row = sources.get(tx, page.source) or sources.add(tx, name=page.source, type="jsonl", settings={})
                self._pages += 1
                names.append((page.source, f"d{self._pages}"))
                documents.save_many(tx, row.id, [_to_save(names[-1][1], page)])
        await self.feed()
        found = {passage.document_key: passage.id for passage in self.passages()}
        return [found[name] for name in names]

    async def feed(self) -> None:
        """Bring the index up to date with the database, vectors included."""
        seq = await self.index.position()
        with self.database.read() as tx:
            log = index_log.since(tx, seq, 1_000_000)
            ids = sorted({row.passage_id for row in log})
            puts = passages.entries(tx, ids)
        if not log:
            return
        vectors: list[Any] = []
        if self.embedder is not None:
            made = await self.embedder.embed_passages([f"{put.heading}\n{put.text}" for put in puts])
            vectors = list(zip([put.id for put in puts], made, strict=True))
        gone = tuple(set(ids) - {put.id for put in puts})
        model = self.embedder.model_id if self.embedder else ""
        await self.index.apply(IndexChanges(log[-1].seq, tuple(puts), gone, tuple(vectors), model))

    def passages(self) -> list[Passage]:
        """All passages as stored."""
        with self.database.read() as tx:
            return list(
                passages.by_ids(tx, [entry.id for entry in passages.scan(tx, after=0, limit=1_000_000)]).values()
            )

    def path(
        self,
        generator: Generator | None = None,
        *,
        reranker: Reranker | None = None,
        hooks: Hooks | None = None,
        budgets: Budgets | None = None,
        **settings: Any,
    ) -> AnswerPath:
        """The question's path over these pages; it answers whatever the confidence, unless told otherwise."""
        return AnswerPath(
            database=self.database,
            index=self.index,
            embedder=self.embedder,
            reranker=reranker,
            generator=generator or QuotingGenerator(),
            hooks=hooks,
            budgets=budgets,
            settings=AnsweringSettings(**{"threshold": 0.0, **settings}),
        )


def ask(text: str, *, audience: Audience = TEAM, history: Sequence[Turn] = (), sources: Sequence[str] = ()) -> Question:
    """A question of a member of the team."""
    where = Conversation("test", "somewhere")
    return Question(text, Person("ann"), where, audience, tuple(history), tuple(sources))


async def events_of(path: AnswerPath, question: Question, **options: Any) -> list[AnswerEvent]:
    """Every event of an answer."""
    return [event async for event in path.answer(question, **options)]


async def answer_of(path: AnswerPath, question: Question, **options: Any) -> Answer:
    """The answer at the end."""
    last = (await events_of(path, question, **options))[-1]
    assert isinstance(last, Done)
    return last.answer


def _to_save(name: str, page: Page) -> ToSave:
    digest = hashlib.sha256(f"{name}\n{page.text}".encode("utf-8", "replace")).hexdigest()
    document = Document(id=name, title=page.title, body=page.text, readers=page.readers, updated=page.updated)
    chunk = Chunk(page.text, page.headings, "", "paragraph", page.readers, digest)
    return ToSave(document, [chunk], content_hash=digest, readers_tag=page.readers.tag, version="1", sweep=1)
