"""Building an index beside the one that answers: it ends as the database is, whatever comes between."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from citebot.errors import CitebotError
from citebot.ingest import Build, Builder, EmbeddingWorker, Feeder
from citebot.ingest import building as building_module
from citebot.model import EVERYONE, Audience, Chunk, Document, Readers
from citebot.ports import IndexChanges, IndexQuery
from citebot.storage import Database, documents, index_log, leases, passages, schema, sources
from citebot.storage.documents import ToSave
from citebot.testing.fake_models import FakeEmbedder
from citebot.testing.memory_versions import MemoryVersions

READERS = Readers.everyone()
TEAM = Audience(frozenset({EVERYONE}))


class Killed(Exception):
    """The process died here."""


class Renamed(FakeEmbedder):
    """The same vectors under the name of another model."""

    model_id = "renamed"


class World:
    def __init__(self, folder: Path) -> None:
        self.database = Database(f"sqlite:///{folder / 'citebot.db'}")
        schema.upgrade(self.database)
        with self.database.write() as tx:
            self.source = sources.add(tx, name="wiki", type="dict", settings={}).id
        self.index = MemoryVersions()
        self.restart()

    def restart(self) -> None:
        """What another process would have: the database and the index alone."""
        self.feeder = Feeder(self.database, self.index)
        self.builder = Builder(self.database, self.index)

    def use_model(self, model: str) -> None:
        self.feeder.use_model(model)
        self.builder.use_model(model)

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

    async def embed(self, embedder: FakeEmbedder, *, stop: Callable[[], bool] = lambda: False) -> int:
        return await EmbeddingWorker(self.database, embedder, self).run_once(stop=stop)

    async def found(self, audience: Audience = TEAM) -> set[int]:
        hits = await self.index.search(IndexQuery(audience, "common", limit=10_000))
        return set(hits.legs["words"])

    def stored(self) -> set[int]:
        with self.database.read() as tx:
            return {entry.id for entry in passages.scan(tx, after=0, limit=10_000)}


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    monkeypatch.setattr(building_module, "PASSAGES_AT_ONCE", 7)
    monkeypatch.setattr("citebot.ingest.embedding.AT_ONCE", 10)
    world = World(tmp_path)
    world.save(*(f"n{number}" for number in range(40)))
    await world.embed(FakeEmbedder())
    await world.feeder.catch_up()
    yield world
    world.database.close()


async def test_a_rebuild_waits_to_be_switched_and_keeps_the_old_one(world: World) -> None:
    before = (await world.index.stats()).place
    await world.builder.begin()
    seen: list[tuple[Build, float | None]] = []
    await world.builder.run_once(lambda build, left: seen.append((build, left)))
    assert [build.done for build, _ in seen] == [7, 14, 21, 28, 35, 40, 40]
    assert all(left is not None for _, left in seen)
    build = await world.builder.state()
    assert build is not None
    assert (build.share, build.ready, build.whole) == (1.0, True, True)
    assert (await world.index.stats()).place == before
    await world.builder.switch()
    stats = await world.index.stats()
    assert stats.place != before
    assert (stats.passages, stats.vectors) == (40, 40)
    assert (await world.builder.switch_back()).place == before
    assert (await world.index.stats()).place == before


async def test_an_index_of_another_model_is_built_beside_and_takes_over(world: World) -> None:
    model = world.index.vector_model
    half = iter([False, False])
    await world.embed(Renamed(), stop=lambda: next(half, True))
    await world.builder.run_once()
    build = await world.builder.state()
    assert build is not None
    assert (build.model, world.index.vector_model) == ("renamed", model)
    await world.embed(Renamed())
    await world.feeder.catch_up()
    assert world.index.vector_model == model, "nothing has switched yet"
    await world.builder.run_once()
    assert world.index.vector_model == "renamed"
    stats = await world.index.stats()
    assert (stats.passages, stats.vectors) == (40, 40)
    kept = await world.index.beside("kept")
    assert kept is not None
    assert (await kept.stats()).vector_model == model


async def test_passages_wait_for_their_vectors(world: World) -> None:
    stop = iter([False, False])
    assert await world.embed(Renamed(), stop=lambda: next(stop, True)) == 20
    given: list[int] = []
    await world.builder.run_once(lambda build, left: given.append(build.done))
    assert given[-1] == 20
    build = await world.builder.state()
    assert build is not None
    assert (build.done, build.total, build.whole, build.ready) == (20, 40, False, False)
    with pytest.raises(CitebotError, match=r"50\.0 % done \(20 of 40 passages, still being built\)"):
        await world.builder.switch()


async def test_vectors_of_one_model_are_not_given_to_the_index_of_another(world: World) -> None:
    applied: list[IndexChanges] = []
    apply = world.index._active.apply

    async def watched(changes: IndexChanges) -> None:
        applied.append(changes)
        await apply(changes)

    world.index._active.apply = watched  # type: ignore[method-assign]
    await world.embed(Renamed())
    await world.feeder.catch_up()
    assert [changes for changes in applied if changes.vectors or changes.puts] == []
    with world.database.read() as tx:
        assert await world.index.position() == index_log.head(tx)


async def test_who_switched_back_is_not_overruled(world: World) -> None:
    model = world.index.vector_model
    await world.embed(Renamed())
    await world.builder.run_once()
    await world.builder.switch_back()
    assert world.index.vector_model == model
    for _ in range(2):
        await world.builder.run_once()
    assert world.index.vector_model == model
    assert await world.index.beside("next") is None
    world.save("after")
    await world.feeder.catch_up()
    await world.embed(Renamed())
    await world.builder.run_once()
    await world.builder.switch_back()
    stats = await world.index.stats()
    assert (stats.vector_model, stats.passages, stats.vectors) == ("renamed", 41, 41)


async def test_the_model_that_there_was_before_is_built_although_no_vector_is_missing(world: World) -> None:
    model = world.index.vector_model
    await world.embed(Renamed())
    await world.builder.run_once()
    await world.index.drop("kept")
    world.restart()
    assert await world.embed(FakeEmbedder()) == 0
    await world.builder.run_once()
    assert world.index.vector_model == model


async def test_what_changes_while_it_is_built_is_in_it(world: World) -> None:
    await world.builder.begin()

    def change(build: Build, left: float | None) -> None:
        if build.done == 14:
            world.remove("n1", "n30")
            world.save("n2", "n31", readers=Readers.of(groups=["board"]))
            world.save("n39 again", "last")

    await world.builder.run_once(change)
    await world.embed(FakeEmbedder())
    await world.builder.run_once()
    await world.builder.switch()
    secret = Audience(frozenset({"group:board"}))
    assert len(await world.found(secret)) == 2
    assert await world.found() | await world.found(secret) == world.stored()


async def test_what_is_kept_follows_and_forgets_what_was_deleted(world: World) -> None:
    await world.builder.begin()
    await world.builder.run_once()
    await world.builder.switch()
    world.remove("n1", "n2")
    await world.builder.run_once()
    await world.builder.switch_back()
    assert await world.found() == world.stored()
    assert len(world.stored()) == 38


async def test_one_process_builds_at_a_time_and_another_goes_on_when_it_is_gone(world: World) -> None:
    await world.builder.begin()
    with world.database.write() as tx:
        other = leases.acquire(tx, building_module.LEASE, "another host/1/1/x", 60.0)
    assert other is not None
    await world.builder.run_once()
    build = await world.builder.state()
    assert build is not None
    assert build.done == 0
    with world.database.write() as tx:
        leases.release(tx, other)
    await world.builder.run_once()
    build = await world.builder.state()
    assert build is not None
    assert build.whole


async def test_whoever_lost_the_lease_writes_nothing_more(world: World) -> None:
    await world.builder.begin()
    seen: list[int] = []

    def lose(build: Build, left: float | None) -> None:
        seen.append(build.done)
        with world.database.write() as tx:
            holding = leases.holding(tx, building_module.LEASE)
            assert holding is not None
            leases.release(tx, holding)
            leases.acquire(tx, building_module.LEASE, "another host/1/1/x", 60.0)

    await world.builder.run_once(lose)
    assert seen == [7]
    version = await world.index.beside("next")
    assert version is not None
    assert (await version.stats()).passages == 7


async def test_a_build_that_the_log_does_not_reach_begins_again(world: World) -> None:
    await world.builder.begin()
    world.save("later")
    with world.database.write() as tx:
        index_log.trim(tx, index_log.head(tx))
    await world.builder.run_once()
    build = await world.builder.state()
    assert build is not None
    assert (build.whole, build.done) == (True, 41)


async def test_a_kept_one_that_the_log_does_not_reach_is_not_switched_back_to(world: World) -> None:
    await world.builder.begin()
    await world.builder.run_once()
    await world.builder.switch()
    world.save("later")
    with world.database.write() as tx:
        index_log.trim(tx, index_log.head(tx))
    with pytest.raises(CitebotError, match="too old"):
        await world.builder.switch_back()


async def test_without_another_one_there_is_nothing_to_switch(world: World) -> None:
    with pytest.raises(CitebotError, match="citebot index rebuild"):
        await world.builder.switch()
    with pytest.raises(CitebotError, match="nothing to switch back to"):
        await world.builder.switch_back()


async def test_nothing_deleted_stays_of_a_page_whose_writer_was_killed(world: World) -> None:
    await world.builder.begin()
    version: Any = await world.index.beside("next")
    apply = version.apply

    async def half(changes: IndexChanges) -> None:
        before = (version._seq, version._built_to)
        await apply(changes)
        version._seq, version._built_to = before
        raise Killed

    version.apply = half
    with pytest.raises(Killed):
        await world.builder.run_once()
    version.apply = apply
    world.remove("n1", "n3")
    world.restart()
    await world.builder.run_once()
    await world.builder.switch()
    assert await world.found() == world.stored()


class Deaths:
    """Kills who applies changes to the next version, before, in the middle and after."""

    def __init__(self, chance: random.Random, *, most: int) -> None:
        self.chance, self.left = chance, most

    def threaten(self, version: Any) -> None:
        """From now on."""
        if version is None or hasattr(version, "threatened"):
            return
        version.threatened, apply = True, version.apply

        async def applied(changes: IndexChanges) -> None:
            how = self.chance.randrange(8) if self.left else 3
            before = (version._seq, version._built_to)
            if how:
                await apply(changes)
            if how == 1:
                # What was written is there, that it was written is not.
                version._seq, version._built_to = before
            if how < 3:
                self.left -= 1
                raise Killed

        version.apply = applied


@pytest.mark.parametrize("seed", range(6))
async def test_killed_anywhere_while_everything_changes_it_ends_as_the_database_is(world: World, seed: int) -> None:
    chance = random.Random(seed)
    deaths = Deaths(chance, most=12)
    model = world.index.vector_model
    await world.embed(Renamed())
    for _ in range(200):
        change(world, chance)
        await world.embed(Renamed())
        await world.feeder.catch_up()
        deaths.threaten(await world.index.beside("next"))
        try:
            await world.builder.run_once(lambda build, left: change(world, chance))
        except Killed:
            world.restart()
        if world.index.vector_model != model:
            break
    assert world.index.vector_model == "renamed"
    await world.embed(Renamed())
    await world.feeder.catch_up()
    assert await world.found(Audience(frozenset({EVERYONE, "group:board"}))) == world.stored()
    stats = await world.index.stats()
    assert (stats.passages, stats.vectors) == (len(world.stored()),) * 2


def change(world: World, chance: random.Random) -> None:
    names = [f"n{number}" for number in range(60)]
    match chance.randrange(4):
        case 0:
            world.save(*chance.sample(names, 3))
        case 1:
            world.save(*chance.sample(names, 3), readers=Readers.of(groups=["board"]))
        case 2:
            world.remove(*chance.sample(names, 4))
