"""The contract of a reranker, as tests.

Inherit and say how to make one:

class TestMyReranker(RerankerContract):
    def make(self, data_dir):
        return MyReranker(MyReranker.Settings(), PartContext(data_dir))
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from citebot.ports import Reranker
from citebot.testing.contract_generator import TEXTS, passages


class RerankerContract:
    """What Citebot relies on in every reranker."""

    def make(self, data_dir: Path) -> Reranker:
        """A new reranker that keeps its files in `data_dir`."""
        raise NotImplementedError

    @pytest_asyncio.fixture
    async def reranker(self, tmp_path: Path) -> AsyncIterator[Reranker]:
        """An open one, closed after the test."""
        reranker = self.make(tmp_path)
        await reranker.open()
        yield reranker
        await reranker.close()

    @pytest.mark.asyncio
    async def test_says_what_it_is(self, reranker: Reranker) -> None:
        assert reranker.name
        assert reranker.summary
        assert reranker.Settings.model_json_schema()

    @pytest.mark.asyncio
    async def test_one_finite_score_per_passage(self, reranker: Reranker) -> None:
        scores = await reranker.rerank("annual leave of employees", passages())
        assert len(scores) == len(TEXTS)
        assert all(math.isfinite(score) for score in scores)

    @pytest.mark.asyncio
    async def test_the_passage_that_answers_comes_first(self, reranker: Reranker) -> None:
        scores = await reranker.rerank("How many days of paid annual leave do employees get?", passages())
        assert max(scores) == scores[0]

    @pytest.mark.asyncio
    async def test_scores_follow_the_passages_not_their_order(self, reranker: Reranker) -> None:
        short = passages()
        forwards = await reranker.rerank("annual leave of employees", short)
        backwards = await reranker.rerank("annual leave of employees", short[::-1])
        assert backwards[::-1] == pytest.approx(forwards, abs=1e-3)

    @pytest.mark.asyncio
    async def test_nothing_in_nothing_out(self, reranker: Reranker) -> None:
        assert await reranker.rerank("anything", ()) == []

    @pytest.mark.asyncio
    @pytest.mark.parametrize("text", ["", " ", "🙂" * 100, "x" * 20_000, "\x00\ud83d"])
    async def test_odd_texts_are_safe(self, reranker: Reranker, text: str) -> None:
        scores = await reranker.rerank(text or "anything", passages([text, *TEXTS]))
        assert all(math.isfinite(score) for score in scores)
