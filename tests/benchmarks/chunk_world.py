"""One set, chunked and embedded in one way, in a real database and index; vectors are kept between runs."""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar

import structlog
from chunk_sets import ChunkSet
from pydantic import BaseModel
from quality_sample import SAMPLE
from quality_world import extractive, make_index

from citebot.answering import AnswerPath
from citebot.ingest import EmbeddingWorker, Feeder, SyncRunner, chunking
from citebot.ingest.tokens import estimate
from citebot.model import Embedding
from citebot.ports import Embedder, NoSettings, PartContext, Source, SourceContext
from citebot.settings import AnsweringSettings, IngestSettings
from citebot.storage import Database, passages, schema, sources
from citebot_connectors.sources.files import FilesSource
from citebot_connectors.sources.jsonl import JsonlSource

SHIPPED_MAX = chunking.HARD_MAX
_INDEX = "citebot_plugins.embedded:EmbeddedIndex"
_SCANNED = 5_000


@dataclass(frozen=True, slots=True)
class Cut:
    """How documents become what is embedded."""

    tokens: int
    minimum: int
    heading: bool
    """Whether the heading line is part of the embedded text."""


@dataclass(frozen=True, slots=True)
class Stock:
    """What a cut made of a set."""

    chunks: int
    tokens: float
    windows: float
    over_window: float
    """Share of the chunks that the embedder reads in several windows."""
    embed_seconds: float
    """Processor time."""


@dataclass(frozen=True, slots=True)
class World:
    """A cut set that can be asked."""

    database: Database
    stock: Stock
    _index: object
    _embedder: Embedder

    def path(self, *, leg: bool) -> AnswerPath:
        """The product's own path, with or without the heading leg; time limits out of the way."""
        weights = {} if leg else {"weight_headings": 0.0}
        return AnswerPath(
            database=self.database,
            index=self._index,  # type: ignore[arg-type]
            embedder=self._embedder,
            reranker=None,
            generator=extractive(),
            settings=AnsweringSettings(deadline=3600.0, **weights),
        )


class KeptVectors:
    """An embedder that makes each text's vectors once; they and their processor time stay in a file."""

    name: ClassVar[str] = "kept"
    summary: ClassVar[str] = "vectors of a benchmark"
    Settings: ClassVar[type[BaseModel]] = NoSettings

    def __init__(self, file: Path, embedder: Embedder, *, heading: bool = True) -> None:
        self._embedder = embedder
        self._heading = heading
        self._kept = sqlite3.connect(file, check_same_thread=False, isolation_level=None)
        self._kept.execute("CREATE TABLE IF NOT EXISTS vector (text TEXT PRIMARY KEY, data BLOB, seconds REAL)")
        self.seconds = 0.0

    @property
    def model_id(self) -> str:
        return self._embedder.model_id

    @property
    def dimensions(self) -> int:
        return self._embedder.dimensions

    async def open(self) -> None: ...

    async def close(self) -> None:
        self._kept.close()

    async def embed_passages(self, texts: Sequence[str]) -> list[Embedding]:
        """Texts as the worker hands them over: the heading line, a line break, the chunk."""
        wanted = texts if self._heading else [text.partition("\n")[2] for text in texts]
        keys = [hashlib.sha256(f"{self.model_id}\n{text}".encode()).hexdigest() for text in wanted]
        await self._make({key: text for key, text in zip(keys, wanted, strict=True) if self._row(key) is None})
        rows = [self._row(key) or (b"", 0.0) for key in keys]
        self.seconds += sum(seconds for _, seconds in rows)
        return [Embedding(self.dimensions, data) for data, _ in rows]

    async def embed_query(self, text: str) -> Embedding:
        return await self._embedder.embed_query(text)

    async def _make(self, missing: Mapping[str, str]) -> None:
        began = time.process_time()
        made = await self._embedder.embed_passages(list(missing.values())) if missing else []
        spent, length = time.process_time() - began, sum(map(len, missing.values())) + 1
        for (key, text), one in zip(missing.items(), made, strict=True):
            row = (key, one.data, spent * len(text) / length)
            self._kept.execute("INSERT OR REPLACE INTO vector VALUES (?, ?, ?)", row)

    def _row(self, key: str) -> tuple[bytes, float] | None:
        query = "SELECT data, seconds FROM vector WHERE text = ?"
        found: tuple[bytes, float] | None = self._kept.execute(query, (key,)).fetchone()
        return found


@asynccontextmanager
async def open_world(found: ChunkSet, cut: Cut, *, embedder: Embedder, work: Path) -> AsyncIterator[World]:
    """Read, cut, embed and index a set, and close it again."""
    folder = work / "chunk-sizes"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    database = Database(f"sqlite:///{folder / 'citebot.db'}")
    schema.upgrade(database)
    _read(database, found, cut, folder)
    kept = KeptVectors(work / "vectors.db", embedder, heading=cut.heading)
    index = make_index(_INDEX, folder / "index")
    await index.open()
    try:
        feeder = Feeder(database, index)
        await EmbeddingWorker(database, kept, feeder).run_once()
        await feeder.catch_up()
        yield World(database, _stock(database, kept), index, embedder)
    finally:
        await index.close()
        await kept.close()
        database.close()


def _read(database: Database, found: ChunkSet, cut: Cut, folder: Path) -> None:
    # The product never goes above the limit; a larger size is measured as it would be without.
    chunking.HARD_MAX = max(SHIPPED_MAX, cut.tokens)
    settings = IngestSettings(chunk_tokens=cut.tokens, chunk_min_tokens=cut.minimum)
    try:
        for name, part in _sources(found, folder):
            with database.write() as tx:
                sources.add(tx, name=name, type=part.name, settings={})
            context = SourceContext(
                state_dir=folder / name, log=structlog.get_logger("benchmark"), stop=lambda: False,
                now=lambda: datetime.now(UTC),
            )  # fmt: skip
            counts = SyncRunner(database, part, source=name, context=context, settings=settings).run().counts()
            if counts.get("failed"):
                raise SystemExit(f"{found.name}: documents could not be read: {counts}")
    finally:
        chunking.HARD_MAX = SHIPPED_MAX


def _sources(found: ChunkSet, folder: Path) -> Iterable[tuple[str, Source]]:
    if found.rows:
        file = folder / "documents.jsonl"
        file.write_text("".join(json.dumps(row) + "\n" for row in found.rows), encoding="utf-8")
        yield "corpus", JsonlSource(JsonlSource.Settings(path=file), PartContext(folder / "jsonl"))
        return
    pages = FilesSource.Settings(path=SAMPLE, exclude=["README.md"], front_matter_readers=True)
    yield "handbook", FilesSource(pages, PartContext(folder / "files"))
    yield "tickets", JsonlSource(JsonlSource.Settings(path=SAMPLE / "tickets.jsonl"), PartContext(folder / "jsonl"))


def _stock(database: Database, kept: KeptVectors) -> Stock:
    tokens: list[int] = []
    windows: list[int] = []
    after = 0
    while True:
        with database.read() as tx:
            entries = passages.scan(tx, after=after, limit=_SCANNED)
            vectors = passages.embeddings(tx, kept.model_id, [entry.id for entry in entries])
        if not entries:
            break
        tokens += [estimate(entry.text) for entry in entries]
        windows += [made.windows for _, made in vectors]
        after = entries[-1].id
    count = len(tokens)
    return Stock(
        chunks=count,
        tokens=sum(tokens) / count,
        windows=sum(windows) / count,
        over_window=sum(each > 1 for each in windows) / count,
        embed_seconds=kept.seconds,
    )
