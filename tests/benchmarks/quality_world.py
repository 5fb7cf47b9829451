"""A corpus in a real database and index, for the quality benchmarks. Kept in a folder: vectors are made once."""

from __future__ import annotations

import hashlib
import importlib
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from citebot.answering.path import AnswerPath
from citebot.ingest import Feeder
from citebot.model import Audience, Chunk, Conversation, Document, Person, Question, Readers, Turn
from citebot.ports import Embedder, Generator, Index, PartContext
from citebot.settings import AnsweringSettings
from citebot.storage import Database, documents, passages, schema, sources
from citebot.storage.documents import ToSave
from citebot_plugins.local.embedder import LocalEmbedder, LocalSettings
from citebot_plugins.local.extractive import ExtractiveGenerator, ExtractiveSettings

EVERYBODY = Audience(frozenset({"everyone"}), "everyone")
_BATCH = 500


@dataclass(frozen=True)
class Text:
    """One passage of a corpus, as given."""

    id: str
    title: str
    text: str


@dataclass
class World:
    """Database, index and models, opened."""

    database: Database
    index: Index
    embedder: Embedder
    ids: dict[str, int]
    """Passage id by the corpus' id."""

    def path(self, generator: Generator | None = None, *, embedder: bool = True, **settings: Any) -> AnswerPath:
        """The product's own path over this corpus."""
        return AnswerPath(
            database=self.database,
            index=self.index,
            embedder=self.embedder if embedder else None,
            reranker=None,
            generator=generator or extractive(),
            settings=AnsweringSettings(**settings),
        )


def extractive(**settings: Any) -> ExtractiveGenerator:
    """The generator with its defaults."""
    return ExtractiveGenerator(ExtractiveSettings(**settings), PartContext(Path()))


def question(text: str, history: Sequence[str] = ()) -> Question:
    """Asked by a member of the team."""
    return Question(
        text=text,
        asker=Person("ann"),
        conversation=Conversation("cli", "benchmark"),
        audience=EVERYBODY,
        history=tuple(Turn("user", turn) for turn in history),
    )


async def open_world(
    folder: Path, texts: Sequence[Text], *, index: str, embedder: LocalSettings, index_settings: Mapping[str, Any] = {}
) -> World:
    """Store, embed and index what is not there yet."""
    folder.mkdir(parents=True, exist_ok=True)
    database = Database(f"sqlite:///{folder / 'citebot.db'}")
    schema.upgrade(database)
    ids = _stored(database, texts)
    model = LocalEmbedder(embedder, PartContext(folder / "embedder"))
    await model.open()
    await _embed(database, model)
    found = make_index(index, folder / "index", index_settings)
    await found.open()
    feeder = Feeder(database, found)
    feeder.use_model(model.model_id)
    await feeder.catch_up()
    return World(database, found, model, ids)


def make_index(spec: str, folder: Path, settings: Mapping[str, Any] = {}) -> Index:
    """`module:Class`, with its default settings but for these."""
    module, _, name = spec.partition(":")
    part = getattr(importlib.import_module(module), name)
    return part(part.Settings(**settings), PartContext(folder))  # type: ignore[no-any-return]


def _stored(database: Database, texts: Sequence[Text]) -> dict[str, int]:
    with database.write() as tx:
        row = sources.get(tx, "corpus") or sources.add(tx, name="corpus", type="jsonl", settings={})
        known = documents.known(tx, row.id, [text.id for text in texts])
        documents.save_many(tx, row.id, [_to_save(text) for text in texts if text.id not in known])
    found: dict[str, int] = {}
    after = 0
    while True:
        with database.read() as tx:
            entries = passages.scan(tx, after=after, limit=5000)
            rows = passages.by_ids(tx, [entry.id for entry in entries])
        found |= {passage.document_id: passage.id for passage in rows.values()}
        if len(entries) < 5000:
            return found
        after = entries[-1].id


def _to_save(text: Text) -> ToSave:
    digest = hashlib.sha256(f"{text.title}\n{text.text}".encode()).hexdigest()
    everyone = Readers.everyone()
    document = Document(id=text.id, title=text.title, body=text.text, readers=everyone)
    chunk = Chunk(text=text.text, headings=(), anchor="", kind="paragraph", readers=everyone, content_hash=digest)
    return ToSave(document, [chunk], content_hash=digest, readers_tag=everyone.tag, version="1", sweep=1)


async def _embed(database: Database, model: Embedder) -> None:
    after, done, begun = 0, 0, time.monotonic()
    while True:
        with database.read() as tx:
            rows = passages.unembedded(tx, model.model_id, after=after, limit=_BATCH)
        if not rows:
            return
        made = await model.embed_passages([text for _, text in rows])
        with database.write() as tx:
            passages.save_embeddings(tx, model.model_id, list(zip([number for number, _ in rows], made, strict=True)))
        after, done = rows[-1][0], done + len(rows)
        print(f"  {done} passages embedded, {done / (time.monotonic() - begun):.0f}/s", flush=True)


def heading_line(text: str) -> str:
    """The first line of a passage without a title, as an ingest would find it."""
    return next((line.strip(" #*") for line in text.splitlines() if line.strip(" #*")), "")[:120]


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    return "\n".join([*lines, *("| " + " | ".join(str(cell) for cell in row) + " |" for row in rows)])
