"""What a cluster can do to us: refuse items, lose answers, break shards, run full, be another server."""

from __future__ import annotations

import asyncio
import random
import sys
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

pytest.importorskip("elasticsearch")
sys.path.insert(0, str(Path(__file__).parent))  # the tests are no package
sys.path.insert(0, str(Path(__file__).parents[1] / "contract"))

from elasticsearch_proxy import Proxy, refusal
from index_on_elasticsearch import forget

from citebot.errors import IndexUnavailable
from citebot.model import Readers
from citebot.ports import IndexChanges, IndexQuery, PartContext
from citebot.testing.contract_index import MODEL, TEAM, entry, rows
from citebot.testing.local_server import Received, Sent
from citebot_plugins.elasticsearch.index import ElasticsearchIndex
from citebot_plugins.elasticsearch.settings import ElasticsearchSettings

pytestmark = [pytest.mark.elasticsearch, pytest.mark.xdist_group("elasticsearch")]
KEY = "dGVzdDp0ZXN0"


@pytest.fixture
def proxy(elasticsearch_url: str) -> Iterator[Proxy]:
    made = Proxy(elasticsearch_url)
    yield made
    made.close()


def index_at(proxy: Proxy, **more: Any) -> ElasticsearchIndex:
    usual = {"url": proxy.server.url, "name": f"faults-{uuid.uuid4().hex[:12]}", "replicas": 0, "search_seconds": 30.0}
    return ElasticsearchIndex(ElasticsearchSettings(**{**usual, **more}), PartContext(Path()))


@pytest_asyncio.fixture
async def index(proxy: Proxy) -> AsyncIterator[ElasticsearchIndex]:
    made = index_at(proxy)
    await made.open()
    yield made
    proxy.answer, proxy.item, proxy.lose = (lambda r: None), (lambda k: None), (lambda r: False)
    await made.reset()
    await made.close()


async def persist(index: ElasticsearchIndex, changes: IndexChanges) -> int:
    """Apply as a feeder does: the same again until it is in; how often."""
    for times in range(1, 200):
        try:
            await index.apply(changes)
        except IndexUnavailable:
            await asyncio.sleep(0.01)
        else:
            return times
    raise AssertionError("never applied")


