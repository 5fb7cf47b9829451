"""The contract of an embedder, as tests.

Inherit and say how to make one:

class TestMyEmbedder(EmbedderContract):
def make(self, data_dir):
return MyEmbedder(MyEmbedder.Settings(), PartContext(data_dir))
"""

from __future__ import annotations

import asyncio
import math
import struct
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from citebot.errors import ModelUnavailable
from citebot.model import Embedding
from citebot.ports import Embedder

ODD_TEXTS = {
    "empty": "",
    "blank": " \n\t\u00a0\u200b ",
    "emoji": "🙂🚀👩‍👩‍👧‍👦" * 20,
    "one character": "x",
    "digits": "0" * 5000,
    "control characters": "one\x00two\x07three\x1b[31m\ufeff\u202efour",
    "lone surrogate": "half \ud83d pair",
    "other languages": "Где офис? 事務所はどこですか。 أين المكتب؟ המשרד איפה कार्यालय कहाँ है",
    "combining marks": "a" + "\u0301" * 2000,
    "special tokens": "[CLS] [SEP] [PAD] <s> </s> <|endoftext|>",
    "100 kB": "the quick brown fox jumps over the lazy dog " * 2300,
    "100 kB without a space": "ab" * 50_000,
}


def rows_of(embedding: Embedding) -> list[list[float]]:
    """The vectors of an embedding as plain lists."""
    size = embedding.dimensions
    values = struct.unpack(f"<{len(embedding.data) // 2}e", embedding.data)
    return [list(values[start : start + size]) for start in range(0, len(values), size)]


def cosine(one: Embedding, other: Embedding) -> float:
    """Similarity of the first rows."""
    return sum(a * b for a, b in zip(rows_of(one)[0], rows_of(other)[0], strict=True))


class EmbedderContract:
    """What Citebot relies on in every embedder."""

    def make(self, data_dir: Path) -> Embedder:
        """A new embedder that keeps its files in `data_dir`."""
        raise NotImplementedError

    @pytest.fixture(scope="class")
    @classmethod
    def data_dir(cls, tmp_path_factory: pytest.TempPathFactory) -> Path:
        """One folder for the class: a model that is built at first use is built once."""
        return tmp_path_factory.mktemp("embedder")

    @pytest_asyncio.fixture
    async def embedder(self, data_dir: Path) -> AsyncIterator[Embedder]:
        """An open one, closed after the test."""
        embedder = self.make(data_dir)
        await embedder.open()
        yield embedder
        await embedder.close()

    @pytest.mark.asyncio
    async def test_says_what_it_is(self, embedder: Embedder) -> None:
        assert embedder.name
        assert embedder.summary
        assert embedder.Settings.model_json_schema()
        assert 0 < len(embedder.model_id) <= 128
        assert embedder.dimensions > 0

    @pytest.mark.asyncio
    async def test_rows_are_normalised_and_finite(self, embedder: Embedder) -> None:
        for embedding in await embedder.embed_passages(["How do I get a new laptop?", "IT hands out laptops."]):
            assert embedding.dimensions == embedder.dimensions
            assert len(embedding.data) == embedding.windows * embedding.dimensions * 2 > 0
            for row in rows_of(embedding):
                assert math.hypot(*row) == pytest.approx(1, abs=2e-3)

    @pytest.mark.asyncio
    async def test_a_query_is_one_row(self, embedder: Embedder) -> None:
        for text in ("short", "a much longer question about everything " * 300):
            embedding = await embedder.embed_query(text)
            assert (embedding.windows, embedding.dimensions) == (1, embedder.dimensions)

    @pytest.mark.asyncio
    async def test_nothing_in_nothing_out(self, embedder: Embedder) -> None:
        assert await embedder.embed_passages([]) == []

    @pytest.mark.asyncio
    async def test_passages_keep_their_order(self, embedder: Embedder) -> None:
        texts = ["budget", "the fire drill is on Monday " * 12, "wifi", "parental leave takes sixteen weeks " * 6]
        together = await embedder.embed_passages(texts)
        for text, embedding in zip(texts, together, strict=True):
            [alone] = await embedder.embed_passages([text])
            assert alone.windows == embedding.windows
            assert cosine(alone, embedding) > 0.99

    @pytest.mark.asyncio
    async def test_the_same_text_gives_the_same_vector(self, embedder: Embedder) -> None:
        first = await embedder.embed_query("Where is the office in Lisbon?")
        assert cosine(first, await embedder.embed_query("Where is the office in Lisbon?")) > 0.999

    @pytest.mark.asyncio
    async def test_meaning_is_near(self, embedder: Embedder) -> None:
        near, far = await embedder.embed_passages(
            ["Reset a forgotten password in the account settings.", "The canteen serves soup on Thursdays."]
        )
        query = await embedder.embed_query("I forgot my password, how do I reset it?")
        assert cosine(query, near) > cosine(query, far)

    @pytest.mark.asyncio
    @pytest.mark.parametrize("kind", ODD_TEXTS)
    async def test_odd_text_is_safe(self, embedder: Embedder, kind: str) -> None:
        [passage] = await embedder.embed_passages([ODD_TEXTS[kind]])
        query = await embedder.embed_query(ODD_TEXTS[kind])
        for row in rows_of(passage) + rows_of(query):
            assert all(math.isfinite(value) for value in row)
            assert math.hypot(*row) < 1.01

    @pytest.mark.asyncio
    async def test_the_event_loop_goes_on(self, embedder: Embedder) -> None:
        work = asyncio.create_task(embedder.embed_passages([f"{n} " + "the quick brown fox " * 40 for n in range(100)]))
        began = last = time.monotonic()
        longest = 0.0
        while not work.done():
            await asyncio.sleep(0.002)
            now = time.monotonic()
            longest, last = max(longest, now - last), now
        assert len(await work) == 100
        # A share, not seconds: an embedder that blocks the loop holds it for nearly all of its work.
        assert longest < 0.5 * (last - began)

    @pytest.mark.asyncio
    async def test_a_cancelled_call_ends_soon_and_harms_nothing(self, embedder: Embedder) -> None:
        work = asyncio.create_task(embedder.embed_passages(["the quick brown fox jumps over " * 40] * 500))
        await asyncio.sleep(0.05)
        work.cancel()
        await asyncio.wait([work], timeout=5)
        assert work.done()
        assert (await embedder.embed_query("still there?")).windows == 1

    @pytest.mark.asyncio
    async def test_calls_may_overlap(self, embedder: Embedder) -> None:
        texts = [f"document number {n} is about topic {n * 7}" for n in range(8)]
        together = await asyncio.gather(*(embedder.embed_passages([text]) for text in texts))
        for text, [embedding] in zip(texts, together, strict=True):
            assert cosine(embedding, (await embedder.embed_passages([text]))[0]) > 0.99

    @pytest.mark.asyncio
    async def test_two_of_the_same_share_a_model_id(self, embedder: Embedder, data_dir: Path) -> None:
        other = self.make(data_dir)
        await other.open()
        assert (other.model_id, other.dimensions) == (embedder.model_id, embedder.dimensions)
        await other.close()

    @pytest.mark.asyncio
    async def test_closed_means_unavailable(self, data_dir: Path) -> None:
        embedder = self.make(data_dir)
        await embedder.open()
        await embedder.close()
        await embedder.close()
        with pytest.raises(ModelUnavailable):
            await embedder.embed_query("anyone?")
