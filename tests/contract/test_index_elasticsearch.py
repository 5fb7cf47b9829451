"""The contract of indexes on one node of a real Elasticsearch, and every way of keeping vectors."""

from __future__ import annotations

import random
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

pytest.importorskip("elasticsearch")
sys.path.insert(0, str(Path(__file__).parent))  # the tests are no package
sys.path.insert(0, str(Path(__file__).parents[1] / "faults"))

from certificates import Authority
from elasticsearch_proxy import Proxy
from elasticsearch_security import Security
from index_on_elasticsearch import OnElasticsearch, forget

from citebot.model import Embedding, Readers
from citebot.ports import IndexChanges, IndexQuery, PartContext
from citebot.testing.contract_index import BOARD, MODEL, TEAM, entry
from citebot_plugins.elasticsearch.index import ElasticsearchIndex
from citebot_plugins.elasticsearch.privileges import role
from citebot_plugins.elasticsearch.settings import ElasticsearchSettings, Quantisation
from citebot_plugins.elasticsearch.shape import numbers

pytestmark = [pytest.mark.elasticsearch, pytest.mark.xdist_group("elasticsearch")]
KEY = "Y2l0ZWJvdDpzZWNyZXQ="


class TestElasticsearchIndex(OnElasticsearch):
    """On one node, over TLS, with a key of the role that is printed: no call of the contract needs more."""

    @pytest.fixture(autouse=True)
    def _server(self, elasticsearch_url: str, tmp_path: Path) -> Iterator[None]:
        context, fingerprint = Authority(tmp_path).server()
        security = Security({KEY: role("contract")})
        front = Proxy(elasticsearch_url, tls=context, answer=security)
        self.direct = elasticsearch_url
        self.access = {"url": front.server.url, "api_key": KEY, "fingerprint": fingerprint}
        yield
        front.close()
        assert security.unknown == set()


def near(rng: random.Random, center: Embedding | None = None) -> Embedding:
    """A direction; near another one where it is given."""
    values = [rng.gauss(0, 1) for _ in range(64)]
    if center:
        values = [value / 8 * 0.7 + other for value, other in zip(values, numbers(center.data), strict=True)]
    length = sum(value * value for value in values) ** 0.5
    return Embedding(64, struct.pack("<64e", *(value / length for value in values)))


def cosine(one: Embedding, other: Embedding) -> float:
    return sum(a * b for a, b in zip(numbers(one.data), numbers(other.data), strict=True))


@pytest.mark.parametrize("kind", get_args(Quantisation))
async def test_however_vectors_are_kept_the_nearest_are_found_and_scored_exactly(
    elasticsearch_url: str, kind: Quantisation
) -> None:
    rng = random.Random(kind)
    centers = [near(rng) for _ in range(8)]
    vectors = {key: near(rng, rng.choice(centers)) for key in range(1, 401)}
    board = Readers.of(groups=["board"])
    puts = tuple(entry(key, "velvet", readers=board if key % 2 else None) for key in vectors)
    name = f"kinds-{kind}".replace("_", "-")
    await forget(elasticsearch_url, name)
    settings = ElasticsearchSettings(url=elasticsearch_url, name=name, replicas=0, vectors=kind, search_seconds=30)
    index = ElasticsearchIndex(settings, PartContext(Path()))
    await index.open()
    try:
        await index.apply(IndexChanges(1, puts, (), tuple(vectors.items()), MODEL))
        mapping = await index._open_client().indices.get_mapping(index=name)
        ((_, about),) = mapping.body.items()
        made = about["mappings"]["properties"]["windows"]["properties"]["vector"]
        assert made["index_options"]["type"] == kind
        found = 0
        for audience, allowed in ((BOARD, set(vectors)), (TEAM, {key for key in vectors if key % 2 == 0})):
            for center in centers:
                query = IndexQuery(audience, "", vector=center, vector_model=MODEL, limit=20)
                scores = (await index.search(query)).legs["vectors"]
                assert len(scores) == 20
                assert scores.keys() <= allowed
                assert scores == pytest.approx({key: cosine(vectors[key], center) for key in scores}, abs=2e-3)
                best = sorted(allowed, key=lambda key: -cosine(vectors[key], center))[:20]
                found += len(scores.keys() & set(best))
        assert found >= 0.95 * 16 * 20
    finally:
        await index.close()
        await forget(elasticsearch_url, name)
