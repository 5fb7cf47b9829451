"""An index of another model is built beside on a real Elasticsearch, by processes that are killed, while people ask."""

from __future__ import annotations

import asyncio
import random
import signal
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path

import pytest
import pytest_asyncio

pytest.importorskip("elasticsearch")
sys.path.insert(0, str(Path(__file__).parent))  # the tests are no package
sys.path.insert(0, str(Path(__file__).parents[1] / "contract"))

from elasticsearch_proxy import Proxy, refusal
from index_on_elasticsearch import forget

from citebot.app.indexing import Indexing
from citebot.errors import IndexUnavailable
from citebot.ingest import Build, Builder, Feeder
from citebot.model import Audience, Chunk, Document, Embedding, Readers
from citebot.ports import IndexHits, IndexQuery, PartContext
from citebot.storage import Database, documents, passages, schema, sources
from citebot.storage.documents import ToSave
from citebot.testing.contract_index import TEAM, rows
from citebot_plugins.elasticsearch.index import ElasticsearchIndex
from citebot_plugins.elasticsearch.settings import ElasticsearchSettings
from citebot_plugins.embedded.index import EmbeddedIndex
from citebot_plugins.embedded.settings import EmbeddedSettings

pytestmark = [pytest.mark.elasticsearch, pytest.mark.xdist_group("elasticsearch")]

# Every vector of a model is the same: a cosine below one is one of two models.
MODELS = {"old": rows((1, 0, 0, 0)), "new": rows((0, 1, 0, 0))}
CHILD = """
import asyncio, sys
sys.path.insert(0, sys.argv[1])
from test_index_switching import building, opened
asyncio.run(building(*sys.argv[2:]))
"""


def opened(url: str, name: str, **more: object) -> ElasticsearchIndex:
    settings = {"url": url, "name": name, "replicas": 0, "search_seconds": 30.0, **more}
    return ElasticsearchIndex(ElasticsearchSettings(**settings), PartContext(Path()))


async def building(folder: str, url: str, name: str) -> None:
    """What a process does until it is killed, or the new model answers; after every page it waits to be told."""
    from citebot.ingest import building as module

    module.PASSAGES_AT_ONCE = 60
    database, index = Database(f"sqlite:///{folder}/citebot.db"), opened(url, name)
    await index.open()
    feeder, builder = Feeder(database, index), Builder(database, index)
    builder.use_model("new")

    def wait(build: Build, left: float | None) -> None:
        print(build.done, flush=True)
        sys.stdin.readline()

    while index.vector_model != "new":
        await feeder.catch_up()
        await builder.run_once(wait)
    print("switched", flush=True)
    await index.close()


class World:
    def __init__(self, folder: Path, url: str) -> None:
        self.folder, self.url = folder, url
        self.name = f"switching-{uuid.uuid4().hex[:12]}"
        self.database = Database(f"sqlite:///{folder / 'citebot.db'}")
        schema.upgrade(self.database)
        with self.database.write() as tx:
            self.source = sources.add(tx, name="wiki", type="dict", settings={}).id
        self.index = opened(url, self.name)
        self.asked = 0

    def save(self, names: list[str], *, readers: Readers | None = None) -> None:
        """Documents of one passage, with vectors of both models."""
        readers = readers or Readers.everyone()
        chunks = [Chunk(f"velvet {name}", (), "", "paragraph", readers, f"hash of {name}") for name in names]
        items = [
            ToSave(Document(name, name, "", readers), [chunk], name, "", "1", 1)
            for name, chunk in zip(names, chunks, strict=True)
        ]
        with self.database.write() as tx:
            documents.save_many(tx, self.source, items)
        for model, vector in MODELS.items():
            with self.database.write() as tx:
                missing = passages.unembedded(tx, model, after=0, limit=1_000_000)
                passages.save_embeddings(tx, model, [(key, vector) for key, _ in missing])

    def remove(self, names: list[str]) -> None:
        with self.database.write() as tx:
            documents.remove(tx, self.source, names)

    def stored(self) -> dict[int, frozenset[str]]:
        """Readers of every passage."""
        with self.database.read() as tx:
            return {one.id: one.readers.principals for one in passages.scan(tx, after=0, limit=1_000_000)}

    async def ask(self) -> IndexHits:
        """A question as the path asks it: embedded by the model of the index."""
        vector: Embedding = MODELS[self.index.vector_model]
        query = IndexQuery(TEAM, "velvet", vector=vector, vector_model=self.index.vector_model, limit=50)
        hits = await self.index.search(query)
        self.asked += 1
        assert len(hits.legs["words"]) == 50
        vectors = hits.legs.get("vectors")
        # A switch between the embedding and the search leaves the vectors out for one question.
        if vectors or self.index.vector_model == query.vector_model:
            assert vectors
            assert min(vectors.values()) > 0.99
        return hits

    async def held(self) -> dict[int, frozenset[str]]:
        """Readers of every passage that the index holds, as it has them."""
        state = await self.index._read_state()
        known = await self.index._known(state, sorted(range(1, max(self.stored()) + 1)))
        assert all(one["vectored"] for one in known.values())
        return {key: frozenset(one["reader"]) for key, one in known.items()}


