"""What Citebot relies on in an index that is built beside the one that answers (`BuildsBeside`).

A third party inherits `BesideContract` beside `IndexContract`, with the same `make`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from citebot.model import Embedding
from citebot.ports import BuildsBeside, Index, IndexChanges, IndexHits, IndexQuery
from citebot.testing.contract_index import MODEL, TEAM, entry, rows

OTHER = "another model"


class BesideContract:
    """Every one of them passes all of these."""

    make: Callable[[Path], Index]
    """As in `IndexContract`."""

    async def filled(self, index: Index) -> BuildsBeside:
        """One passage with a vector, at position 5."""
        assert isinstance(index, BuildsBeside)
        await index.apply(IndexChanges(5, (entry(1, "velvet"),), (), ((1, rows((1, 0, 0, 0))),), MODEL))
        return index

    async def built(self, index: Index) -> BuildsBeside:
        """Beside it the next one, whole, of another model."""
        beside = await self.filled(index)
        made = await beside.begin(seq=5, model=OTHER)
        vectors = ((1, rows((0, 1, 0, 0))), (2, rows((0, 0, 1, 0))))
        puts = (entry(1, "velvet"), entry(2, "velvet"))
        await made.apply(IndexChanges(5, puts, (), vectors, OTHER, built_to=2))
        await made.apply(IndexChanges(6))
        return beside

    async def ask(self, index: Index, model: str, vector: Embedding | None = None) -> IndexHits:
        """A question embedded by a model."""
        vector = vector or rows((1, 1, 1, 0))
        return await index.search(IndexQuery(TEAM, "velvet", vector=vector, vector_model=model))

    @pytest.mark.asyncio
    async def test_at_first_there_is_no_other(self, index: Index) -> None:
        beside = await self.filled(index)
        assert [await beside.beside("next"), await beside.beside("kept")] == [None, None]
        assert beside.vector_model == MODEL

    @pytest.mark.asyncio
    async def test_the_next_one_is_built_unseen(self, index: Index) -> None:
        beside = await self.filled(index)
        made = await beside.begin(seq=5, model=OTHER)
        stats = await made.stats()
        assert (stats.seq, stats.vector_model, stats.built_to, stats.passages) == (5, OTHER, 0, 0)
        assert stats.began is not None
        changes = IndexChanges(5, (entry(1, "velvet"),), (), ((1, rows((0, 1, 0, 0))),), OTHER, built_to=1)
        for _ in range(2):
            await made.apply(changes)
        assert (await made.stats()).built_to == 1
        await made.apply(IndexChanges(7, (entry(1, "copper"),), built_to=1))
        stats = await made.stats()
        assert (stats.seq, stats.built_to, stats.passages, stats.vectors) == (7, 1, 1, 1)
        assert await index.position() == 5
        legs = (await self.ask(index, MODEL)).legs
        assert set(legs["words"]) == set(legs["vectors"]) == {1}
        assert beside.vector_model == MODEL

    @pytest.mark.asyncio
    async def test_another_that_opens_it_goes_on_with_the_building(self, index: Index, tmp_path: Path) -> None:
        beside = await self.filled(index)
        await (await beside.begin(seq=5, model=OTHER)).apply(IndexChanges(6, (entry(1, "velvet"),), built_to=1))
        again = self.make(tmp_path / "index")
        await again.open()
        assert isinstance(again, BuildsBeside)
        found = await again.beside("next")
        assert found is not None
        stats = await found.stats()
        assert (stats.seq, stats.built_to, stats.vector_model) == (6, 1, OTHER)
        await again.close()
        await index.open()

    @pytest.mark.asyncio
    async def test_after_the_switch_the_next_one_answers_and_the_other_is_kept(self, index: Index) -> None:
        beside = await self.built(index)
        place = (await index.stats()).place
        await beside.switch()
        legs = (await self.ask(index, OTHER)).legs
        assert set(legs["words"]) == set(legs["vectors"]) == {1, 2}
        assert (await index.position(), beside.vector_model) == (6, OTHER)
        kept = await beside.beside("kept")
        assert kept is not None
        assert (await kept.stats()).place == place != (await index.stats()).place
        assert await beside.beside("next") is None

    @pytest.mark.asyncio
    async def test_two_models_are_never_compared(self, index: Index) -> None:
        beside = await self.built(index)
        assert not (await self.ask(index, OTHER)).legs.get("vectors")
        await beside.switch()
        found = await self.ask(index, MODEL)
        assert not found.legs.get("vectors")
        assert set(found.legs["words"]) == {1, 2}

    @pytest.mark.asyncio
    async def test_another_process_sees_the_switch(self, index: Index, tmp_path: Path) -> None:
        beside = await self.built(index)
        other = self.make(tmp_path / "index")
        await other.open()
        assert isinstance(other, BuildsBeside)
        await beside.switch()
        await other.position()
        assert other.vector_model == OTHER
        assert set((await self.ask(other, OTHER)).legs["vectors"]) == {1, 2}
        await beside.switch_back()
        await beside.drop("kept")
        assert set((await self.ask(other, OTHER)).legs["words"]) == {1}
        await other.close()
        await index.open()

    @pytest.mark.asyncio
    async def test_switching_back_and_forth_loses_nothing(self, index: Index) -> None:
        beside = await self.built(index)
        await beside.switch()
        await beside.switch_back()
        assert (await index.position(), beside.vector_model) == (5, MODEL)
        await index.apply(IndexChanges(8, removals=(1,)))
        assert not any((await self.ask(index, MODEL)).legs.values())
        await beside.switch_back()
        assert set((await self.ask(index, OTHER)).legs["vectors"]) == {1, 2}

    @pytest.mark.asyncio
    async def test_what_is_kept_goes_on_following(self, index: Index) -> None:
        beside = await self.built(index)
        await beside.switch()
        kept = await beside.beside("kept")
        assert kept is not None
        await kept.apply(IndexChanges(9, (entry(3, "velvet"),), (1,)))
        assert ((await kept.stats()).passages, await index.position()) == (1, 6)
        await beside.switch_back()
        assert set((await self.ask(index, MODEL)).legs["words"]) == {3}

    @pytest.mark.asyncio
    async def test_a_second_switch_keeps_only_the_last_one(self, index: Index) -> None:
        beside = await self.built(index)
        await beside.switch()
        place = (await index.stats()).place
        await (await beside.begin(seq=6, model=MODEL)).apply(IndexChanges(7, (entry(4, "velvet"),)))
        await beside.switch()
        kept = await beside.beside("kept")
        assert kept is not None
        assert (await kept.stats()).place == place
        assert set((await self.ask(index, MODEL)).legs["words"]) == {4}

    @pytest.mark.asyncio
    async def test_beginning_again_forgets_what_was_unfinished(self, index: Index) -> None:
        beside = await self.filled(index)
        await (await beside.begin(seq=5, model=OTHER)).apply(IndexChanges(5, (entry(1, "velvet"),), built_to=1))
        again = await beside.begin(seq=6, model="a third")
        stats = await again.stats()
        assert (stats.seq, stats.vector_model, stats.built_to, stats.passages) == (6, "a third", 0, 0)

    @pytest.mark.asyncio
    async def test_what_is_dropped_is_gone(self, index: Index) -> None:
        beside = await self.built(index)
        await beside.drop("next")
        assert await beside.beside("next") is None
        await beside.drop("next")
        assert set((await self.ask(index, MODEL)).legs["words"]) == {1}
        fresh = await (await beside.begin(seq=9, model=OTHER)).stats()
        assert (fresh.passages, fresh.seq, fresh.refused) == (0, 9, 0)

    @pytest.mark.asyncio
    async def test_a_reset_leaves_the_others(self, index: Index) -> None:
        beside = await self.built(index)
        await index.reset()
        assert (await index.position(), (await index.stats()).passages) == (0, 0)
        await beside.switch()
        assert set((await self.ask(index, OTHER)).legs["words"]) == {1, 2}
