"""The feeder and the embedding: the index ends as the database is, whatever comes between."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from citebot.errors import ModelUnavailable
from citebot.ingest import EmbeddingProgress, EmbeddingWorker, Feeder
from citebot.ingest import feeder as feeding
from citebot.model import EVERYONE, Audience, Chunk, Document, Embedding, Readers
from citebot.ports import IndexChanges, IndexQuery
from citebot.storage import Database, documents, index_log, schema, sources
from citebot.storage.documents import ToSave
from citebot.testing.fake_models import FakeEmbedder
from citebot.testing.memory_index import MemoryIndex

READERS = Readers.everyone()
TEAM = Audience(frozenset({EVERYONE}))


class World:
    def __init__(self, folder: Path) -> None:
        self.database = Database(f"sqlite:///{folder / 'citebot.db'}")
        schema.upgrade(self.database)
        with self.database.write() as tx:
            self.source = sources.add(tx, name="wiki", type="dict", settings={}).id
        self.index = MemoryIndex()
        self.feeder = Feeder(self.database, self.index)

    def save(self, *names: str, readers: Readers = READERS) -> None:
        items = []
        for name in names:
            chunk = Chunk(f"common {name}", (), "", "paragraph", readers, f"hash of {name}")
            items.append(ToSave(Document(name, name, "", readers), [chunk], name, "", "1", 1))
        with self.database.write() as tx:
            documents.save_many(tx, self.source, items)

    def remove(self, *names: str) -> None:
        with self.database.write() as tx:
            documents.remove(tx, self.source, names)

    async def found(self, audience: Audience = TEAM) -> int:
        hits = await self.index.search(IndexQuery(audience, "common", limit=1_000))
        return len(hits.legs["words"])


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    world = World(tmp_path)
    await world.index.open()
    yield world
    await world.index.close()
    world.database.close()


async def test_follows_every_kind_of_change(world: World) -> None:
    world.save("a", "b", "c")
    await world.feeder.catch_up()
    assert await world.found() == 3
    world.remove("a")
    world.save("b", readers=Readers.of(groups=["board"]))
    world.save("d")
    await world.feeder.catch_up()
    assert await world.found() == 2
    assert await world.found(Audience(frozenset({"group:board"}))) == 1
    with world.database.read() as tx:
        assert await world.index.position() == index_log.head(tx)


async def test_a_long_way_is_gone_in_steps(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeding, "CHANGES_AT_ONCE", 7)
    world.save(*(f"n{number}" for number in range(40)))
    await world.feeder.catch_up()
    world.save(*(f"m{number}" for number in range(40)))
    world.remove(*(f"n{number}" for number in range(0, 40, 2)))
    await world.feeder.catch_up()
    assert await world.found() == 60


async def test_an_index_that_died_while_it_was_built_is_built_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeding, "CHANGES_AT_ONCE", 7)
    world.save(*(f"n{number}" for number in range(40)))
    apply, applied = world.index.apply, 0

    async def dying(changes: IndexChanges) -> None:
        nonlocal applied
        applied += 1
        if applied == 3:
            raise RuntimeError("power cut")
        await apply(changes)

    monkeypatch.setattr(world.index, "apply", dying)
    with pytest.raises(RuntimeError):
        await world.feeder.catch_up()
    assert await world.index.position() == 0
    await world.feeder.catch_up()
    assert await world.found() == 40
    assert applied == 7, "six pages, one of them twice: what the index was given is not given again"


async def test_an_index_behind_the_log_is_built_anew(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.save("a")
    await world.feeder.catch_up()
    world.remove("a")
    world.save("b", "c")
    with world.database.write() as tx:
        index_log.trim(tx, index_log.head(tx))
    await world.feeder.catch_up()
    assert await world.found() == 2


async def test_the_log_does_not_grow_for_ever(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeding, "LOG_KEPT", 20)
    for number in range(30):
        world.save(f"n{number}", f"m{number}")
        await world.feeder.catch_up()
    with world.database.read() as tx:
        assert len(index_log.since(tx, 0, 1_000)) <= 40
    assert await world.found() == 60


async def test_rebuild_says_how_far_it_is(world: World) -> None:
    world.save("a", "b")
    seen: list[tuple[int, int]] = []
    await world.feeder.rebuild(lambda done, total: seen.append((done, total)))
    assert seen == [(2, 2)]
    assert await world.found() == 2


async def test_vectors_follow_and_nothing_is_embedded_twice(world: World) -> None:
    embedder = Counting()
    worker = EmbeddingWorker(world.database, embedder, world.feeder)
    world.save(*(f"n{number}" for number in range(300)))
    seen: list[EmbeddingProgress] = []
    assert await worker.run_once(progress=seen.append) == 300
    await world.feeder.catch_up()
    assert (await world.index.stats()).vectors == 300
    assert [step.done for step in seen] == [0, 128, 256, 300]
    assert seen[1].seconds_left is not None
    world.save(*(f"n{number}" for number in range(300)), readers=Readers.of(groups=["board"]))
    world.save("new")
    assert await worker.run_once() == 1
    assert await worker.run_once() == 0
    assert embedder.texts == 301


async def test_a_model_that_comes_back_goes_on(world: World) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    embedder = Counting(failures=2)
    worker = EmbeddingWorker(world.database, embedder, world.feeder, sleep=sleep)
    world.save("a", "b")
    assert await worker.run_once() == 2
    assert slept == [1.0, 5.0]
    world.save("c")
    embedder.failures = 100
    with pytest.raises(ModelUnavailable):
        await worker.run_once()
    embedder.failures = 0
    assert await worker.run_once() == 1


async def test_embedding_ends_when_it_is_stopped_and_keeps_what_it_made(world: World) -> None:
    embedder = Counting()
    worker = EmbeddingWorker(world.database, embedder, world.feeder)
    world.save(*(f"n{number}" for number in range(300)))
    assert await worker.run_once(stop=lambda: embedder.texts >= 128) == 128
    assert await worker.run_once() == 172


class Counting(FakeEmbedder):
    """Counts what it embeds, and fails as often as it is told."""

    def __init__(self, failures: int = 0) -> None:
        super().__init__()
        self.failures = failures
        self.texts = 0

    async def embed_passages(self, texts: Sequence[str]) -> list[Embedding]:
        if self.failures:
            self.failures -= 1
            raise ModelUnavailable("The model is away.")
        assert [len(text) for text in texts] == sorted((len(text) for text in texts), reverse=True)
        self.texts += len(texts)
        return await super().embed_passages(texts)