@pytest_asyncio.fixture
async def world(tmp_path: Path, elasticsearch_url: str) -> AsyncIterator[World]:
    made = World(tmp_path, elasticsearch_url)
    await made.index.open()
    yield made
    await made.index.close()
    await forget(elasticsearch_url, made.name)
    made.database.close()


@pytest.mark.slow
@pytest.mark.timeout(1800)
async def test_killed_while_it_builds_it_goes_on_and_questions_are_answered_by_one_model(
    world: World, count: Callable[[int, int], int]
) -> None:
    chance = random.Random(6)
    names = [f"n{number}" for number in range(count(900, 9_000))]
    world.save(names)
    feeder = Feeder(world.database, world.index)
    feeder.use_model("old")
    await feeder.catch_up()
    assert world.index.vector_model == "old"
    kills, line = 0, b""
    while line != b"switched":
        command = [sys.executable, "-c", CHILD, str(Path(__file__).parent), str(world.folder), world.url, world.name]
        child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert child.stdout is not None
        assert child.stdin is not None
        pages = chance.randrange(1, 5) if kills < count(3, 20) else 1_000_000
        first = None
        while pages and line != b"switched":
            line = (await asyncio.to_thread(child.stdout.readline)).strip()
            assert line, "it ended by itself"
            if line.isdigit():  # else it is of the log
                pages -= 1
                first = int(line) if first is None else first
                await world.ask()
                child.stdin.write(b"\n")
                child.stdin.flush()
        if line != b"switched":
            # Somewhere in the next page.
            await asyncio.sleep(chance.uniform(0, 0.1))
            child.send_signal(signal.SIGKILL)
            kills += 1
            world.remove(chance.sample(names, 3))
            world.save([f"new{kills}"])
            world.save(chance.sample(names, 3), readers=Readers.of(groups=["board"]))
        child.wait()
        child.stdin.close()
        child.stdout.close()
        if kills > 1 and first is not None:
            assert first > 60, "what was built is not built again"
    assert kills == count(3, 20)
    await world.index.position()
    await world.ask()
    assert world.index.vector_model == "new"
    await Feeder(world.database, world.index).catch_up()
    assert await world.held() == world.stored()
    kept = await world.index.beside("kept")
    assert kept is not None
    assert (await kept.stats()).vector_model == "old"
    print(f"{kills} kills, {world.asked} questions, {len(world.stored())} passages")


async def test_another_quantisation_is_built_beside(world: World) -> None:
    world.save([f"n{number}" for number in range(60)])
    feeder = Feeder(world.database, world.index)
    feeder.use_model("old")
    await feeder.catch_up()
    other = opened(world.url, world.name, vectors="bbq_hnsw")
    await other.open()
    builder = Builder(world.database, other)
    await builder.begin()
    await builder.run_once()
    await world.ask()
    build = await builder.switch()
    await world.index.position()
    await world.ask()
    mapping = (await other._open_client().indices.get_mapping(index=build.place)).body[build.place]["mappings"]
    assert mapping["properties"]["windows"]["properties"]["vector"]["index_options"]["type"] == "bbq_hnsw"
    await other.drop("kept")
    await other.close()
    await world.ask()


