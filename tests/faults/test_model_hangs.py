"""A provider that stalls, at every point of a call: the deadline of the whole answer holds."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import pytest_asyncio

from citebot.answering import texts
from citebot.testing.models.faults import Fault
from citebot.testing.models.server import ModelServer
from citebot.testing.small_world import SmallWorld

sys.path.insert(0, str(Path(__file__).parent))  # the tests are no package

from model_harness import Said, careful, closing, fakes, generator_for, nobody_accepts, opened, say, together

SLACK = 0.5
"""Seconds that an answer may end after its deadline."""
BUSY_MACHINE = 3.0
STALLS = ("connect", "headers", "first_event", "mid_stream")
Count = Callable[[int, int], int]


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SmallWorld]:
    async with opened(tmp_path_factory.mktemp("world")) as world:
        yield world


@pytest.fixture(params=[0, 1], ids=["openai", "cohere"])
def server(request: pytest.FixtureRequest) -> Iterator[ModelServer]:
    made = fakes()
    made.pop(1 - request.param).close()
    with made[0] as server:
        yield server


def slack(count: Count) -> float:
    """As promised where it is measured; a test of every day may run on a machine that is busy."""
    return SLACK if count(0, 1) else SLACK * BUSY_MACHINE


@pytest.mark.timeout(300)
@pytest.mark.parametrize("stall", STALLS)
async def test_the_deadline_of_an_answer_holds(
    world: SmallWorld, server: ModelServer, stall: str, count: Count
) -> None:
    deadline = 1.0
    server.faults.add(Fault(stall="" if stall == "connect" else stall, times=None))  # type: ignore[arg-type]
    with ExitStack() as stack:
        url = stack.enter_context(nobody_accepts()) if stall == "connect" else ""

        async def one() -> Said:
            # Each with a breaker of its own, which would open.
            async with closing(careful(generator_for(server, url=url))) as (generator, _):
                return await say(world, generator, deadline=deadline)

        answers = await together(count(1, 100), one)
    for said in answers:
        assert deadline - 0.1 <= said.seconds <= deadline + slack(count)
        assert said.answer.text.startswith("I can't write an answer now.") or texts.TOO_SLOW in said.answer.notes
        assert said.answer.citations


@pytest.mark.timeout(120)
@pytest.mark.parametrize("stall", ["headers", "first_event"])
async def test_passages_come_when_there_is_no_first_word_in_time(
    world: SmallWorld, server: ModelServer, stall: str, count: Count
) -> None:
    first_text, deadline = (20.0, 30.0) if count(0, 1) else (0.8, 30.0)
    server.faults.add(Fault(stall=stall, times=None))  # type: ignore[arg-type]
    async with closing(careful(generator_for(server), first_text=first_text)) as (generator, calls):
        said = await say(world, generator, deadline=deadline)
        await asyncio.to_thread(_hung_up, server)
    assert first_text - 0.1 <= said.seconds <= first_text + slack(count)
    assert said.answer.text.startswith("I can't write an answer now.")
    assert calls.callees[0].breaker.failures == 1


def _hung_up(server: ModelServer) -> None:
    """The call that was left is left: its connection is closed."""
    for _ in range(200):
        if server.left:
            return
        time.sleep(0.02)
    raise AssertionError("the connection of the call that was left is still open")


async def test_the_fallback_that_is_asked_beside_gives_the_answer(world: SmallWorld, count: Count) -> None:
    slow, quick = fakes()
    with slow, quick:
        hedge_after = 8.0 if count(0, 1) else 0.5
        slow.faults.add(Fault(stall="first_event", times=None))
        parts = generator_for(slow), generator_for(quick)
        async with closing(careful(*parts, hedge_after=hedge_after)) as (generator, calls):
            said = await say(world, generator)
            await asyncio.to_thread(_hung_up, slow)
        assert said.answer.answered
        assert "26 days" in said.answer.text
        assert said.first is not None
        assert hedge_after <= said.first <= hedge_after + slack(count) + 1.0  # a second to load an SDK
        assert [callee.breaker.failures for callee in calls.callees] == [1, 0]
        assert said.trace["calls"] == {"generate": 2}
        assert said.trace["models"] == {"chat-1": 1, "command-a-03-2025": 1}
