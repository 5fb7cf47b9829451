"""What Citebot relies on in every index.

A third party inherits `IndexContract` and overrides `make`:

class TestMyIndex(IndexContract):
    def make(self, data_dir):
        return MyIndex(MySettings(), PartContext(data_dir))
"""

from __future__ import annotations

import asyncio
import random
import struct
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import pytest
import pytest_asyncio

from citebot.errors import IndexUnavailable
from citebot.model import EVERYONE, Audience, Embedding, Readers, group_principal
from citebot.ports import Index, IndexChanges, IndexEntry, IndexHits, IndexQuery

TEAM = Audience(frozenset({EVERYONE}))
BOARD = Audience(frozenset({EVERYONE, group_principal("board")}))
MODEL = "contract"
DIMENSIONS = 64
WORDS = ["lantern", "harbour", "velvet", "copper", "meadow", "thunder", "saddle", "orchard"]


def entry(
    key: int, text: str, *, source: str = "wiki", readers: Readers | None = None, heading: str = "", language: str = ""
) -> IndexEntry:
    """A passage for everyone unless said otherwise."""
    return IndexEntry(key, source, text, heading, Readers.everyone() if readers is None else readers, language)


def rows(*vectors: Iterable[float]) -> Embedding:
    """Rows of four numbers, normalised, in the 64 dimensions that some engines ask for at least."""
    packed = b""
    for vector in vectors:
        values = [float(value) for value in vector]
        length = sum(value * value for value in values) ** 0.5
        packed += struct.pack("<4e", *(value / length for value in values)).ljust(2 * DIMENSIONS, b"\0")
    return Embedding(DIMENSIONS, packed)


