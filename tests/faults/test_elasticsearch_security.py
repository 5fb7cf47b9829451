"""TLS, keys and privileges, which the test server lacks: a front of ours has the rules of the real ones."""

from __future__ import annotations

import json
import sys
import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

pytest.importorskip("elasticsearch")
sys.path.insert(0, str(Path(__file__).parent))  # the tests are no package
sys.path.insert(0, str(Path(__file__).parents[1] / "contract"))

from certificates import Authority
from elasticsearch_proxy import PRODUCT, Proxy, refusal
from elasticsearch_security import Security
from index_on_elasticsearch import forget

from citebot.errors import IndexUnavailable
from citebot.model import Readers
from citebot.ports import IndexChanges, IndexQuery, PartContext
from citebot.testing.contract_index import MODEL, TEAM, entry, rows
from citebot.testing.local_server import Received, Sent, local_server
from citebot_plugins.elasticsearch.index import ElasticsearchIndex
from citebot_plugins.elasticsearch.privileges import role
from citebot_plugins.elasticsearch.settings import ElasticsearchSettings

pytestmark = [pytest.mark.elasticsearch, pytest.mark.xdist_group("elasticsearch")]
KEY = "Y2l0ZWJvdDpzZWNyZXQ="
Front = Callable[..., Proxy]


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def front(elasticsearch_url: str) -> Iterator[Front]:
    """Open fronts that close with the test."""
    opened: list[Proxy] = []

    def open_one(**settings: Any) -> Proxy:
        opened.append(Proxy(elasticsearch_url, **settings))
        return opened[-1]

    yield open_one
    for each in opened:
        each.close()


def index_at(url: str, **more: Any) -> ElasticsearchIndex:
    usual = {"url": url, "name": f"security-{uuid.uuid4().hex[:12]}", "replicas": 0, "search_seconds": 30.0}
    return ElasticsearchIndex(ElasticsearchSettings(**{**usual, **more}), PartContext(Path()))


async def refusal_of(index: ElasticsearchIndex) -> str:
    """Why it does not open, which is one line and holds no key."""
    with pytest.raises(IndexUnavailable) as raised:
        await index.open()
    said = str(raised.value)
    assert "\n" not in said
    assert KEY not in said
    return said


async def works(index: ElasticsearchIndex, elasticsearch_url: str) -> bool:
    try:
        await index.open()
        await index.apply(IndexChanges(1, puts=(entry(1, "velvet"),)))
        return set((await index.search(IndexQuery(TEAM, "velvet"))).legs["words"]) == {1}
    finally:
        await index.close()
        await forget(elasticsearch_url, index._settings.name)


# --- certificates ----------------------------------------------------------------------------------------------------


async def test_an_authority_of_ones_own_is_trusted_by_its_file(
    front: Front, authority: Authority, elasticsearch_url: str
) -> None:
    context, _ = authority.server()
    url = front(tls=context).server.url
    assert await works(index_at(url, ca_file=str(authority.file)), elasticsearch_url)
    assert "index.elasticsearch.ca_file" in await refusal_of(index_at(url))


async def test_a_certificate_is_trusted_by_its_fingerprint_and_no_other_is(
    front: Front, authority: Authority, elasticsearch_url: str
) -> None:
    context, fingerprint = authority.server()
    other, _ = authority.server()
    assert await works(index_at(front(tls=context).server.url, fingerprint=fingerprint), elasticsearch_url)
    renewed = index_at(front(tls=other).server.url, fingerprint=fingerprint.replace(":", "").upper())
    assert "another certificate than index.elasticsearch.fingerprint" in await refusal_of(renewed)


async def test_what_is_wrong_with_a_certificate_is_said(front: Front, authority: Authority, tmp_path: Path) -> None:
    expired, _ = authority.server(lasts=-timedelta(hours=1))
    elsewhere, _ = authority.server(address="127.0.0.2")
    stranger, _ = Authority(tmp_path, "stranger").server()
    for context, words in ((expired, "has expired"), (elsewhere, "is for another name"), (stranger, "is not trusted")):
        said = await refusal_of(index_at(front(tls=context).server.url, ca_file=str(authority.file)))
        assert words in said


async def test_tls_and_plain_http_do_not_meet(front: Front, authority: Authority) -> None:
    context, _ = authority.server()
    plain = front(tls=context).server.url.replace("https:", "http:")
    assert "begins with https://" in await refusal_of(index_at(plain))
    wrapped = front().server.url.replace("http:", "https:")
    assert "does not speak TLS" in await refusal_of(index_at(wrapped, ca_file=str(authority.file)))


