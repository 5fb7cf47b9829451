"""What Cohere's embedder and reranker send, and what they do not believe."""

from __future__ import annotations

import base64
import math
import struct
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

pytest.importorskip("cohere")

from citebot.errors import ModelRefused, ModelUnavailable
from citebot.ports import Limited, PartContext, Usage
from citebot.testing.contract_embedder import rows_of
from citebot.testing.contract_generator import passages
from citebot.testing.local_server import Received
from citebot.testing.models.cohere import KEY, FakeCohere
from citebot.testing.models.cohere_vectors import vector
from citebot.testing.models.faults import Fault
from citebot_plugins.cohere import CohereEmbedder, CohereReranker

NAN = struct.pack("<f", math.nan)


class Lying(FakeCohere):
    """Cohere whose next answers a test replaces."""

    lie: Any = None

    def answer(self, received: Received) -> Any:
        answer = super().answer(received)
        return answer if self.lie is None else self._json(self.lie)

    def embeddings(self, *rows: bytes) -> None:
        self.lie = {"id": "x", "embeddings": {"base64": [base64.b64encode(row).decode() for row in rows]}}

    def scores(self, *scores: tuple[Any, Any]) -> None:
        self.lie = {"id": "x", "results": [{"index": place, "relevance_score": score} for place, score in scores]}


@pytest.fixture
def server() -> Iterator[Lying]:
    with Lying() as server:
        yield server


def embedder_for(server: FakeCohere, **settings: Any) -> CohereEmbedder:
    given = {"api_key": KEY, "base_url": server.url, "dimensions": 256, **settings}
    return CohereEmbedder(CohereEmbedder.Settings.model_validate(given), PartContext(Path()))


@pytest_asyncio.fixture
async def embedder(server: Lying) -> AsyncIterator[CohereEmbedder]:
    embedder = embedder_for(server)
    await embedder.open()
    yield embedder
    await embedder.close()


@pytest_asyncio.fixture
async def reranker(server: Lying) -> AsyncIterator[CohereReranker]:
    given = {"api_key": KEY, "base_url": server.url, "price_search": 2}
    reranker = CohereReranker(CohereReranker.Settings.model_validate(given), PartContext(Path()))
    await reranker.open()
    yield reranker
    await reranker.close()


# --- embedder ----------------------------------------------------------------------------------------------------


async def test_questions_and_passages_are_embedded_as_what_they_are(server: Lying, embedder: CohereEmbedder) -> None:
    await embedder.embed_query("leave?")
    await embedder.embed_passages(["26 days"])
    one, other = server.bodies("/v2/embed")
    assert (one["input_type"], other["input_type"]) == ("search_query", "search_document")
    assert one["texts"] == ["leave?"]
    assert {name: one[name] for name in ("output_dimension", "embedding_types", "truncate")} == {
        "output_dimension": 256, "embedding_types": ["base64"], "truncate": "END"
    }  # fmt: skip


async def test_a_batch_is_never_larger_than_cohere_takes(server: Lying, embedder: CohereEmbedder) -> None:
    found = await embedder.embed_passages([f"text {n}" for n in range(200)])
    assert [len(body["texts"]) for body in server.bodies("/v2/embed")] == [96, 96, 8]
    assert len(found) == 200
    server.asked.clear()
    await embedder.embed_passages(["x" * 60_000] * 3 + ["y" * 300_000])
    assert [sum(map(len, body["texts"])) for body in server.bodies("/v2/embed")] == [180_000, 100_000]


async def test_the_vectors_are_those_that_were_sent(embedder: CohereEmbedder) -> None:
    found = await embedder.embed_query("annual leave")
    assert rows_of(found)[0] == pytest.approx(vector("annual leave", 256), abs=1e-3)


@pytest.mark.parametrize("model", ["embed-english-v3.0", "embed-english-light-v3.0"])
async def test_models_of_one_length_are_not_asked_for_it(server: Lying, model: str) -> None:
    embedder = embedder_for(server, model=model, dimensions=server.models[model].dimensions[0])
    await embedder.open()
    assert (await embedder.embed_query("leave")).dimensions == embedder.dimensions
    assert "output_dimension" not in server.bodies("/v2/embed")[0]
    await embedder.close()


async def test_vectors_of_another_length_name_the_setting(server: Lying) -> None:
    embedder = embedder_for(server, model="embed-english-v3.0", dimensions=512)
    await embedder.open()
    with pytest.raises(ModelUnavailable, match=r"embedder\.cohere\.dimensions = 1024, which is 512 now"):
        await embedder.embed_query("leave")
    await embedder.close()


