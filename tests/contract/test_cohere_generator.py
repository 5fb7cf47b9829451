"""What Cohere's generator sends, streams, counts and says when it is cut off."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

pytest.importorskip("cohere")

from citebot.errors import ModelUnavailable
from citebot.model import Turn
from citebot.ports import Draft, GenerationRequest, Limited, PartContext, Rewrites, Usage
from citebot.testing.contract_generator import passages
from citebot.testing.local_server import Received
from citebot.testing.models.cohere import KEY, FakeCohere
from citebot.testing.models.cohere_chat import Reply
from citebot.testing.models.faults import Fault
from citebot_plugins.cohere import CohereGenerator

QUESTION = "How many days of annual leave do employees get?"
ANSWER = "Employees get 26 days of paid annual leave. Contractors have no paid leave."
CITED = Reply(ANSWER, [("26 days of paid annual leave", ["1"]), ("no paid leave.", ["2"])])
PRICES = {"price_input": 2.5, "price_output": 10.0}


@pytest.fixture
def server() -> Iterator[FakeCohere]:
    with FakeCohere() as server:
        server.script = lambda body: CITED
        yield server


class Chat:
    """One open generator."""

    def __init__(self, server: FakeCohere, **settings: Any) -> None:
        given = {"api_key": KEY, "base_url": server.url, **PRICES, **settings}
        self.generator = CohereGenerator(CohereGenerator.Settings.model_validate(given), PartContext(Path()))
        self.used: list[Usage] = []
        self.server = server

    def request(self, **changes: Any) -> GenerationRequest:
        plain = GenerationRequest(QUESTION, QUESTION, passages(), used=self.used.append)
        return replace(plain, **changes)

    async def pieces(self, **changes: Any) -> list[Draft]:
        return [one async for one in self.generator.generate(self.request(**changes)) if isinstance(one, Draft)]

    async def collect(self, said: list[str]) -> None:
        async for piece in self.generator.generate(self.request()):
            said.append(piece.text if isinstance(piece, Draft) else "")  # noqa: PERF401 - it may end in the middle

    async def text(self, **changes: Any) -> str:
        return "".join(piece.text for piece in await self.pieces(**changes))

    @property
    def sent(self) -> dict[str, Any]:
        return dict(self.server.bodies("/v2/chat")[-1])


@pytest_asyncio.fixture
async def chat(server: FakeCohere) -> AsyncIterator[Chat]:
    chat = Chat(server)
    await chat.generator.open()
    yield chat
    await chat.generator.close()


async def test_native_citations_become_numbers(chat: Chat) -> None:
    expected = "Employees get 26 days of paid annual leave. [1] Contractors have no paid leave. [2]"
    assert await chat.text() == expected
    assert chat.sent["citation_options"] == {"mode": "FAST"}


async def test_passages_travel_as_documents_and_not_in_the_prompt(chat: Chat) -> None:
    await chat.text()
    assert [one["id"] for one in chat.sent["documents"]] == ["1", "2", "3"]
    assert "26 days" in chat.sent["documents"][0]["data"]["text"]
    assert "trust: " in chat.sent["documents"][0]["data"]["text"]
    assert [one["role"] for one in chat.sent["messages"]] == ["system", "user"]
    assert "26 days" not in str(chat.sent["messages"])


async def test_numbers_are_those_of_the_request_where_a_passage_did_not_fit(server: FakeCohere) -> None:
    server.script = lambda body: Reply("It is no.", [("no.", [body["documents"][-1]["id"]])])
    chat = Chat(server, max_prompt_tokens=1500)
    await chat.generator.open()
    long = "word " * 900
    assert await chat.text(passages=passages([long, "It is no."])) == "It is no. [2]"
    assert [one["id"] for one in chat.sent["documents"]] == ["2"]
    await chat.generator.close()


async def test_text_comes_sentence_by_sentence(chat: Chat) -> None:
    pieces = [piece.text for piece in await chat.pieces()]
    assert pieces[0] == "Employees get 26 days of paid annual leave. [1] "


async def test_accurate_citations_are_waited_for(server: FakeCohere) -> None:
    chat = Chat(server, citations="ACCURATE")
    await chat.generator.open()
    [piece] = await chat.pieces()
    assert piece.text.count("[1]") == piece.text.count("[2]") == 1
    await chat.generator.close()


async def test_citations_may_be_left_to_the_model(server: FakeCohere) -> None:
    chat = Chat(server, citations="default")
    await chat.generator.open()
    assert "[2]" in await chat.text()  # the fake tells them at the end, when the first sentence is out
    assert "citation_options" not in chat.sent
    await chat.generator.close()


async def test_what_it_thinks_is_not_said_but_cited_places_still_fit(chat: Chat) -> None:
    chat.server.script = lambda body: replace(CITED, thinking="Let me see. The first one says 26. So be it.")
    assert await chat.text() == "Employees get 26 days of paid annual leave. [1] Contractors have no paid leave. [2]"


async def test_the_second_attempt_is_literal(chat: Chat) -> None:
    await chat.text()
    assert chat.sent["temperature"] == 0.2
    await chat.text(attempt=2)
    assert chat.sent["temperature"] == 0.0


async def test_settings_are_sent_and_nothing_that_was_not_asked_for(server: FakeCohere) -> None:
    chat = Chat(server, safety_mode="STRICT", temperature=0.7, max_output_tokens=77, model="command-r7b-12-2024")
    await chat.generator.open()
    await chat.text(passages=())
    await chat.generator.close()
    wanted = {"safety_mode": "STRICT", "temperature": 0.7, "max_tokens": 77, "model": "command-r7b-12-2024"}
    assert {name: chat.sent[name] for name in wanted} == wanted
    assert set(chat.sent) == {*wanted, "messages", "stream"}
    headers = server.received[-1].headers
    assert not {"x-fern-platform", "x-fern-runtime"} & set(headers)
    assert [one.path for one in server.received] == ["/v2/chat"]


async def test_the_end_at_the_limit_is_told(chat: Chat) -> None:
    chat.server.script = lambda body: replace(CITED, finish="MAX_TOKENS")
    pieces = await chat.pieces()
    assert [piece.cut_off for piece in pieces] == [False] * (len(pieces) - 1) + [True]
    assert "".join(piece.text for piece in pieces).startswith("Employees get 26")


async def test_usage_is_what_cohere_bills(chat: Chat) -> None:
    await chat.text()
    [used] = chat.used
    assert used.model == "command-a-03-2025"
    assert used.input_tokens > 100
    assert used.output_tokens == 15
    assert used.cost == -(-(used.input_tokens * 5 + used.output_tokens * 20) // 2)


async def test_a_stream_that_is_cut_is_billed_by_estimate_and_keeps_its_text(chat: Chat) -> None:
    chat.server.faults.add(Fault(cut_after=14))
    said: list[str] = []
    with pytest.raises(ModelUnavailable, match="broke the connection off"):
        await chat.collect(said)
    assert "".join(said) == "Employees get 26 days of paid annual leave. [1] Contractors"
    [used] = chat.used
    assert used.input_tokens > 100
    assert used.output_tokens > 5


@pytest.mark.parametrize("missing", [1, 2, 10])
async def test_a_stream_that_ends_without_saying_so_is_no_answer(missing: int) -> None:
    class Short(FakeCohere):
        def answer(self, received: Received) -> Any:
            whole = super().answer(received)
            return replace(whole, events=list(whole.events)[:-missing])  # type: ignore[union-attr]

    with Short() as server:
        chat = Chat(server)
        await chat.generator.open()
        with pytest.raises(ModelUnavailable, match="ended in the middle"):
            await chat.text()
        await chat.generator.close()


async def test_leaving_early_ends_the_call_and_is_billed_once(chat: Chat) -> None:
    chat.server.pace = 0.01
    chat.server.script = lambda body: Reply("One sentence more. " * 200)
    async with aclosing(chat.generator.generate(chat.request())) as pieces:  # type: ignore[type-var]
        async for _ in pieces:
            break
    for _ in range(200):
        if chat.server.left:
            break
        await asyncio.sleep(0.01)
    assert chat.server.left == 1
    assert len(chat.used) == 1
    assert 0 < chat.used[0].output_tokens < 100


async def test_a_cancelled_call_is_billed_for_its_prompt(chat: Chat) -> None:
    chat.server.faults.add(Fault(stall="headers"))
    call = asyncio.create_task(chat.text())
    while not chat.server.received:
        await asyncio.sleep(0.005)
    call.cancel()
    await asyncio.wait({call})
    assert [(used.input_tokens > 100, used.output_tokens) for used in chat.used] == [(True, 0)]


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500, 503])
async def test_a_refused_call_costs_nothing(chat: Chat, status: int) -> None:
    chat.server.faults.add(Fault(status=status))
    with pytest.raises(ModelUnavailable):
        await chat.text()
    assert chat.used == []
    assert len(chat.server.received) == 1  # and is not tried again


async def test_the_most_it_can_use_follows_the_limits(chat: Chat) -> None:
    assert isinstance(chat.generator, Limited)
    assert chat.generator.most() == Usage("command-a-03-2025", 12_000, 1000, 40_000)
    await chat.text()
    most = chat.generator.most()
    assert all(used.cost <= most.cost and used.output_tokens <= most.output_tokens for used in chat.used)


async def test_a_question_is_made_to_stand_alone(chat: Chat) -> None:
    chat.server.script = lambda body: "\nHow many days of leave do contractors get? "
    assert isinstance(chat.generator, Rewrites)
    history = [Turn("user", QUESTION), Turn("assistant", "26 [1].")]
    alone = await chat.generator.rewrite("And contractors?", history, used=chat.used.append)
    assert alone == "How many days of leave do contractors get?"
    assert "And contractors?" in str(chat.sent["messages"])
    assert not {"documents", "citation_options"} & set(chat.sent)
    assert len(chat.used) == 1


@pytest.mark.parametrize("reply", [Reply(" "), Reply("word " * 400)])
async def test_no_question_or_an_endless_one_is_an_error(chat: Chat, reply: Reply) -> None:
    chat.server.script = lambda body: reply
    with pytest.raises(ModelUnavailable):
        await chat.generator.rewrite("And contractors?", [])