async def test_a_file_without_certificates_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty.pem").write_text("nothing")
    for name in ("empty.pem", "absent.pem"):
        assert name in await refusal_of(index_at("https://127.0.0.1:9", ca_file=str(tmp_path / name)))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"url": "https://a:9200", "fingerprint": "abc"}, "64 hexadecimal digits"),
        ({"url": "http://a:9200", "ca_file": "/ca.pem"}, "https://"),
        ({"api_key": KEY, "username": "elastic"}, "not both"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(settings: dict[str, str], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        ElasticsearchSettings(**settings)


# --- what is not the server that was meant ---------------------------------------------------------------------------

LOGO = {"cluster_name": "opensearch", "version": {"distribution": "opensearch", "number": "3.1.0"}}
EIGHT = refusal(400, "media_type_header_exception", "Invalid media-type value on headers [Accept]")


def eight(request: Received) -> Sent:
    """Elasticsearch 8 refuses every request that asks for the format of 9."""
    return EIGHT if "compatible-with=9" in request.headers["accept"] else Sent("{}", 200, PRODUCT)


OTHERS: dict[str, tuple[Callable[[Received], Sent | None], str]] = {
    "OpenSearch": (lambda r: Sent(json.dumps(LOGO), 200, {"content-type": "application/json"}), "not Elasticsearch"),
    "old OpenSearch": (
        lambda r: Sent('{"error": "Content-Type header is not supported"}', 406, {"content-type": "application/json"}),
        "not Elasticsearch",
    ),
    "a web site": (lambda r: Sent("<html>Welcome", 200, {"content-type": "text/html"}), "not Elasticsearch"),
    "a page that is not there": (lambda r: Sent("Not Found", 404, {"content-type": "text/plain"}), "not Elasticsearch"),
    "pictures": (lambda r: Sent(b"\x89PNG", 200, {"content-type": "image/png"}), "not Elasticsearch"),
    "Elasticsearch 8": (eight, "older version"),
    "Elasticsearch 10": (
        lambda r: Sent('{"version": {"number": "10.0.1"}}', 200, PRODUCT),
        "is Elasticsearch 10.0.1; Citebot speaks with 9.x",
    ),
    "nothing": (lambda r: None, "cannot be reached"),
}


@pytest.mark.parametrize("name", OTHERS)
async def test_another_server_is_refused_in_one_line(name: str) -> None:
    answer, words = OTHERS[name]
    with local_server(answer) as server:
        assert words in await refusal_of(index_at(server.url, api_key=KEY))


async def test_an_address_that_is_none_is_refused() -> None:
    for url in ("search.example.com", "ftp://a:1", "http://a", ""):
        assert "index.elasticsearch" in await refusal_of(index_at(url))


# --- keys and privileges ---------------------------------------------------------------------------------------------


async def test_a_key_is_asked_for_and_a_wrong_one_refused(front: Front) -> None:
    url = front(answer=Security({KEY: role("citebot")})).server.url
    assert "set index.elasticsearch.api_key" in await refusal_of(index_at(url))
    assert "check index.elasticsearch.api_key" in await refusal_of(index_at(url, api_key="d3Jvbmc6d3Jvbmc="))


async def everything(index: ElasticsearchIndex) -> None:
    """Every call that the index makes of the server."""
    await index.open()
    await index.apply(IndexChanges(1, (entry(1, "velvet"), entry(2, "velvet")), (), ((1, rows((1, 0, 0, 0))),), MODEL))
    await index.apply(IndexChanges(2, (entry(1, "velvet", readers=Readers.nobody()),), (2, 99)))
    await index.search(IndexQuery(TEAM, "velvet", vector=rows((1, 0, 0, 0)), vector_model=MODEL))
    await index.stats()
    await index.position()
    await index.purge()
    for _ in range(2):
        version = await index.begin(seq=2, model="another")
        await version.apply(IndexChanges(2, puts=(entry(1, "velvet"),)))
        await index.switch()
    await index.switch_back()
    await index.begin(seq=2, model="a third")
    await index.drop("next")
    await index.drop("kept")
    await index.reset()
    await index.close()


async def test_the_printed_role_is_enough_and_nothing_of_it_too_much(front: Front, elasticsearch_url: str) -> None:
    name = f"security-{uuid.uuid4().hex[:12]}"
    printed = role(name)
    security = Security({KEY: printed})
    await everything(index_at(front(answer=security).server.url, api_key=KEY, name=name))
    await forget(elasticsearch_url, name)
    assert security.unknown == set()
    assert security.unnecessary(printed) == set()


async def test_a_key_of_another_index_opens_nothing(front: Front) -> None:
    url = front(answer=Security({KEY: role("others")})).server.url
    assert "on citebot" in await refusal_of(index_at(url, api_key=KEY, name="citebot"))


@pytest.mark.parametrize(
    ("kind", "privilege", "words"),
    [
        ("cluster", "monitor", "cluster:monitor/main (one of these privileges is needed: monitor, manage, all)"),
        ("indices", "manage", "(one of these privileges is needed: view_index_metadata, manage, all)"),
        ("indices", "write", "indices:data/write/"),
        ("indices", "read", "indices:data/read/"),
    ],
)
async def test_a_missing_privilege_is_named(
    front: Front, elasticsearch_url: str, kind: str, privilege: str, words: str
) -> None:
    name = f"security-{uuid.uuid4().hex[:12]}"
    less = role(name)
    for part in (less["cluster"], *(part["privileges"] for part in less["indices"])):
        if (privilege == "monitor") == (part is less["cluster"]):
            part.remove(privilege)
    index = index_at(front(answer=Security({KEY: less})).server.url, api_key=KEY, name=name)
    try:
        with pytest.raises(IndexUnavailable) as raised:
            await everything(index)
    finally:
        await index.close()
        await forget(elasticsearch_url, name)
    assert words in str(raised.value)
    assert "citebot index privileges" in str(raised.value)
    assert "\n" not in str(raised.value)


async def test_a_right_that_is_taken_away_later_loses_no_passage(front: Front, elasticsearch_url: str) -> None:
    """Elasticsearch refuses single passages of a request then; none of them counts as done."""
    proxy = front()
    index = index_at(proxy.server.url)
    await index.open()
    try:
        denied = "action [indices:data/write/bulk[s]] is unauthorized for API key id [x]"
        proxy.item = lambda key: (403, "security_exception")
        proxy.reason = denied
        with pytest.raises(IndexUnavailable, match=r"indices:data/write/bulk\[s\]"):
            await index.apply(IndexChanges(1, puts=(entry(1, "velvet"),)))
        assert await index.position() == 0
    finally:
        await index.close()
        await forget(elasticsearch_url, index._settings.name)
