"""Cohere's own SDK understands the fake Cohere, and what Cohere refuses, it refuses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

pytest.importorskip("cohere")

import cohere
from cohere.core.api_error import ApiError

from citebot.testing.models.cohere import KEY, FakeCohere
from citebot.testing.models.cohere_chat import Reply, from_documents
from citebot.testing.models.faults import Fault
from citebot.testing.models.server import Rate

pytestmark = pytest.mark.filterwarnings("ignore:The `__fields__` attribute:DeprecationWarning")  # the SDK's own
DOCUMENTS = [
    {"id": "100", "data": {"title": "Tall penguins", "snippet": "Emperor penguins are the tallest."}},
    {"id": "101", "data": {"title": "Habitats", "snippet": "Emperor penguins only live in Antarctica."}},
]
SAID = Reply(
    "The tallest are Emperor penguins. They live in Antarctica.",
    [("Emperor penguins.", ["100"]), ("Antarctica.", ["101"])],
)
CHAT: dict[str, Any] = {
    "model": "command-a-03-2025",
    "messages": [{"role": "user", "content": "Where do the tallest penguins live?"}],
}


@pytest.fixture
def server() -> Iterator[FakeCohere]:
    with FakeCohere() as server:
        server.script = lambda body: SAID
        yield server


@pytest.fixture(scope="module")
def http() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=10) as http:
        yield http


@pytest.fixture
def sdk(server: FakeCohere, http: httpx.Client) -> Any:
    return cohere.ClientV2(KEY, base_url=server.url, httpx_client=http, max_retries=0)


def types(events: list[Any]) -> list[str]:
    """The kinds of events, each run of one kind once."""
    kinds = [event.type for event in events]
    return [kind for n, kind in enumerate(kinds) if n == 0 or kinds[n - 1] != kind]


def cited(events: list[Any]) -> list[Any]:
    return [event.delta.message.citations for event in events if event.type == "citation-start"]


def text(events: list[Any]) -> str:
    return "".join(event.delta.message.content.text for event in events if event.type == "content-delta")


def test_accurate_citations_come_after_the_text(sdk: Any) -> None:
    events = list(sdk.chat_stream(**CHAT, documents=DOCUMENTS, citation_options={"mode": "ACCURATE"}))
    assert types(events) == [
        "message-start", "content-start", "content-delta", "citation-start", "citation-end", "citation-start",
        "citation-end", "content-end", "message-end",
    ]  # fmt: skip
    assert text(events) == SAID.text
    assert [(one.start, one.end, one.text) for one in cited(events)] == [
        (16, 33, "Emperor penguins."),
        (47, 58, "Antarctica."),
    ]
    assert cited(events)[1].sources[0].document["snippet"] == "Emperor penguins only live in Antarctica."


def test_fast_citations_come_right_after_their_words(sdk: Any) -> None:
    events = list(sdk.chat_stream(**CHAT, documents=DOCUMENTS, citation_options={"mode": "FAST"}))
    at = [n for n, event in enumerate(events) if event.type == "citation-start"]
    assert [text(events[:n]) for n in at] == [SAID.text[:33], SAID.text]
    assert [one.sources[0].id for one in cited(events)] == ["100", "101"]


def test_the_end_says_why_and_what_it_costs(sdk: Any) -> None:
    end = list(sdk.chat_stream(**CHAT, documents=DOCUMENTS))[-1].delta
    assert end.finish_reason == "COMPLETE"
    assert (end.usage.billed_units.output_tokens, end.usage.tokens.output_tokens) == (11, 11)
    assert end.usage.tokens.input_tokens > end.usage.billed_units.input_tokens > 10


def test_an_answer_in_one_piece(server: FakeCohere, sdk: Any) -> None:
    server.script = lambda body: Reply(SAID.text, SAID.citations, thinking="Penguins…")
    answer = sdk.chat(**CHAT, documents=DOCUMENTS)
    assert [one.type for one in answer.message.content] == ["thinking", "text"]
    assert answer.message.content[1].text == SAID.text
    assert [one.text for one in answer.message.citations] == ["Emperor penguins.", "Antarctica."]
    assert answer.finish_reason == "COMPLETE"


def test_thoughts_are_a_block_of_their_own(server: FakeCohere, sdk: Any) -> None:
    server.script = lambda body: Reply(SAID.text, SAID.citations, thinking="Penguins, then.")
    events = list(sdk.chat_stream(**CHAT, documents=DOCUMENTS))
    starts = [(event.index, event.delta.message.content.type) for event in events if event.type == "content-start"]
    assert starts == [(0, "thinking"), (1, "text")]
    assert {one.content_index for one in cited(events)} == {1}


def test_by_itself_it_answers_from_the_documents(server: FakeCohere, sdk: Any) -> None:
    server.script = from_documents
    answer = sdk.chat(**CHAT, documents=[DOCUMENTS[1], "Nothing else."])
    assert "Antarctica" in answer.message.content[0].text
    assert answer.message.citations[0].sources[0].id == "101"


def test_the_limit_of_tokens_cuts_it_off(sdk: Any) -> None:
    answer = sdk.chat(**CHAT, documents=DOCUMENTS, max_tokens=5)
    assert answer.message.content[0].text == "The tallest are Emperor penguins"
    assert answer.finish_reason == "MAX_TOKENS"


@pytest.mark.parametrize("kind", ["float", "base64"])
def test_vectors(sdk: Any, kind: str) -> None:
    answer = sdk.embed(
        model="embed-v4.0", texts=["a b", "c"], input_type="search_query", embedding_types=[kind], output_dimension=256
    )
    rows = answer.embeddings.float_ if kind == "float" else answer.embeddings.base64
    assert len(rows) == 2
    assert len(rows[0]) == (256 if kind == "float" else 1368)
    assert answer.meta.billed_units.input_tokens == 3


def test_ranking(sdk: Any) -> None:
    answer = sdk.rerank(
        model="rerank-v3.5", query="tallest penguins", documents=["soup", "the tallest penguins"], top_n=1
    )
    assert [(one.index, one.relevance_score > 0.9) for one in answer.results] == [(1, True)]
    assert answer.meta.billed_units.search_units == 1


def test_models(sdk: Any) -> None:
    found = sdk.models.get("command-a-03-2025")
    assert (found.endpoints, found.context_length) == (["chat"], 256_000)
    assert {"embed-v4.0", "rerank-v3.5"} <= {one.name for one in sdk.models.list().models}


EMBED: dict[str, Any] = {"model": "embed-v4.0", "input_type": "search_query", "embedding_types": ["float"]}
RERANK: dict[str, Any] = {"model": "rerank-v3.5", "query": "x"}


@pytest.mark.parametrize(
    ("call", "arguments", "status", "words"),
    [
        ("chat", CHAT | {"model": "xyz"}, 404, "model 'xyz' not found"),
        ("chat", CHAT | {"model": "embed-v4.0"}, 400, "not supported by the chat API"),
        ("chat", CHAT | {"messages": []}, 400, "at least 1 token"),
        ("chat", CHAT | {"messages": [{"role": "user", "content": " "}]}, 400, "must not be empty"),
        (
            "chat",
            CHAT | {"messages": [*CHAT["messages"], {"role": "system", "content": "x"}]},
            400,
            "first in the list",
        ),
        ("chat", CHAT | {"temperature": 1.5}, 400, "between 0 and 1.0"),
        ("chat", CHAT | {"max_tokens": 9000}, 400, "too many tokens: max tokens must be"),
        ("chat", CHAT | {"safety_mode": "WILD"}, 400, "safety_mode"),
        ("chat", CHAT | {"citation_options": {"mode": "NICE"}}, 400, "citation_options"),
        ("chat", CHAT | {"documents": [{"id": "1", "data": {}}]}, 400, "document at index 0 cannot be empty"),
        ("chat", CHAT | {"documents": [DOCUMENTS[0]] * 2}, 400, "duplicate"),
        ("chat", CHAT | {"documents": ["word " * 260_000]}, 400, "too many tokens: size limit exceeded by"),
        ("embed", EMBED | {"texts": ["x"] * 97}, 400, "at most 96 - received 97"),
        ("embed", EMBED | {"texts": ["x", ""]}, 400, "empty string at index 1"),
        ("embed", EMBED | {"texts": []}, 400, "empty string"),
        ("embed", EMBED | {"texts": ["x"], "input_type": "poem"}, 400, "valid input_type"),
        ("embed", EMBED | {"texts": ["x"], "output_dimension": 300}, 400, "must be one of"),
        (
            "embed",
            EMBED | {"texts": ["x"], "model": "embed-english-v3.0", "output_dimension": 256},
            400,
            "not supported",
        ),
        ("embed", EMBED | {"texts": ["x " * 130_000], "truncate": "NONE"}, 400, "too many tokens"),
        ("rerank", RERANK | {"documents": []}, 400, "must not be empty"),
        ("rerank", RERANK | {"documents": ["x", " "]}, 400, "document at index 1 cannot be empty"),
        ("rerank", RERANK | {"documents": ["x"] * 1001}, 400, "at most 1000"),
        ("rerank", RERANK | {"query": " ", "documents": ["x"]}, 400, "query must not be empty"),
    ],
)
def test_refusals(sdk: Any, call: str, arguments: dict[str, Any], status: int, words: str) -> None:
    with pytest.raises(ApiError) as caught:
        getattr(sdk, call)(**arguments)
    assert caught.value.status_code == status
    assert words in caught.value.body["message"]
    assert caught.value.body["id"]


@pytest.mark.parametrize("key", ["", "wrong"])
def test_keys_are_looked_at(server: FakeCohere, http: httpx.Client, key: str) -> None:
    with pytest.raises(cohere.UnauthorizedError) as caught:
        cohere.ClientV2(key, base_url=server.url, httpx_client=http).models.list()
    assert caught.value.body["message"] == ("invalid api token" if key else "no api key supplied")


def test_a_trial_key_has_so_many_calls(http: httpx.Client) -> None:
    with FakeCohere(rate=Rate(2, clock=lambda: 0.0)) as server:
        sdk = cohere.ClientV2(KEY, base_url=server.url, httpx_client=http, max_retries=0)
        sdk.models.list()
        sdk.models.list()
        with pytest.raises(cohere.TooManyRequestsError) as caught:
            sdk.models.list()
    assert "Trial key" in caught.value.body["message"]
    assert caught.value.headers["retry-after"] == "61"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422, 429, 498, 499, 500, 501, 503, 504])
def test_every_error_is_one_of_the_sdk_s(server: FakeCohere, sdk: Any, status: int) -> None:
    server.faults.add(Fault(status=status))
    with pytest.raises(ApiError) as caught:
        sdk.chat(**CHAT)
    assert type(caught.value) is not ApiError
    assert caught.value.status_code == status
    sdk.chat(**CHAT)


def test_what_was_asked_is_kept(server: FakeCohere, sdk: Any) -> None:
    sdk.chat(**CHAT, documents=DOCUMENTS)
    [body] = server.bodies("/v2/chat")
    assert body["documents"] == DOCUMENTS
    assert server.bodies("/v2/embed") == []


def test_the_sdk_sends_nothing_but_what_it_is_told_to(server: FakeCohere, sdk: Any) -> None:
    assert server.received == []
    sdk.chat(**CHAT)
    assert [one.path for one in server.received] == ["/v2/chat"]
