"""Promise P11: changes that reach the index twice, late or in another order leave the newest state."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from citebot.model import EVERYONE, Audience, Readers
from citebot.ports import Index, IndexChanges, IndexEntry, IndexQuery, PartContext
from citebot.testing.memory_index import MemoryIndex
from citebot_plugins.embedded.index import EmbeddedIndex

IDS = range(1, 6)
TEAM = Audience(frozenset({EVERYONE}))
BOARD = Audience(frozenset({"group:board"}))
READERS = (Readers.everyone(), Readers.of(groups=["board"]), Readers.nobody())


@dataclass
class Log:
    """What the database says: the readers of each passage (None: removed) after every change."""

    states: list[dict[int, Readers]] = field(default_factory=lambda: [{}])
    touched: list[int] = field(default_factory=lambda: [0])

    def change(self, passage: int, readers: Readers | None) -> None:
        state = dict(self.states[-1])
        if readers is None:
            state.pop(passage, None)
        else:
            state[passage] = readers
        self.states.append(state)
        self.touched.append(passage)

    def batch(self, after: int, upto: int, read_at: int) -> IndexChanges:
        """Changes after one position up to another, with each passage as it stood when they were read."""
        ids = sorted(set(self.touched[after + 1 : upto + 1]))
        state = self.states[max(read_at, upto)]
        puts = tuple(entry(one, state[one]) for one in ids if one in state)
        return IndexChanges(upto, puts, tuple(one for one in ids if one not in state))


def entry(one: int, readers: Readers) -> IndexEntry:
    return IndexEntry(one, "wiki", f"The zebra number {one}.", "Zebras", readers)


changes = st.lists(st.tuples(st.sampled_from(list(IDS)), st.sampled_from([*READERS, None])), min_size=1, max_size=12)
deliveries = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12), st.booleans()), max_size=12)


async def deliver(index: Index, log: Log, disorder: list[tuple[int, int, bool]]) -> None:
    """Old, doubled and overlapping batches as they come; at the end what the feeder sends."""
    head = len(log.states) - 1
    sent: list[IndexChanges] = []
    for upto, read_at, again in disorder:
        batch = log.batch(await index.position(), min(upto, head), min(read_at, head))
        if batch.seq > await index.position():
            sent.append(batch)
            await index.apply(batch)
        if again and sent:
            await index.apply(sent[read_at % len(sent)])
    if await index.position() < head:
        await index.apply(log.batch(await index.position(), head, head))


async def seen(index: Index, audience: Audience) -> set[int]:
    hits = await index.search(IndexQuery(audience, "zebra", limit=20))
    return {one for leg in hits.legs.values() for one in leg}


async def check(index: Index, log: Log) -> None:
    final = log.states[-1]
    assert (await index.stats()).passages == len(final)
    for audience in (TEAM, BOARD):
        assert await seen(index, audience) == {one for one, readers in final.items() if audience.may_read(readers)}


def filled(made: list[tuple[int, Readers | None]]) -> Log:
    log = Log()
    for one, readers in made:
        log.change(one, readers)
    return log


@pytest.mark.timeout(300)
@given(made=changes, disorder=deliveries)
@hypothesis_settings(max_examples=10_000, deadline=None)
def test_newest_wins(made: list[tuple[int, Readers | None]], disorder: list[tuple[int, int, bool]]) -> None:
    async def run() -> None:
        index, log = MemoryIndex(), filled(made)
        await index.open()
        await deliver(index, log, disorder)
        await check(index, log)

    asyncio.run(run())


@pytest.mark.timeout(300)
def test_newest_wins_on_disk(tmp_path_factory: pytest.TempPathFactory) -> None:
    @given(made=changes, disorder=deliveries)
    @hypothesis_settings(max_examples=40, deadline=None)
    def tried(made: list[tuple[int, Readers | None]], disorder: list[tuple[int, int, bool]]) -> None:
        async def run(folder: Path) -> None:
            index, log = EmbeddedIndex(EmbeddedIndex.Settings(), PartContext(folder)), filled(made)
            await index.open()
            try:
                await deliver(index, log, disorder)
                await check(index, log)
            finally:
                await index.close()

        asyncio.run(run(tmp_path_factory.mktemp("index")))

    tried()
