"""What the generator `openai_compatible` makes of streams: cut, slow, malformed, or of another kind."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from citebot.errors import ModelBusy, ModelRefused, ModelUnavailable
from citebot.ports import Usage
from citebot.testing.local_server import Received, Sent, local_server
from citebot.testing.models.faults import Fault
from citebot.testing.models.openai import FakeOpenAI
from citebot.testing.models.server import Streamed

sys.path.insert(0, str(Path(__file__).parent / "peers"))

from openai_calls import failure, opened, request, said


@pytest.fixture
def server() -> Iterator[FakeOpenAI]:
    with FakeOpenAI(script=lambda chat: "Employees get 26 days of leave [1].") as server:
        yield server


@pytest.mark.parametrize(
    "fault",
    [
        Fault(cut_after=0),
        Fault(cut_after=3),
        Fault(malformed=b'data: {"choices": [\n\n'),
        Fault(malformed=b"data: [1, 2]\n\n"),
        Fault(malformed=b'data: {"choices": 7}\n\n'),
        Fault(malformed=b'data: {"choices": [{"delta": "text"}]}\n\n'),
        Fault(malformed=b"data: \xff\xfe\n\n"),
        Fault(malformed=b'data: {"error": {"message": "CUDA out of memory", "code": 500}}\n\n'),
        Fault(malformed=b"data: " + b"[" * 100_000 + b"\n\n"),
    ],
)
async def test_a_cut_or_malformed_stream_is_unavailable_and_paid_for(server: FakeOpenAI, fault: Fault) -> None:
    used: list[Usage] = []
    server.faults.add(fault)
    error = await failure(server, used)
    assert type(error) is ModelUnavailable
    assert all(usage.input_tokens >= server.chats[0].prompt_tokens for usage in used)
    assert len(used) == (0 if b"CUDA" in fault.malformed else 1)


async def test_comments_and_unknown_fields_are_passed_over(server: FakeOpenAI) -> None:
    server.faults.add(Fault(malformed=b': PROCESSING\n\nevent: x\nid: 7\ndata:{"choices": null}\r\n\r\n', times=1))
    async with opened(server) as generator:
        assert (await said(generator)).endswith("26 days of leave [1].")


async def test_line_separators_inside_json_are_text(server: FakeOpenAI) -> None:
    server.script = lambda chat: "one\u2028two\u0085three [1]."
    async with opened(server) as generator:
        assert await said(generator) == "one\u2028two\u0085three [1]."


async def test_half_a_surrogate_pair_does_no_harm(server: FakeOpenAI) -> None:
    event = json.dumps({"choices": [{"delta": {"content": "half \ud83d pair"}}]}).encode()
    server.faults.add(Fault(malformed=b"data: " + event + b"\n\n"))
    async with opened(server) as generator:
        (await said(generator)).encode()


@pytest.mark.parametrize("stall", ["headers", "first_event", "mid_stream"])
async def test_a_silent_server_is_unavailable_after_the_time_that_is_set(server: FakeOpenAI, stall: Any) -> None:
    used: list[Usage] = []
    server.faults.add(Fault(stall=stall))
    error = await failure(server, used, read_seconds=0.2)
    assert "said nothing for 0.2 seconds" in str(error)
    assert len(used) == 1


async def test_a_slow_first_token_is_waited_for(server: FakeOpenAI) -> None:
    server.faults.add(Fault(stall="first_event", seconds=0.3))
    async with opened(server) as generator:
        assert await said(generator)


class Pinging(FakeOpenAI):
    """Keeps the line open and says nothing."""

    def answer(self, received: Received) -> Sent | Streamed:
        return Streamed([b": still there\n\n"] * 60)


async def test_keeping_the_line_open_with_comments_is_not_an_answer() -> None:
    with Pinging() as server:
        server.pace = 0.05
        assert "said nothing for 0.3 seconds" in str(await failure(server, read_seconds=0.3))


def chunk(**choice: Any) -> str:
    return "data: " + json.dumps({"choices": [{"index": 0, **choice}]}) + "\n\n"


YES = chunk(delta={"content": "Yes [1]."})


STOP = chunk(delta={}, finish_reason="stop")


@pytest.mark.parametrize(
    "body",
    [
        YES + STOP + "data: [DONE]\n\n",
        YES + STOP,
        YES + "data: [DONE]\n\n",
        YES + STOP + "data: {oh no",
        ("\r\n").join((YES + STOP).split("\n")),
        YES.replace("data: ", "data:") + STOP.rstrip(),
        chunk(delta={"content": "Yes "}, finish_reason="") + chunk(delta={"content": "[1]."}, finish_reason="stop"),
        chunk(delta={"content": [{"type": "thinking"}, {"type": "text", "text": "Yes [1]."}]}) + STOP,
        chunk(delta=None) + chunk(delta={"content": None, "tool_calls": []}) + YES + STOP,
        "event: message\nretry: 5\n: ping\n\n" + YES + STOP + "data: [DONE]\n\ndata: more\n\n",
    ],
)
async def test_streams_as_other_servers_write_them_are_read(server: FakeOpenAI, body: str) -> None:
    with local_server(lambda received: Sent(body, headers={"content-type": "text/event-stream"})) as other:
        async with opened(server, base_url=other.url) as generator:
            assert await said(generator) == "Yes [1]."


async def test_an_answer_in_one_piece_is_read_as_well(server: FakeOpenAI) -> None:
    used: list[Usage] = []
    body = {
        "choices": [{"message": {"content": "Yes [1]."}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 7, "completion_tokens": 3},
    }
    with local_server(lambda received: Sent(json.dumps(body), headers={"content-type": "application/json"})) as other:
        async with opened(server, base_url=other.url) as generator:
            assert await said(generator, request(used)) == "Yes [1]."
    assert [(usage.input_tokens, usage.output_tokens) for usage in used] == [(7, 3)]


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ("", ModelUnavailable),
        (YES, ModelUnavailable),
        (YES + chunk(delta={}, finish_reason="error"), ModelUnavailable),
        (STOP, ModelUnavailable),
        (chunk(delta={"content": "<think>Hm."}) + STOP, ModelUnavailable),
        (YES + chunk(delta={}, finish_reason="content_filter"), ModelRefused),
        ('data: {"error": {"message": "Slow down", "code": 429}}\n\n', ModelBusy),
        ('data: {"error": {"type": "exceed_context_size_error", "message": "", "code": 400}}\n\n', ModelRefused),
        ("data: " + "x" * 5_000_000, ModelUnavailable),
    ],
)
async def test_streams_that_end_in_nothing_are_no_answers(
    server: FakeOpenAI, body: str, kind: type[ModelUnavailable]
) -> None:
    with local_server(lambda received: Sent(body, headers={"content-type": "text/event-stream"})) as other:
        assert type(await failure(server, base_url=other.url)) is kind


async def test_leaving_early_hangs_up_and_is_paid_for(server: FakeOpenAI) -> None:
    used: list[Usage] = []
    server.pace = 0.05
    server.script = lambda chat: "word " * 200
    async with opened(server) as generator:
        async with aclosing(generator.generate(request(used))) as pieces:  # type: ignore[type-var]
            async for _ in pieces:
                break
        for _ in range(300):
            if server.left:
                break
            await asyncio.sleep(0.02)
    assert server.left == 1
    assert used[0].input_tokens >= server.chats[0].prompt_tokens


async def test_one_connection_is_used_again(server: FakeOpenAI) -> None:
    async with opened(server) as generator:
        for _ in range(3):
            await said(generator)
    assert len(server.connections) == 1