@pytest.mark.slow
@pytest.mark.timeout(1800)
async def test_p9_no_passage_is_missing_without_a_word(
    proxy: Proxy, index: ElasticsearchIndex, count: Callable[[int, int], int]
) -> None:
    chance = random.Random(9)
    most = count(600, 20_000)
    busy: Counter[int] = Counter()

    def item(key: int) -> tuple[int, str] | None:
        if key % 20 == 0:
            return 400, "document_parsing_exception"
        if chance.random() < 0.3 and busy[key] < 3:
            busy[key] += 1
            return 429, "es_rejected_execution_exception"
        return None

    proxy.item = item
    proxy.lose = lambda request: request.path.endswith("/_bulk") and chance.random() < 0.2
    began, times = time.monotonic(), 0
    for seq, first in enumerate(range(1, most + 1, 300), start=1):
        puts = tuple(entry(key, "velvet") for key in range(first, min(first + 300, most + 1)))
        times += await persist(index, IndexChanges(seq, puts=puts))
    stats = await index.stats()
    print(f"{most} passages in {time.monotonic() - began:.0f} s, {busy.total()} refused for now, {times} tries")
    assert (stats.passages, stats.refused) == (most - most // 20, most // 20)
    assert stats.seq == seq


async def test_a_late_write_never_wins(proxy: Proxy, index: ElasticsearchIndex) -> None:
    await index.apply(IndexChanges(5, puts=(entry(1, "velvet", readers=Readers.nobody()), entry(2, "velvet"))))
    await index.apply(IndexChanges(6, removals=(2,)))
    state = await index._read_state()
    for key in (1, 2):
        changes = IndexChanges(4, puts=(entry(key, "velvet"),))
        await index._send(await index._items(state, changes), state.index, 4)
    index._unseen = True
    assert (await index.search(IndexQuery(TEAM, "velvet"))).legs["words"] == {}


async def test_a_part_that_does_not_answer_is_asked_once_more_and_told(proxy: Proxy, index: ElasticsearchIndex) -> None:
    await index.apply(IndexChanges(1, puts=(entry(1, "velvet"),)))

    def broken(request: Received, body: Any) -> Any:
        for response in body.get("responses", ()) if request.path.endswith("/_msearch") else ():
            response["_shards"]["failed"] = 1
        return body

    await index.search(IndexQuery(TEAM, "velvet"))
    proxy.change = broken
    proxy.requests.clear()
    found = await index.search(IndexQuery(TEAM, "velvet"))
    assert found.partial
    assert found.legs["words"].keys() == {1}
    assert len([line for line in proxy.requests if line.endswith("/_msearch")]) == 2


async def test_what_could_not_be_shown_is_shown_with_the_next_search(proxy: Proxy, index: ElasticsearchIndex) -> None:
    await index.apply(IndexChanges(1, puts=(entry(1, "velvet"),)))
    proxy.answer = lambda request: refusal(503, "unavailable") if request.path.endswith("/_refresh") else None
    with pytest.raises(IndexUnavailable):
        await index.search(IndexQuery(TEAM, "velvet"))
    proxy.answer = lambda request: None
    proxy.requests.clear()
    assert set((await index.search(IndexQuery(TEAM, "velvet"))).legs["words"]) == {1}
    assert any(line.endswith("/_refresh") for line in proxy.requests)


REFUSALS = {
    "full disk": (refusal(429, "cluster_block_exception", "flood-stage watermark exceeded"), "disk is full"),
    "too busy": (refusal(429, "circuit_breaking_exception", "too much"), "too much to do"),
    "privilege": (
        refusal(403, "security_exception", "action [indices:data/write/bulk] is unauthorized for API key id [x]"),
        "indices:data/write/bulk",
    ),
    "key": (refusal(401, "security_exception", "unable to authenticate"), "index.elasticsearch.api_key"),
    "another server": (Sent("{}", 200, {"content-type": "application/json"}), "is not Elasticsearch"),
    "broken": (refusal(503, "unavailable_shards_exception"), "503"),
}


@pytest.mark.parametrize("name", REFUSALS)
async def test_what_the_server_refuses_is_said_in_one_line(proxy: Proxy, name: str) -> None:
    answer, words = REFUSALS[name]
    index = index_at(proxy)
    proxy.answer = lambda request: answer
    with pytest.raises(IndexUnavailable) as raised:
        await index.open()
    assert words in str(raised.value)
    assert "\n" not in str(raised.value)


async def test_a_server_of_another_generation_is_refused(proxy: Proxy) -> None:
    proxy.change = lambda request, body: {**body, "version": {"number": "8.19.2"}} if request.path == "/" else body
    with pytest.raises(IndexUnavailable, match=r"8\.19\.2"):
        await index_at(proxy).open()


async def test_an_index_of_a_newer_citebot_is_left_alone(proxy: Proxy, index: ElasticsearchIndex) -> None:
    def newer(request: Received, body: Any) -> Any:
        for about in body.values() if request.path.endswith("/_mapping") else ():
            about["mappings"]["_meta"] = {"format": 99}
        return body

    proxy.change = newer
    with pytest.raises(IndexUnavailable, match="newer Citebot"):
        await index.position()
    proxy.change = lambda request, body: body


async def test_the_key_is_sent_and_never_said(proxy: Proxy) -> None:
    proxy.key = KEY
    index = index_at(proxy, api_key=KEY)
    await index.open()
    await index.reset()
    await index.close()
    wrong = index_at(proxy, api_key="c2VjcmV0OnNlY3JldA==")
    with pytest.raises(IndexUnavailable) as raised:
        await wrong.open()
    assert "c2VjcmV0" not in str(raised.value)


async def test_a_server_that_is_not_there_is_named(proxy: Proxy) -> None:
    index = index_at(proxy, url="http://user:hidden@127.0.0.1:9")
    with pytest.raises(IndexUnavailable, match="cannot be reached") as raised:
        await index.open()
    assert "hidden" not in str(raised.value)


async def test_vectors_of_other_dimensions_are_refused(index: ElasticsearchIndex) -> None:
    from citebot.model import Embedding

    await index.apply(IndexChanges(1, (entry(1, "velvet"),), (), ((1, rows((1, 0, 0, 0))),), MODEL))
    with pytest.raises(IndexUnavailable, match="4 dimensions"):
        await index.apply(IndexChanges(2, (), (), ((1, Embedding(2, b"\x00\x3c\x00\x00")),), MODEL))


async def test_a_passage_that_cannot_be_read_for_now_keeps_its_vectors(proxy: Proxy, index: ElasticsearchIndex) -> None:
    await index.apply(IndexChanges(1, (entry(1, "velvet"),), (), ((1, rows((1, 0, 0, 0))),), MODEL))

    def unread(request: Received, body: Any) -> Any:
        if not request.path.endswith("/_mget"):
            return body
        error = {"type": "no_shard_available_action_exception", "reason": "as told"}
        return {"docs": [{"_index": each["_index"], "_id": each["_id"], "error": error} for each in body["docs"]]}

    proxy.change = unread
    with pytest.raises(IndexUnavailable, match="503 no_shard_available"):
        await index.apply(IndexChanges(2, (entry(1, "linen"),)))
    proxy.change = lambda request, body: body
    await index.apply(IndexChanges(2, (entry(1, "linen"),)))
    assert (await index.stats()).vectors == 1


@pytest.mark.timeout(900)
async def test_processes_that_begin_together_make_one_index(
    elasticsearch_url: str, count: Callable[[int, int], int]
) -> None:
    for _ in range(count(3, 20)):
        name = f"together-{uuid.uuid4().hex[:12]}"
        settings = ElasticsearchSettings(url=elasticsearch_url, name=name, replicas=0, search_seconds=30)
        indexes = [ElasticsearchIndex(settings, PartContext(Path())) for _ in range(6)]
        try:
            await asyncio.gather(*(index.open() for index in indexes))
            made = await indexes[0]._made_before(indexes[0]._open_client())
            assert [list(about["aliases"]) for about in made.values()] == [[name]]
            for number, index in enumerate(indexes, start=1):
                await index.apply(IndexChanges(number, (entry(number, "velvet"),), ()))
                found = (await index.search(IndexQuery(TEAM, "velvet"))).legs["words"]
                assert found.keys() == {*range(1, number + 1)}
        finally:
            await asyncio.gather(*(index.close() for index in indexes))
            await forget(elasticsearch_url, name)


async def test_who_begins_with_an_old_picture_of_the_cluster_makes_no_second_index(
    proxy: Proxy, index: ElasticsearchIndex
) -> None:
    """As a node of a cluster has it that has not heard yet of what another one was asked to make."""
    await index.apply(IndexChanges(1, puts=(entry(1, "velvet"),)))
    late = index_at(proxy, name=index._settings.name)

    def old(request: Received) -> Sent | None:
        made = any(line.startswith("PUT") and not line.endswith("-state") for line in proxy.requests)
        hidden = request.path.endswith(f"/{index._settings.name}/_mapping") and not made
        return refusal(404, "index_not_found_exception") if hidden else None

    proxy.requests.clear()
    proxy.answer = old
    try:
        await late.open()
        assert (await late.position(), await index.position()) == (1, 1)
        assert len(await index._made_before(index._open_client())) == 1
    finally:
        await late.close()


async def test_what_another_process_brings_to_an_empty_index_is_found_within_a_second(
    proxy: Proxy, index: ElasticsearchIndex
) -> None:
    other = index_at(proxy, name=index._settings.name)
    await other.open()
    try:
        assert (await other.search(IndexQuery(TEAM, "velvet"))).legs["words"] == {}
        vector = rows((1, 0, 0, 0))
        await index.apply(IndexChanges(1, (entry(1, "velvet"),), (), ((1, vector),), MODEL))
        await asyncio.sleep(1.1)
        found = await other.search(IndexQuery(TEAM, "velvet", vector=vector, vector_model=MODEL))
        assert {leg: set(scores) for leg, scores in found.legs.items()} == {
            "words": {1},
            "headings": {1},
            "vectors": {1},
        }
    finally:
        await other.close()