async def test_an_index_that_refuses_a_few_may_answer_and_one_that_lacks_many_may_not(world: World) -> None:
    world.save([f"n{number}" for number in range(60)])
    await Feeder(world.database, world.index).catch_up()
    proxy = Proxy(world.url)
    proxy.item = lambda key: (400, "document_parsing_exception") if key % 20 == 0 else None
    behind = opened(proxy.server.url, world.name)
    await behind.open()
    builder = Builder(world.database, behind)
    await builder.begin()
    await builder.run_once()
    build = await builder.state()
    assert build is not None
    assert (build.ready, build.done) == (True, 60)
    version = await behind.beside("next")
    assert version is not None
    assert ((await version.stats()).passages, (await version.stats()).refused) == (57, 3)
    await behind.close()
    proxy.close()


async def test_a_read_only_index_is_one_line_and_goes_on_when_there_is_room(world: World) -> None:
    world.save([f"n{number}" for number in range(60)])
    await Feeder(world.database, world.index).catch_up()
    builder = Builder(world.database, world.index)
    await builder.begin()
    build = await builder.state()
    assert build is not None
    indices = world.index._open_client().indices
    await indices.put_settings(index=build.place, settings={"index.blocks.read_only_allow_delete": True})
    with pytest.raises(IndexUnavailable, match="read-only, most likely because the disk is full") as raised:
        await builder.run_once()
    assert "\n" not in str(raised.value)
    await world.ask()
    await indices.put_settings(index=build.place, settings={"index.blocks.read_only_allow_delete": None})
    await builder.run_once()
    assert (await builder.switch()).place == build.place


async def test_while_the_server_is_away_the_standby_answers_and_steps_back(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("citebot.calls.breaker.OPEN_SECONDS", 0.3)
    monkeypatch.setattr("citebot.app.indexing.FEED_EVERY", 0.1)
    names = [f"n{number}" for number in range(60)]
    world.save(names)
    proxy = Proxy(world.url)
    proxy.answer = lambda request: refusal(503, "unavailable_shards_exception")
    index = opened(proxy.server.url, world.name)
    standby = EmbeddedIndex(EmbeddedSettings(writer_memory_mb=16), PartContext(tmp_path / "index" / "embedded"))
    indexing = Indexing(world.database, index, standby=standby)
    with pytest.raises(IndexUnavailable):
        await index.open()
    feeding = asyncio.create_task(indexing.keep_standby(tmp_path))

    async def until(wanted: bool, audience: Audience = TEAM) -> IndexHits:
        """Ask until the standby has answered, or not."""
        async with asyncio.timeout(60):
            while True:
                with suppress(IndexUnavailable):
                    hits = await indexing.searched.search(IndexQuery(audience, "velvet", limit=100))
                    if (hits.may_miss is not None) == wanted:
                        return hits
                await asyncio.sleep(0.05)

    try:
        hits = await until(True)
        assert len(hits.legs["words"]) == 60
        assert hits.may_miss is not None
        assert hits.may_miss < 60
        world.save(names[:10], readers=Readers.of(groups=["board"]))
        async with asyncio.timeout(60):
            while len((await until(True)).legs["words"]) != 50:
                await asyncio.sleep(0.05)
        await indexing.check()
        assert (await indexing.trouble()).startswith("The index is away, its standby answers: ")
        proxy.answer = lambda request: None
        hits = await until(False)
        await indexing.feeder.catch_up()
        assert len((await until(False)).legs["words"]) == 50
        assert await indexing.trouble() == ""
    finally:
        feeding.cancel()
        with suppress(asyncio.CancelledError):
            await feeding
        await index.close()
        proxy.close()