class IndexContract:
    """Every index passes all of these."""

    def make(self, data_dir: Path) -> Index:
        """A new index that keeps its files in `data_dir`; called again with the same folder it finds them."""
        raise NotImplementedError

    @pytest_asyncio.fixture
    async def index(self, tmp_path: Path) -> AsyncIterator[Index]:
        made = self.make(tmp_path / "index")
        await made.open()
        yield made
        await made.close()

    async def words(self, index: Index, text: str, audience: Audience = TEAM, **more: object) -> set[int]:
        """Ids that the word leg finds."""
        found = await index.search(IndexQuery(audience, text, **more))  # type: ignore[arg-type]  # the query's own fields
        return set(found.legs.get("words", {}))

    async def near(self, index: Index, vector: Embedding, audience: Audience = TEAM, text: str = "") -> IndexHits:
        """What a search with a vector finds."""
        return await index.search(IndexQuery(audience, text, vector=vector, vector_model=MODEL))

    @pytest.mark.asyncio
    async def test_an_empty_index_finds_nothing_and_stands_at_zero(self, index: Index) -> None:
        assert await index.position() == 0
        assert await self.words(index, "anything") == set()
        assert not (await self.near(index, rows((1, 0, 0, 0)))).legs.get("vectors")

    @pytest.mark.asyncio
    async def test_what_is_put_is_found_by_its_words_and_headings(self, index: Index) -> None:
        await index.apply(IndexChanges(3, puts=(entry(7, "The lantern hangs outside", heading="Harbour rules"),)))
        found = await index.search(IndexQuery(TEAM, "lanterns of the harbour"))
        assert set(found.legs["words"]) == {7}
        assert set(found.legs["headings"]) == {7}
        assert await index.position() == 3

    @pytest.mark.asyncio
    async def test_rarer_and_more_frequent_words_score_higher(self, index: Index) -> None:
        puts = [entry(n, "copper kettle " + "and other things " * 5) for n in range(1, 9)]
        await index.apply(IndexChanges(1, puts=(*puts, entry(9, "copper copper velvet"))))
        scores = (await index.search(IndexQuery(TEAM, "velvet copper"))).legs["words"]
        assert max(scores, key=lambda key: scores[key]) == 9

    @pytest.mark.asyncio
    async def test_every_leg_is_filtered_by_the_audience(self, index: Index) -> None:
        secret = entry(1, "velvet salaries", heading="Velvet", readers=Readers.of(groups=["board"]))
        await index.apply(IndexChanges(1, puts=(secret, entry(2, "velvet curtains", heading="Velvet"))))
        vectors = ((1, rows((1, 0, 0, 0))), (2, rows((0, 1, 0, 0))))
        await index.apply(IndexChanges(2, vectors=vectors, vector_model=MODEL))
        for audience, expected in ((TEAM, {2}), (BOARD, {1, 2}), (Audience(frozenset()), set())):
            legs = (await self.near(index, rows((1, 0.1, 0, 0)), audience, "velvet")).legs
            assert {name: set(hits) for name, hits in legs.items() if hits} == (
                {"words": expected, "headings": expected, "vectors": expected} if expected else {}
            )

    @pytest.mark.asyncio
    async def test_who_may_read_does_not_move_a_passage(self, index: Index) -> None:
        many = Readers.of(groups=["a", "b", "board"])
        puts = (entry(1, "velvet", readers=many), entry(2, "velvet", readers=Readers.of(groups=["board"])))
        await index.apply(IndexChanges(1, puts=puts))
        everything = Audience(frozenset(map(group_principal, ("a", "b", "board"))))
        scores = (await index.search(IndexQuery(everything, "velvet"))).legs["words"]
        assert scores[1] == pytest.approx(scores[2])

    @pytest.mark.asyncio
    async def test_only_the_asked_sources_are_searched(self, index: Index) -> None:
        puts = (entry(1, "velvet"), entry(2, "velvet", source="tickets"))
        vectors = ((1, rows((1, 0, 0, 0))), (2, rows((1, 0, 0, 0))))
        await index.apply(IndexChanges(1, puts=puts, vectors=vectors, vector_model=MODEL))
        query = IndexQuery(TEAM, "velvet", vector=rows((1, 0, 0, 0)), vector_model=MODEL, sources=("tickets",))
        legs = (await index.search(query)).legs
        assert set(legs["words"]) == set(legs["vectors"]) == {2}

    @pytest.mark.asyncio
    async def test_new_readers_count_at_once_and_vectors_stay(self, index: Index) -> None:
        await index.apply(IndexChanges(1, (entry(1, "velvet"),), (), ((1, rows((1, 0, 0, 0))),), MODEL))
        await index.apply(IndexChanges(2, puts=(entry(1, "velvet", readers=Readers.of(groups=["board"])),)))
        assert await self.words(index, "velvet") == set()
        assert not (await self.near(index, rows((1, 0, 0, 0)))).legs.get("vectors")
        legs = (await self.near(index, rows((1, 0, 0, 0)), BOARD, "velvet")).legs
        assert set(legs["words"]) == set(legs["vectors"]) == {1}

    @pytest.mark.asyncio
    async def test_what_is_removed_is_not_found(self, index: Index) -> None:
        puts = (entry(1, "velvet"), entry(2, "velvet"))
        vectors = ((1, rows((1, 0, 0, 0))), (2, rows((1, 0, 0, 0))))
        await index.apply(IndexChanges(1, puts=puts, vectors=vectors, vector_model=MODEL))
        await index.apply(IndexChanges(2, removals=(1, 99)))
        legs = (await self.near(index, rows((1, 0, 0, 0)), text="velvet")).legs
        assert set(legs["words"]) == set(legs["vectors"]) == {2}
        assert (await index.stats()).passages == 1

    @pytest.mark.asyncio
    async def test_the_best_window_counts_and_true_cosines_come_back(self, index: Index) -> None:
        two = rows((0, 1, 0, 0), (1, 0, 0, 0))
        vectors = ((1, two), (2, rows((1, 1, 0, 0))))
        await index.apply(IndexChanges(1, (entry(1, "a"), entry(2, "b")), (), vectors, MODEL))
        scores = (await self.near(index, rows((1, 0, 0, 0)))).legs["vectors"]
        assert scores == pytest.approx({1: 1.0, 2: 0.7071}, abs=2e-3)

    @pytest.mark.asyncio
    async def test_applying_the_same_changes_again_changes_nothing(self, index: Index) -> None:
        changes = IndexChanges(5, (entry(1, "velvet"), entry(2, "copper")), (), ((1, rows((1, 0, 0, 0))),), MODEL)
        for _ in range(3):
            await index.apply(changes)
        stats = await index.stats()
        assert (stats.passages, stats.vectors, stats.seq) == (2, 1, 5)
        assert await self.words(index, "velvet") == {1}

    @pytest.mark.asyncio
    async def test_changes_from_the_past_are_ignored(self, index: Index) -> None:
        await index.apply(IndexChanges(5, puts=(entry(1, "velvet", readers=Readers.nobody()),)))
        await index.apply(IndexChanges(4, puts=(entry(1, "velvet"),)))
        assert await self.words(index, "velvet", BOARD) == set()
        assert await index.position() == 5

    @pytest.mark.asyncio
    async def test_pages_of_a_rebuild_do_not_move_the_position(self, index: Index) -> None:
        await index.apply(IndexChanges(0, puts=(entry(1, "velvet"),)))
        await index.apply(IndexChanges(0, puts=(entry(2, "velvet"),)))
        assert await index.position() == 0
        await index.apply(IndexChanges(9, puts=(entry(3, "velvet"),)))
        assert (await index.position(), await self.words(index, "velvet")) == (9, {1, 2, 3})

    @pytest.mark.asyncio
    async def test_everything_is_there_again_after_reopening(self, index: Index, tmp_path: Path) -> None:
        readers = Readers.of(groups=["board"])
        await index.apply(
            IndexChanges(4, (entry(1, "velvet", readers=readers),), (), ((1, rows((1, 0, 0, 0))),), MODEL)
        )
        before = await index.stats()
        await index.close()
        again = self.make(tmp_path / "index")
        await again.open()
        try:
            legs = (await self.near(again, rows((1, 0, 0, 0)), BOARD, "velvet")).legs
            assert set(legs["words"]) == set(legs["vectors"]) == {1}
            after = await again.stats()
            assert (after.passages, after.vectors, after.seq) == (before.passages, before.vectors, 4)
        finally:
            await again.close()
        await index.open()

    @pytest.mark.asyncio
    async def test_vectors_of_another_model_need_a_reset(self, index: Index) -> None:
        await index.apply(IndexChanges(1, (entry(1, "velvet"),), (), ((1, rows((1, 0, 0, 0))),), MODEL))
        with pytest.raises(IndexUnavailable):
            await index.apply(IndexChanges(2, vectors=((1, rows((0, 1, 0, 0))),), vector_model="another"))
        other = IndexQuery(TEAM, "velvet", vector=rows((1, 0, 0, 0)), vector_model="another")
        assert not (await index.search(other)).legs.get("vectors")
        await index.reset()
        assert (await index.position(), (await index.stats()).passages) == (0, 0)
        await index.apply(IndexChanges(3, (entry(1, "velvet"),), (), ((1, rows((1, 0, 0, 0))),), "another"))
        assert set((await index.search(other)).legs["vectors"]) == {1}

    @pytest.mark.asyncio
    async def test_vectors_of_other_dimensions_are_refused_and_of_questions_left_out(self, index: Index) -> None:
        await index.apply(IndexChanges(1, (entry(1, "velvet"),), (), ((1, rows((1, 0, 0, 0))),), MODEL))
        short = Embedding(DIMENSIONS // 2, rows((1, 0, 0, 0)).data[:DIMENSIONS])
        with pytest.raises(IndexUnavailable) as raised:
            await index.apply(IndexChanges(2, (entry(2, "velvet"),), (), ((2, short),), MODEL))
        assert "\n" not in str(raised.value)
        assert (await index.position(), (await index.stats()).passages) == (1, 1)
        found = await self.near(index, short, text="velvet")
        assert (set(found.legs["words"]), found.legs.get("vectors", {})) == ({1}, {})

    @pytest.mark.asyncio
    async def test_the_share_of_vectors_is_told(self, index: Index) -> None:
        puts = tuple(entry(n, "velvet") for n in range(1, 5))
        await index.apply(IndexChanges(1, puts, (), ((1, rows((1, 0, 0, 0))),), MODEL))
        assert (await self.near(index, rows((1, 0, 0, 0)))).vectors_ready == pytest.approx(0.25)

    @pytest.mark.asyncio
    @pytest.mark.parametrize(
        "text",
        ["", " ", "🙂", 'AND OR NOT "', "text:*", "\x00\ud800".encode("utf-8", "replace").decode(), "velvet " * 15_000],
    )
    async def test_any_text_may_be_asked(self, index: Index, text: str) -> None:
        await index.apply(IndexChanges(1, puts=(entry(1, "velvet 🙂 naïve 東京"),)))
        assert await self.words(index, text) <= {1}

    @pytest.mark.asyncio
    async def test_a_name_is_found_by_its_parts_and_as_a_whole(self, index: Index) -> None:
        text = "Set max_connections of node.js 18.4.2 on api.example.com to the operators' limit."
        await index.apply(IndexChanges(1, puts=(entry(1, text), entry(2, "velvet"))))
        for part in ("connections", "node", "js", "18", "example", "max_connections", "node.js", "18.4.2", "operators"):
            assert await self.words(index, part) == {1}, part

    @pytest.mark.asyncio
    async def test_context_terms_weigh_less(self, index: Index) -> None:
        await index.apply(IndexChanges(1, puts=(entry(1, "velvet"), entry(2, "copper"))))
        query = IndexQuery(TEAM, "velvet", context_text="copper", context_weight=0.2)
        scores = (await index.search(query)).legs["words"]
        assert scores[1] > scores[2] > 0

    @pytest.mark.asyncio
    async def test_no_leg_returns_more_than_asked(self, index: Index) -> None:
        puts = tuple(entry(n, "velvet") for n in range(1, 40))
        await index.apply(IndexChanges(1, puts=puts))
        assert len(await self.words(index, "velvet", limit=10)) == 10

    @pytest.mark.asyncio
    async def test_searching_and_changing_at_the_same_time(self, index: Index) -> None:
        async def change() -> None:
            for seq in range(1, 12):
                made = ((seq, rows((1, seq, 0, 0))),)
                await index.apply(IndexChanges(seq, (entry(seq, "velvet"),), (), made, MODEL))

        async def ask() -> None:
            for _ in range(25):
                legs = (await self.near(index, rows((1, 1, 0, 0)), text="velvet")).legs
                assert all(hits.keys() <= set(range(1, 12)) for hits in legs.values())

        await asyncio.gather(change(), ask(), ask())
        assert len(await self.words(index, "velvet")) == 11

    @pytest.mark.asyncio
    @pytest.mark.parametrize("seed", range(4))
    async def test_random_worlds_show_what_a_filter_would_leave(self, index: Index, seed: int) -> None:
        rng = random.Random(seed)
        groups = ["a", "b", "c", "d"]
        texts = {key: " ".join(rng.choices(WORDS, k=4)) for key in range(1, 60)}
        readers = {key: Readers.of(groups=rng.sample(groups, rng.randrange(4))) for key in texts}
        vectors = tuple((key, rows([rng.uniform(-1, 1) for _ in range(4)])) for key in texts)
        puts = tuple(entry(key, text, readers=readers[key]) for key, text in texts.items())
        await index.apply(IndexChanges(1, puts, (), vectors, MODEL))
        for _ in range(12):
            audience = Audience(frozenset(map(group_principal, rng.sample(groups, rng.randrange(1, 3)))))
            word = rng.choice(WORDS)
            legs = (await self.near(index, rows([rng.uniform(-1, 1) for _ in range(4)]), audience, word)).legs
            allowed = {key for key in texts if audience.may_read(readers[key])}
            assert set(legs.get("words", {})) == {key for key in allowed if word in texts[key]}
            assert set(legs.get("vectors", {})) == allowed
