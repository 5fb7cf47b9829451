"""A provider that fails: how often it is asked, and whom else. Requests are counted where they arrive."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from citebot.testing.models.faults import Fault
from citebot.testing.models.openai import FakeOpenAI
from citebot.testing.models.server import ModelServer
from citebot.testing.small_world import SmallWorld

sys.path.insert(0, str(Path(__file__).parent))  # the tests are no package

from model_harness import careful, closing, fakes, generator_for, opened, say

Count = Callable[[int, int], int]
PASSAGES = "I can't write an answer now."


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SmallWorld]:
    async with opened(tmp_path_factory.mktemp("world")) as world:
        yield world


@pytest.fixture(params=[0, 1], ids=["openai", "cohere"])
def servers(request: pytest.FixtureRequest) -> Iterator[tuple[ModelServer, ModelServer]]:
    """One that has faults, and one of the other provider."""
    made = fakes()
    with made[0], made[1]:
        yield made[request.param], made[1 - request.param]


@pytest.mark.parametrize(
    ("fault", "requests"),
    [
        (Fault(status=500), 2),
        (Fault(status=503, retry_after="1"), 2),
        (Fault(status=429), 2),
        (Fault(status=429, retry_after="1"), 2),
        (Fault(cut_after=0), 2),
        (Fault(status=500, times=None), 2),
        (Fault(status=429, times=None), 2),
        (Fault(status=429, retry_after="600", times=None), 1),
        (Fault(status=401, times=None), 1),
        (Fault(status=404, times=None), 1),
    ],
    ids=lambda value: f"{value.status}-{value.retry_after}-{value.times}" if isinstance(value, Fault) else "",
)
async def test_one_question_asks_twice_at_most(
    world: SmallWorld, servers: tuple[ModelServer, ModelServer], fault: Fault, requests: int
) -> None:
    server, _ = servers
    server.faults.add(replace(fault))
    async with closing(careful(generator_for(server))) as (generator, _):
        said = await say(world, generator)
    assert len(server.received) == requests
    if fault.times:
        assert "26 days" in said.answer.text
        assert said.seconds >= (1.0 if fault.status == 429 and fault.retry_after else 0.0)
    else:
        assert said.answer.text.startswith(PASSAGES)


@pytest.mark.parametrize("status", [401, 404, 429, 500])
async def test_the_fallback_answers(world: SmallWorld, servers: tuple[ModelServer, ModelServer], status: int) -> None:
    server, other = servers
    server.faults.add(Fault(status=status, times=None))
    async with closing(careful(*map(generator_for, servers))) as (generator, calls):
        said = await say(world, generator)
    assert "26 days" in said.answer.text
    assert (len(server.received), len(other.received)) == (1 if status < 429 else 2, 1)
    troubles = calls.troubles()
    assert len(troubles) == (1 if status < 429 else 0)
    assert not any(server.key in line for line in troubles)  # type: ignore[attr-defined]  # all have one


async def test_text_that_was_shown_is_not_written_anew(
    world: SmallWorld, servers: tuple[ModelServer, ModelServer]
) -> None:
    server, other = servers
    two = "Employees get 26 days of paid annual leave in a calendar year [1].\n\nLeave is requested in Perch [1]."
    server.script = lambda *_: two  # type: ignore[attr-defined]
    server.faults.add(Fault(cut_after=25))
    async with closing(careful(*map(generator_for, servers))) as (generator, calls):
        said = await say(world, generator)
    assert (len(server.received), len(other.received)) == (1, 0)
    assert "26 days" in said.answer.text or said.answer.text.startswith(PASSAGES)
    assert calls.callees[0].breaker.failures == 1


@pytest.mark.parametrize("headers", [{}, {"retry_after": "120"}], ids=["", "120"])
async def test_a_provider_that_is_always_busy_gets_no_storm(
    world: SmallWorld, headers: dict[str, Any], count: Count
) -> None:
    questions = count(10, 300)
    with FakeOpenAI() as server:
        async with closing(careful(generator_for(server))) as (generator, calls):
            server.faults.add(Fault(status=429, times=None, **headers))
            for _ in range(questions):
                said = await say(world, generator, deadline=5.0)
                assert said.answer.text.startswith(PASSAGES)
            assert len(server.received) <= 1.1 * questions
            assert len(calls.troubles()) <= 1