async def test_a_length_that_the_model_has_not_is_refused(server: Lying) -> None:
    embedder = embedder_for(server, dimensions=300)
    await embedder.open()
    with pytest.raises(ModelRefused, match="must be one of 256"):
        await embedder.embed_query("leave")
    await embedder.close()


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [b"\x00\x00\x80?" * 256] * 3,
        [b""],
        [b"\x00\x00\x80?" * 255],
        [b"abc"],
        [b"\x00" * 1024],
        [NAN * 256],
        [struct.pack("<f", math.inf) * 256],
    ],
    ids=["none", "too many", "empty", "short", "no floats", "zeros", "nan", "inf"],
)
async def test_vectors_that_are_none_are_not_believed(
    server: Lying, embedder: CohereEmbedder, rows: list[bytes]
) -> None:
    server.embeddings(*rows)
    with pytest.raises(ModelUnavailable):
        await embedder.embed_query("leave")


@pytest.mark.parametrize(
    "made", [None, {}, [], "x", {"base64": None}, {"base64": 5}, {"base64": ["%%"]}, {"base64": [5]}]
)
async def test_answers_of_another_shape_are_not_believed(server: Lying, embedder: CohereEmbedder, made: Any) -> None:
    server.lie = {"id": "x", "embeddings": made}
    with pytest.raises(ModelUnavailable):
        await embedder.embed_query("leave")


def test_the_id_names_the_model_and_its_length(server: Lying) -> None:
    ids = {embedder_for(server, **one).model_id for one in ({}, {"dimensions": 512}, {"model": "embed-english-v3.0"})}
    assert len(ids) == 3
    assert len(embedder_for(server, model="m" * 500).model_id) <= 128


# --- reranker ----------------------------------------------------------------------------------------------------


async def test_scores_are_in_the_order_of_the_passages(server: Lying, reranker: CohereReranker) -> None:
    server.scores((2, 0.9), (0, 0.5), (1, 0.1))
    assert await reranker.rerank("leave", passages()) == [0.5, 0.1, 0.9]


@pytest.mark.parametrize(
    "scores",
    [
        [],
        [(0, 0.9), (1, 0.5)],
        [(0, 0.9), (1, 0.5), (1, 0.4)],
        [(0, 0.9), (1, 0.5), (3, 0.4)],
        [(0, 0.9), (1, 0.5), (-1, 0.4)],
        [(0, 0.9), (1, 0.5), (2, 0.4), (2, 0.3)],
        [(0, 0.9), (1, 0.5), (2, math.nan)],
        [(0, 0.9), (1, 0.5), (2, math.inf)],
        [(0, 0.9), (1, 0.5), (2, "high")],
        [(0, 0.9), (1, 0.5), (2, None)],
        [(0, 0.9), (1, 0.5), (None, 0.1)],
        [(0, 0.9), (1, 0.5), ([], 0.1)],
    ],
)
async def test_scores_that_do_not_fit_are_not_believed(
    server: Lying, reranker: CohereReranker, scores: list[tuple[Any, Any]]
) -> None:
    server.scores(*scores)
    with pytest.raises(ModelUnavailable):
        await reranker.rerank("leave", passages())


@pytest.mark.parametrize("results", [None, 5, "abc", {"0": 1}, [5, 6, 7], ["a", "b", "c"]])
async def test_results_of_another_shape_are_not_believed(server: Lying, reranker: CohereReranker, results: Any) -> None:
    server.lie = {"id": "x", "results": results}
    with pytest.raises(ModelUnavailable):
        await reranker.rerank("leave", passages())


async def test_a_search_is_billed_as_cohere_bills_it(server: Lying, reranker: CohereReranker) -> None:
    used: list[Usage] = []
    await reranker.rerank("leave", passages(), used=used.append)
    server.faults.add(Fault(status=503))
    with pytest.raises(ModelUnavailable):
        await reranker.rerank("leave", passages(), used=used.append)
    server.scores((0, 0.5))
    with pytest.raises(ModelUnavailable):
        await reranker.rerank("leave", passages(), used=used.append)
    assert used == [Usage("rerank-v3.5", cost=2000)] * 2


async def test_the_most_is_that_of_the_longest_passages(server: Lying, reranker: CohereReranker) -> None:
    assert isinstance(reranker, Limited)
    used: list[Usage] = []
    await reranker.rerank("leave", passages(["word " * 5000] * 100), used=used.append)
    assert 2000 < used[0].cost <= reranker.most().cost == 6000
    assert server.bodies("/v2/rerank")[0]["max_tokens_per_doc"] == 1000


async def test_more_passages_than_were_reserved_for_are_not_sent(server: Lying, reranker: CohereReranker) -> None:
    with pytest.raises(ModelRefused, match="max_documents = 100"):
        await reranker.rerank("leave", passages(["x"] * 101))
    assert server.received == []
