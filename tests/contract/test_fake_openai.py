"""The fake of OpenAI's interface keeps the rules of the real one, on the wire."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from citebot.testing.models.faults import Fault
from citebot.testing.models.openai import FakeOpenAI
from citebot.testing.models.openai_chat import Says
from citebot.testing.models.server import Rate

HELLO = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello!"}]


@pytest.fixture
def server() -> Iterator[FakeOpenAI]:
    with FakeOpenAI(script=lambda chat: "Hello there, friend.") as server:
        yield server


def post(server: FakeOpenAI, path: str, *, key: str = "", **body: Any) -> httpx.Response:
    headers = {"authorization": f"Bearer {key or server.key}"}
    return httpx.post(f"{server.base_url}{path}", json=body, headers=headers, timeout=5, trust_env=False, verify=False)


def chat(server: FakeOpenAI, **more: Any) -> httpx.Response:
    return post(server, "/chat/completions", **{"model": "chat-1", "messages": HELLO, **more})


def events(response: httpx.Response) -> list[Any]:
    lines = [line for line in response.text.split("\n\n") if line]
    assert all(line.startswith("data: ") for line in lines)
    assert lines[-1] == "data: [DONE]"
    return [json.loads(line[6:]) for line in lines[:-1]]


def test_an_answer_in_one_piece_has_text_reason_and_usage(server: FakeOpenAI) -> None:
    answer = chat(server).json()
    [choice] = answer["choices"]
    assert choice["message"] == {"role": "assistant", "content": "Hello there, friend.", "refusal": None}
    assert choice["finish_reason"] == "stop"
    usage = answer["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"] > 10
    assert server.chats[0].user == "Hello!"


def test_a_stream_begins_with_the_role_and_ends_with_usage_and_done(server: FakeOpenAI) -> None:
    response = chat(server, stream=True, stream_options={"include_usage": True})
    assert response.headers["content-type"] == "text/event-stream"
    first, *middle, last = events(response)
    assert first["choices"][0]["delta"]["role"] == "assistant"
    assert "".join(event["choices"][0]["delta"].get("content", "") for event in middle) == "Hello there, friend."
    assert [event["choices"][0]["finish_reason"] for event in middle][-2:] == [None, "stop"]
    assert (last["choices"], last["usage"]["completion_tokens"]) == ([], len(middle) - 1)
    assert all(event["usage"] is None for event in [first, *middle])
    assert "usage" not in events(chat(server, stream=True))[-1]


def test_the_limit_of_tokens_ends_an_answer_thoughts_included(server: FakeOpenAI) -> None:
    answer = chat(server, max_tokens=2).json()
    assert answer["choices"][0]["finish_reason"] == "length"
    assert answer["usage"]["completion_tokens"] == 2
    server.script = lambda chat: Says("Hello!", thinking="Shall I? " * 10)
    answer = chat(server, max_completion_tokens=5).json()
    assert answer["choices"][0]["message"]["content"] == ""
    assert answer["usage"]["completion_tokens_details"]["reasoning_tokens"] == 5


def test_answers_are_built_from_the_passages_unless_a_script_says_otherwise() -> None:
    with FakeOpenAI() as server:
        said = "<<<m passage [2] from wiki, trust: team\n> Leave\n> Employees get 26 days.\n>\n> More.\nm>>>\n\nHow?"
        answer = chat(server, messages=[{"role": "user", "content": said}]).json()
        assert answer["choices"][0]["message"]["content"] == "Employees get 26 days. [2]"


@pytest.mark.parametrize(
    ("given", "status", "code"),
    [
        ({"key": "sk-wrong"}, 401, "invalid_api_key"),
        ({"model": "chat-9"}, 404, "model_not_found"),
        ({"messages": [{"role": "user", "content": "word " * 20_000}]}, 400, "context_length_exceeded"),
        ({"max_tokens": 20_000}, 400, "context_length_exceeded"),
        ({"messages": []}, 400, None),
        ({"messages": [{"role": "user"}]}, 400, None),
        ({"colour": "blue"}, 400, None),
    ],
)
def test_what_is_wrong_is_refused_in_the_form_of_openai(
    server: FakeOpenAI, given: dict[str, Any], status: int, code: str | None
) -> None:
    response = chat(server, **given)
    error = response.json()["error"]
    assert (response.status_code, error["code"]) == (status, code)
    assert {"message", "type", "param", "code"} <= set(error)
    assert server.chats == []


def test_newer_models_refuse_what_they_no_longer_take(server: FakeOpenAI) -> None:
    server.thinks = True
    assert chat(server, max_tokens=10).json()["error"]["param"] == "max_tokens"
    assert chat(server, temperature=0.2).json()["error"]["param"] == "temperature"
    assert chat(server, max_completion_tokens=10, temperature=1).status_code == 200


def test_too_many_requests_are_told_for_how_long(server: FakeOpenAI) -> None:
    now = 0.0
    server.rate = Rate(2, seconds=60, clock=lambda: now)
    assert [chat(server).status_code for _ in range(3)] == [200, 200, 429]
    refused = chat(server)
    assert refused.json()["error"]["code"] == "rate_limit_exceeded"
    now = float(refused.headers["retry-after"])
    assert chat(server).status_code == 200


def test_embeddings_are_of_length_1_and_near_where_words_are_shared(server: FakeOpenAI) -> None:
    answer = post(
        server, "/embeddings", model="embed-1", input=["a red car", "a red bus", "soup"], dimensions=64
    ).json()
    rows = [item["embedding"] for item in answer["data"]]
    assert [item["index"] for item in answer["data"]] == [0, 1, 2]
    assert all(len(row) == 64 and math.hypot(*row) == pytest.approx(1) for row in rows)
    near, far = (sum(a * b for a, b in zip(rows[0], row, strict=True)) for row in rows[1:])
    assert near > far


@pytest.mark.parametrize(
    "given", [{"input": ""}, {"input": []}, {"input": ["a", ""]}, {"input": "x", "dimensions": 999}]
)
def test_embeddings_of_nothing_are_refused(server: FakeOpenAI, given: dict[str, Any]) -> None:
    assert post(server, "/embeddings", model="embed-1", **given).status_code == 400


def test_ranking_has_two_forms(server: FakeOpenAI) -> None:
    texts = ["soup", "a red car"]
    answer = post(server, "/rerank", model="rerank-1", query="red car", documents=texts, top_n=1).json()
    assert answer["results"] == [{"index": 1, "relevance_score": 1.0}]
    bare = post(server, "/rerank", query="red car", texts=texts).json()
    assert bare == [{"index": 1, "score": 1.0}, {"index": 0, "score": 0.0}]


def test_faults_come_as_they_are_arranged(server: FakeOpenAI) -> None:
    server.faults.add(Fault(status=503, retry_after="9", times=2))
    assert [chat(server).status_code for _ in range(3)] == [503, 503, 200]
    server.faults.add(Fault(cut_after=2))
    with pytest.raises(httpx.RemoteProtocolError):
        chat(server, stream=True)
    server.faults.add(Fault(malformed=b"data: {\n\n"))
    assert "data: {\n\n" in chat(server, stream=True).text
    server.faults.add(Fault(path="/embeddings", status=500))
    assert chat(server).status_code == 200
    began = time.monotonic()
    server.faults.clear()
    server.faults.add(Fault(stall="headers", seconds=0.1))
    assert chat(server).status_code == 200
    assert time.monotonic() - began >= 0.1


def test_a_closed_server_lets_go_of_who_is_kept_waiting() -> None:
    import threading

    server = FakeOpenAI()
    server.faults.add(Fault(stall="headers"))
    threading.Timer(0.1, server.close).start()
    with pytest.raises(httpx.TransportError):
        chat(server)
