"""Rerankers and embedders that fail: not tried again for the same question, and left alone after five failures."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from citebot.answering.rerank import Reranking
from citebot.calls import Calls, CarefulEmbedder, CarefulReranker
from citebot.errors import ModelUnavailable
from citebot.model import Embedding, ScoredPassage
from citebot.ports import Limited, PartContext, Usage, Used, unmetered
from citebot.testing.contract_generator import passages
from citebot.testing.fake_models import FakeEmbedder, FakeReranker
from citebot.testing.quick_time import run_quickly

HITS = passages()


class Counting(FakeReranker):
    asked = 0

    def most(self) -> Usage:
        return Usage("rerank-1", cost=7)

    async def rerank(self, question: str, passages: Sequence[ScoredPassage], *, used: Used = unmetered) -> list[float]:
        self.asked += 1
        return await super().rerank(question, passages, used=used)


def careful(part: FakeReranker) -> tuple[CarefulReranker, Calls]:
    calls = Calls(clock=asyncio.get_running_loop().time)
    return CarefulReranker(calls.add("reranker", part, name="fake")), calls


@pytest.mark.parametrize("how", ["fails", "hangs"])
def test_a_reranker_that_fails_is_not_asked_for_a_while(how: str) -> None:
    async def work() -> None:
        part = Counting()
        part.fail, part.delay = how == "fails", 60.0 if how == "hangs" else 0.0
        reranker, calls = careful(part)
        stage = Reranking(reranker)
        clock = asyncio.get_running_loop().time
        notes = [(await stage.run("leave", HITS)).notes for _ in range(9)]
        assert set(notes) == {("simple ranking used",)}
        assert (part.asked, calls.callees[0].breaker.state) == (5, "open")
        assert clock() == (7.5 if how == "hangs" else 0.0)
        part.fail, part.delay = False, 0.0
        await asyncio.sleep(15.0)
        assert (await stage.run("leave", HITS)).notes == ()
        assert calls.callees[0].breaker.state == "closed"

    run_quickly(work())


def test_what_a_reranker_used_is_passed_on_and_the_most_where_nobody_knows() -> None:
    async def work() -> None:
        part = Counting()
        reranker, _ = careful(part)
        assert isinstance(reranker, Limited)
        usages: list[Usage] = []
        await reranker.rerank("leave", HITS, used=usages.append)
        part.delay = 60.0
        with pytest.raises(ModelUnavailable):
            await reranker.rerank("leave", HITS, used=usages.append)
        assert usages == [Usage("rerank-1"), Usage("rerank-1", cost=7)]
        assert not isinstance(careful(FakeReranker())[0], Limited)

    run_quickly(work())


def test_an_embedder_has_time_to_load_and_then_a_second() -> None:
    async def work() -> None:
        calls = Calls(clock=asyncio.get_running_loop().time)
        part = FakeEmbedder(context=PartContext(data_dir=None))  # type: ignore[arg-type]  # it keeps no files
        embedder = CarefulEmbedder(calls.add("embedder", part, name="fake"))
        await embedder.open()
        part.delay = 10.0
        assert isinstance(await embedder.embed_query("leave"), Embedding)
        for _ in range(5):
            with pytest.raises(ModelUnavailable):
                await embedder.embed_query("leave")
        assert asyncio.get_running_loop().time() == 15.0
        assert calls.troubles() == ["embedder fake does not work and is tried every 15 s: No answer within 1 seconds."]
        part.delay = 0.0
        assert await embedder.embed_passages(["documents are not held up"])
        with pytest.raises(ModelUnavailable, match="not asked now"):
            await embedder.embed_query("leave")
        assert (embedder.model_id, embedder.dimensions) == (part.model_id, part.dimensions)

    run_quickly(work())
