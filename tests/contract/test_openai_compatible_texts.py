"""What the embedder and the reranker `openai_compatible` make of answers that are not what was asked for."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from citebot.errors import ModelBusy, ModelRefused, ModelUnavailable
from citebot.ports import Limited, PartContext, Usage
from citebot.testing.contract_embedder import cosine
from citebot.testing.contract_generator import passages
from citebot.testing.models.faults import Fault
from citebot.testing.models.openai import FakeOpenAI
from citebot_plugins.openai_compatible.embedder import OpenAICompatibleEmbedder
from citebot_plugins.openai_compatible.reranker import OpenAICompatibleReranker
from citebot_plugins.openai_compatible.settings import EmbedderSettings, RerankerSettings

QUESTION = "How many days of paid annual leave do employees get?"
Change = Callable[[Any], Any]


@pytest.fixture
def server() -> Iterator[FakeOpenAI]:
    with FakeOpenAI() as server:
        yield server


@asynccontextmanager
async def embedding(server: FakeOpenAI, **more: Any) -> AsyncIterator[OpenAICompatibleEmbedder]:
    given = {"base_url": server.base_url, "api_key": server.key, "model": "embed-1", "read_seconds": 5, **more}
    embedder = OpenAICompatibleEmbedder(EmbedderSettings.model_validate(given), PartContext(Path()))
    await embedder.open()
    try:
        yield embedder
    finally:
        await embedder.close()


@asynccontextmanager
async def ranking(server: FakeOpenAI, **more: Any) -> AsyncIterator[OpenAICompatibleReranker]:
    given = {"base_url": server.base_url, "api_key": server.key, "model": "rerank-1", "read_seconds": 5, **more}
    reranker = OpenAICompatibleReranker(RerankerSettings.model_validate(given), PartContext(Path()))
    await reranker.open()
    try:
        yield reranker
    finally:
        await reranker.close()


def bodies(server: FakeOpenAI) -> list[dict[str, Any]]:
    import json

    return [json.loads(received.body) for received in server.received]


async def test_texts_go_in_batches_and_come_back_in_order(server: FakeOpenAI) -> None:
    server.tamper = lambda body: {**body, "data": body["data"][::-1]}
    async with embedding(server, batch_size=4, dimensions=64) as embedder:
        texts = [f"text number {n}" for n in range(10)]
        rows = await embedder.embed_passages(texts)
        assert [len(body["input"]) for body in bodies(server)] == [4, 4, 2]
        assert cosine(rows[7], await embedder.embed_query(texts[7])) > 0.99
        assert {body["dimensions"] for body in bodies(server)} == {64}


async def test_prefixes_are_sent_and_only_that_of_passages_makes_another_model(server: FakeOpenAI) -> None:
    async with embedding(server, query_prefix="query: ", passage_prefix="passage: ") as embedder:
        await embedder.embed_passages(["one"])
        await embedder.embed_query("two")
        assert [body["input"] for body in bodies(server)][1:] == [["passage: one"], ["query: two"]]
        first = embedder.model_id
    async with embedding(server, query_prefix="ask: ", passage_prefix="passage: ") as embedder:
        assert embedder.model_id == first
    async with embedding(server, model="embed-1", passage_prefix="text: ") as embedder:
        assert embedder.model_id != first


async def test_long_texts_get_several_vectors_and_none_is_too_long_for_the_model(server: FakeOpenAI) -> None:
    server.context = 512
    async with embedding(server, max_tokens=512, max_windows=3) as embedder:
        [whole, short] = await embedder.embed_passages(["the quick brown fox " * 2000, "short"])
        assert (whole.windows, short.windows) == (3, 1)


@pytest.mark.parametrize(
    "change",
    [
        lambda body: {**body, "data": body["data"][:-1]},
        lambda body: {**body, "data": [*body["data"][:-1], body["data"][0]]},
        lambda body: {**body, "data": [{**item, "index": item["index"] + 1} for item in body["data"]]},
        lambda body: {**body, "data": [{**item, "embedding": [float("nan")] * 64} for item in body["data"]]},
        lambda body: {**body, "data": [{**item, "embedding": ["1"] * 64} for item in body["data"]]},
        lambda body: {**body, "data": [{**item, "embedding": None} for item in body["data"]]},
        lambda body: {"embeddings": []},
        lambda body: [],
        lambda body: None,
    ],
)
async def test_vectors_that_are_none_are_unavailable(server: FakeOpenAI, change: Change) -> None:
    async with embedding(server, dimensions=64) as embedder:
        server.tamper = change
        with pytest.raises(ModelUnavailable) as caught:
            await embedder.embed_passages(["one", "two"])
        assert "\n" not in str(caught.value)
        server.tamper = lambda body: body
        assert await embedder.embed_passages(["one"])


async def test_vectors_of_another_length_are_refused_with_what_happened(server: FakeOpenAI) -> None:
    async with embedding(server) as embedder:
        assert embedder.dimensions == 256
        server.dimensions = 128
        with pytest.raises(ModelRefused, match="vectors of 128 numbers, not of 256") as caught:
            await embedder.embed_query("one")
        assert caught.value.why == "model"


async def test_an_embedder_that_cannot_open_may_be_opened_later(server: FakeOpenAI) -> None:
    given = {"base_url": server.base_url, "api_key": server.key, "model": "embed-1"}
    embedder = OpenAICompatibleEmbedder(EmbedderSettings.model_validate(given), PartContext(Path()))
    server.faults.add(Fault(status=503))
    with pytest.raises(ModelUnavailable):
        await embedder.open()
    await embedder.open()
    assert embedder.dimensions == 256
    await embedder.close()


@pytest.mark.parametrize(
    ("fault", "kind", "words"),
    [
        (Fault(status=429, retry_after="3"), ModelBusy, "fewer"),
        (Fault(status=401), ModelRefused, "`embedder.openai_compatible.api_key`"),
        (Fault(status=413), ModelRefused, "`embedder.openai_compatible.max_tokens`"),
        (Fault(status=500), ModelUnavailable, "HTTP 500"),
        (Fault(cut_after=1), ModelUnavailable, "broke off"),
        (Fault(malformed=b"<html>"), ModelUnavailable, "no answer of this interface"),
        (Fault(malformed=b"[" * 100_000), ModelUnavailable, "no answer of this interface"),
        (Fault(stall="headers"), ModelUnavailable, "said nothing"),
    ],
)
async def test_embedding_errors_are_classified(
    server: FakeOpenAI, fault: Fault, kind: type[ModelUnavailable], words: str
) -> None:
    async with embedding(server, dimensions=64, read_seconds=0.3 if fault.stall else 5) as embedder:
        server.faults.add(fault)
        with pytest.raises(ModelUnavailable) as caught:
            await embedder.embed_query("one")
        assert type(caught.value) is kind
        assert words in str(caught.value)


@pytest.mark.parametrize("shape", ["documents", "texts"])
async def test_scores_come_in_the_order_of_the_passages(server: FakeOpenAI, shape: str) -> None:
    async with ranking(server, shape=shape) as reranker:
        scores = await reranker.rerank(QUESTION, passages()[::-1])
    assert max(scores) == scores[2]
    assert sorted(scores, reverse=True) != scores
    [body] = bodies(server)
    assert set(body) == (
        {"model", "query", "documents", "top_n"} if shape == "documents" else {"query", "texts", "truncate"}
    )


async def test_batches_are_ranked_by_themselves(server: FakeOpenAI) -> None:
    async with ranking(server, batch_size=2) as reranker:
        together = await reranker.rerank(QUESTION, passages())
    assert len(server.received) == 2
    async with ranking(server) as reranker:
        assert await reranker.rerank(QUESTION, passages()) == together


def results(change: Change) -> Change:
    return lambda body: {**body, "results": change(body["results"])}


@pytest.mark.parametrize(
    "change",
    [
        results(lambda items: items[:-1]),
        results(lambda items: [*items[:-1], items[0]]),
        results(lambda items: [*items, items[0]]),
        results(lambda items: [*items, {"index": 3, "relevance_score": 0.1}]),
        results(lambda items: [{**item, "index": item["index"] - 1} for item in items]),
        results(lambda items: [{**item, "index": str(item["index"])} for item in items]),
        results(lambda items: [{**item, "relevance_score": None} for item in items]),
        results(lambda items: [{**item, "relevance_score": float("inf")} for item in items]),
        results(lambda items: [item["index"] for item in items]),
        results(lambda items: {}),
        lambda body: "ranked",
        lambda body: None,
    ],
)
async def test_rankings_that_are_none_are_unavailable_and_paid_for(server: FakeOpenAI, change: Change) -> None:
    used: list[Usage] = []
    async with ranking(server) as reranker:
        server.tamper = change
        with pytest.raises(ModelUnavailable) as caught:
            await reranker.rerank(QUESTION, passages(), used=used.append)
    assert type(caught.value) is ModelUnavailable
    assert "\n" not in str(caught.value)
    assert used[0].input_tokens > 20


@pytest.mark.parametrize(
    ("answer", "tokens", "cost"),
    [
        ({"usage": {"total_tokens": 1000}}, 1000, 500 + 2000),
        ({"usage": {"prompt_tokens": 1000, "total_tokens": 1000}}, 1000, 500 + 2000),
        ({"usage": None, "meta": {"billed_units": {"search_units": 2}}}, None, 4000),
        ({"usage": {"total_tokens": "many"}}, None, 2000),
    ],
)
async def test_rankings_cost_what_the_server_counts(
    server: FakeOpenAI, answer: dict[str, Any], tokens: int | None, cost: int
) -> None:
    used: list[Usage] = []
    server.tamper = lambda body: {**body, **answer}
    async with ranking(server, price_input=0.5, price_search=2.0) as reranker:
        await reranker.rerank(QUESTION, passages(), used=used.append)
        assert isinstance(reranker, Limited)
        assert reranker.most().cost == 32_000 + 2000
    [usage] = used
    assert usage.input_tokens == tokens or (tokens is None and 40 < usage.input_tokens < 300)
    assert 0 <= usage.cost - cost <= (0 if tokens else 150)


async def test_what_is_ranked_stays_within_the_limit(server: FakeOpenAI) -> None:
    used: list[Usage] = []
    async with ranking(server, max_prompt_tokens=2000) as reranker:
        many = passages(["word " * 2000] * 20)
        assert len(await reranker.rerank("why " * 500, many, used=used.append)) == 20
        assert used[0].input_tokens <= reranker.most().input_tokens


async def test_a_ranking_refused_costs_nothing(server: FakeOpenAI) -> None:
    used: list[Usage] = []
    async with ranking(server, model="gone") as reranker:
        with pytest.raises(ModelRefused, match=r"`reranker\.openai_compatible\.model`"):
            await reranker.rerank(QUESTION, passages(), used=used.append)
    assert used == []


async def test_the_doctor_asks_both(server: FakeOpenAI) -> None:
    given = {"base_url": server.base_url, "api_key": server.key}
    embedder = OpenAICompatibleEmbedder(
        EmbedderSettings.model_validate({**given, "model": "embed-1"}), PartContext(Path())
    )
    reranker = OpenAICompatibleReranker(
        RerankerSettings.model_validate({**given, "model": "rerank-1", "path": "/rank"}), PartContext(Path())
    )
    [first] = [finding async for finding in embedder.examine()]
    [second] = [finding async for finding in reranker.examine()]
    assert first.what == f"embedder openai_compatible: embed-1 at {server.base_url} answers with vectors of 256 numbers"
    assert not second.ok
    assert "nothing at /rank" in second.what
