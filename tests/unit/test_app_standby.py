"""The standby answers while the index is away, says so, and steps back by itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from citebot.answering import texts
from citebot.app.indexing import Indexing
from citebot.app.standby import SEARCH_SECONDS, Standby, WithStandby
from citebot.calls.breaker import FAILURES_IN_A_ROW, OPEN_SECONDS
from citebot.errors import DataFolderBusy, IndexUnavailable
from citebot.model import Audience, Readers
from citebot.ports import IndexHits, IndexQuery, IndexStats, PartContext
from citebot.storage.folder_lock import FolderLock
from citebot.testing.fake_models import FakeEmbedder
from citebot.testing.memory_index import MemoryIndex
from citebot.testing.small_world import TEAM, Page, SmallWorld, answer_of, ask
from citebot_plugins.embedded.index import EmbeddedIndex
from citebot_plugins.embedded.settings import EmbeddedSettings

BOARD = Audience(frozenset({"everyone", "group:board"}))
QUERY = IndexQuery(TEAM, "velvet")
PAGES = [
    Page("The velvet costs 40 euros."),
    Page("The board wants other velvet.", readers=Readers.of(groups=["board"])),
]


class Away(MemoryIndex):
    """May be away, or silent."""

    def __init__(self) -> None:
        super().__init__()
        self.away = self.silent = False
        self.searches = 0

    async def search(self, query: IndexQuery) -> IndexHits:
        self.searches += 1
        if self.away:
            raise IndexUnavailable("The server is away.")
        if self.silent:
            await asyncio.Event().wait()
        return await super().search(query)


class Standing:
    """An index and a standby of a small world, on a clock of their own."""

    def __init__(self, folder: Path) -> None:
        self.now = 0.0
        self.index = Away()
        self.world = SmallWorld(folder, index=self.index, embedder=FakeEmbedder())
        local = EmbeddedIndex(EmbeddedSettings(writer_memory_mb=16), PartContext(folder / "index" / "embedded"))
        self.standby = Standby(self.world.database, local)
        self.standby.feeder._clock = lambda: self.now
        self.searched = WithStandby(self.index, self.standby, clock=lambda: self.now)

    async def found(self, audience: Audience = TEAM) -> int:
        return len((await self.searched.search(IndexQuery(audience, "velvet"))).legs["words"])


@pytest.fixture
async def standing(tmp_path: Path) -> AsyncIterator[Standing]:
    made = Standing(tmp_path)
    await made.world.open()
    await made.world.add(PAGES)
    async with made.standby.opened(tmp_path):
        await made.standby.feeder.catch_up()
        yield made
    await made.world.close()


async def test_while_the_index_answers_the_standby_is_not_asked(standing: Standing) -> None:
    assert (await standing.searched.search(QUERY)).may_miss is None


async def test_while_it_is_away_the_standby_answers_under_the_same_audience(standing: Standing) -> None:
    standing.index.away = True
    standing.now = 90.0
    assert (await standing.searched.search(QUERY)).may_miss == 90.0
    assert [await standing.found(audience) for audience in (TEAM, BOARD, Audience(frozenset()))] == [1, 2, 0]


async def test_what_is_fed_after_is_found(standing: Standing) -> None:
    standing.index.away = True
    await standing.world.add([Page("More velvet.")])
    standing.now = 30.0
    await standing.standby.feeder.catch_up()
    standing.now = 40.0
    hits = await standing.searched.search(QUERY)
    assert (len(hits.legs["words"]), hits.may_miss) == (2, 10.0)


async def test_the_index_is_left_alone_and_answers_again_when_it_is_back(standing: Standing) -> None:
    standing.index.away = True
    for _ in range(FAILURES_IN_A_ROW + 3):
        assert await standing.found() == 1
    assert standing.index.searches == FAILURES_IN_A_ROW
    standing.index.away = False
    assert (await standing.searched.search(QUERY)).may_miss is not None, "it is not tried yet"
    standing.now += OPEN_SECONDS + 0.1
    for _ in range(2):
        assert (await standing.searched.search(QUERY)).may_miss is None
    assert standing.index.searches == FAILURES_IN_A_ROW + 2


async def test_one_that_says_nothing_is_not_waited_for_long(
    standing: Standing, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert SEARCH_SECONDS < 5.0, "the whole search has five"
    monkeypatch.setattr("citebot.app.standby.SEARCH_SECONDS", 0.05)
    standing.index.silent = True
    assert (await standing.searched.search(QUERY)).may_miss is not None


async def test_one_that_never_held_everything_answers_nothing(standing: Standing, tmp_path: Path) -> None:
    empty = EmbeddedIndex(EmbeddedSettings(writer_memory_mb=16), PartContext(tmp_path / "another"))
    standby = Standby(standing.world.database, empty)
    searched = WithStandby(standing.index, standby)
    standing.index.away = True
    with pytest.raises(IndexUnavailable, match="The server is away"):
        await searched.search(QUERY)
    async with standby.opened(None):
        with pytest.raises(IndexUnavailable, match="The server is away"):
            await searched.search(QUERY)
        await standby.feeder.catch_up()
        assert (await searched.search(QUERY)).may_miss is not None


async def test_it_is_current_after_a_restart_when_nothing_has_changed(standing: Standing, tmp_path: Path) -> None:
    await standing.standby.index.close()
    again = Standby(standing.world.database, standing.standby.index)
    async with again.opened(None):
        assert await again.age() == 0.0
        await standing.world.add([Page("More velvet.")])
        assert await again.age() is None


async def test_one_process_owns_its_folder(standing: Standing, tmp_path: Path) -> None:
    with pytest.raises(DataFolderBusy):
        async with Standby(standing.world.database, standing.standby.index).opened(tmp_path):
            raise AssertionError("not reached")
    with pytest.raises(DataFolderBusy):
        FolderLock(tmp_path).acquire()


async def test_an_answer_says_what_may_be_missing(standing: Standing) -> None:
    standing.index.away = True
    standing.now = 130.0
    path = standing.world.path()
    path._gathering._retriever._index = standing.searched
    answer = await answer_of(path, ask("What does the velvet cost?"))
    assert answer.text.startswith("The velvet costs 40 euros.")
    assert texts.standby(130.0) == "answers may miss the latest 3 min"
    assert "answers may miss the latest 3 min" in answer.notes
    assert "board" not in answer.text
    standing.index.away = False
    standing.now = 1000.0
    assert (await answer_of(path, ask("What does the velvet cost?"))).notes == ()


async def test_a_server_with_a_standby_is_ready_and_tells_of_the_trouble(standing: Standing) -> None:
    class Down(Away):
        async def stats(self) -> IndexStats:
            raise IndexUnavailable("The server is away.")

    indexing = Indexing(standing.world.database, Down(), standby=standing.standby.index)
    with pytest.raises(IndexUnavailable):
        await indexing.check()
    indexing.standby = standing.standby
    await indexing.check()
    assert await indexing.trouble() == "The index is away, its standby answers: The server is away."
