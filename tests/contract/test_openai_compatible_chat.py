"""What the generator `openai_compatible` sends, says and counts."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from math import ceil
from pathlib import Path

import pytest

from citebot.errors import ModelUnavailable
from citebot.model import Turn
from citebot.ports import Draft, GenerationRequest, Limited, Rewrites, Usage
from citebot.testing.contract_generator import passages
from citebot.testing.models.openai import FakeOpenAI
from citebot.testing.models.openai_chat import Says, split

sys.path.insert(0, str(Path(__file__).parent / "peers"))

from openai_calls import QUESTION, failure, opened, request, said


@pytest.fixture
def server() -> Iterator[FakeOpenAI]:
    with FakeOpenAI(script=lambda chat: "Employees get 26 days of leave [1].") as server:
        yield server


async def test_pieces_come_while_the_model_writes_and_the_prompt_is_ours(server: FakeOpenAI) -> None:
    server.pace = 0.02
    async with opened(server) as generator:
        pieces = [piece async for piece in generator.generate(request()) if isinstance(piece, Draft)]
    assert len(pieces) > 5
    assert "".join(piece.text for piece in pieces) == "Employees get 26 days of leave [1]."
    [chat] = server.chats
    assert QUESTION in chat.user
    assert "26 days" in chat.user
    assert "passages" in chat.system


async def test_tokens_are_counted_as_the_server_says_and_cost_what_the_settings_say(server: FakeOpenAI) -> None:
    used: list[Usage] = []
    async with opened(server, price_input=0.5, price_output=2.0) as generator:
        await said(generator, request(used))
        [usage] = used
        assert usage.input_tokens == server.chats[0].prompt_tokens
        assert usage.output_tokens == len(split("Employees get 26 days of leave [1]."))
        assert usage.cost == ceil(usage.input_tokens * 0.5 + usage.output_tokens * 2.0)
        assert isinstance(generator, Limited)
        most = generator.most()
        assert (most.input_tokens, most.output_tokens, most.cost) == (8000, 1000, 6000)
        assert usage.input_tokens < most.input_tokens


async def test_without_a_count_of_the_server_usage_is_estimated_high(server: FakeOpenAI) -> None:
    used: list[Usage] = []
    async with opened(server, ask_usage=False) as generator:
        await said(generator, request(used))
    assert used[0].input_tokens >= server.chats[0].prompt_tokens
    assert used[0].output_tokens >= 9
    assert "stream_options" not in server.chats[0].body


async def test_a_second_attempt_is_at_temperature_0(server: FakeOpenAI) -> None:
    async with opened(server, temperature=0.7) as generator:
        await said(generator)
        await said(generator, request(attempt=2))
    assert [chat.body["temperature"] for chat in server.chats] == [0.7, 0.0]


async def test_an_answer_that_ends_at_the_limit_says_so(server: FakeOpenAI) -> None:
    server.script = lambda chat: "word " * 100
    async with opened(server, max_output_tokens=20) as generator:
        pieces = [piece async for piece in generator.generate(request()) if isinstance(piece, Draft)]
    assert [piece.cut_off for piece in pieces if piece.cut_off] == [True]
    assert pieces[-1].cut_off


async def test_newer_models_want_other_settings_and_the_error_says_which(server: FakeOpenAI) -> None:
    server.thinks = True
    first = await failure(server)
    assert "`generator.openai_compatible.output_limit` to max_completion_tokens" in str(first)
    second = await failure(server, output_limit="max_completion_tokens")
    assert "`generator.openai_compatible.temperature` to default" in str(second)
    async with opened(server, output_limit="max_completion_tokens", temperature="default") as generator:
        assert await said(generator)


async def test_thoughts_are_not_said_but_paid_for(server: FakeOpenAI) -> None:
    used: list[Usage] = []
    server.script = lambda chat: Says("Yes [1].", thinking="The passages say so, I think.")
    async with opened(server) as generator:
        assert await said(generator, request(used)) == "Yes [1]."
        server.script = lambda chat: "<think>\nIs it?\n</think>\n\nYes [1]."
        assert await said(generator, request(used)) == "Yes [1]."
        server.script = lambda chat: "< 5 days [1]."
        assert await said(generator, request(used)) == "< 5 days [1]."
    assert used[0].output_tokens > used[2].output_tokens


async def test_a_model_that_only_thinks_is_an_error_that_names_the_setting(server: FakeOpenAI) -> None:
    server.script = lambda chat: Says("Yes [1].", thinking="Well. " * 100)
    error = await failure(server, max_output_tokens=50)
    assert "generator.openai_compatible.max_output_tokens" in str(error)


async def test_a_model_that_says_nothing_is_unavailable(server: FakeOpenAI) -> None:
    server.script = lambda chat: ""
    assert "said nothing" in str(await failure(server))


async def test_a_question_is_made_to_stand_alone(server: FakeOpenAI) -> None:
    used: list[Usage] = []
    server.script = lambda chat: " How many days of leave do contractors get?\n"
    async with opened(server) as generator:
        assert isinstance(generator, Rewrites)
        alone = await generator.rewrite("And contractors?", [Turn("user", QUESTION)], used=used.append)
        assert alone == "How many days of leave do contractors get?"
        assert QUESTION in server.chats[0].user
        server.script = lambda chat: "word " * 2000
        with pytest.raises(ModelUnavailable):
            await generator.rewrite("And contractors?", [], used=used.append)
    assert len(used) == 2


async def test_the_prompt_is_shortened_to_the_limit(server: FakeOpenAI) -> None:
    many = passages([f"Passage number {n} says that there are {n} days. " * 20 for n in range(1, 9)])
    asked = GenerationRequest(question=QUESTION, original=QUESTION, passages=many)
    async with opened(server, max_prompt_tokens=3000) as generator:
        await said(generator, asked)
    assert server.chats[0].prompt_tokens < 3000
    assert "passage [1]" in server.chats[0].user
    assert "passage [8]" not in server.chats[0].user
