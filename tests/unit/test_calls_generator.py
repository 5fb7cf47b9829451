"""Which model is asked when, on a clock that jumps."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

import pytest
from structlog.testing import capture_logs

from citebot.calls import Calls, CarefulGenerator, Patience
from citebot.errors import ModelBusy, ModelRefused, ModelUnavailable
from citebot.model import Status, Turn
from citebot.ports import Draft, GenerationRequest, Generator, Limited, Rewrites, Usage, Used, unmetered
from citebot.testing.flaky_models import FOR_EVER, CostlyGenerator, FlakyGenerator
from citebot.testing.quick_time import run_quickly

DOWN = ModelUnavailable("It is down.")
BUSY = ModelBusy("It is busy.")


def busy(after: float) -> ModelBusy:
    return ModelBusy("It is busy.", after=after)


def refused(why: Any) -> ModelRefused:
    return ModelRefused(f"Set another {why}.", why=why)


@dataclass
class Counted:
    """A `CallCounter`."""

    lines: list[str] = field(default_factory=list)
    firsts: list[float | None] = field(default_factory=list)

    def call(self, callee: Any, outcome: str, *, seconds: float, first: float | None) -> None:
        self.lines.append(f"{callee.name} {outcome}")
        self.firsts.append(first)

    def use(self, callee: Any, usage: Usage) -> None:
        self.lines.append(f"{callee.name} used {usage.input_tokens}")

    def retry(self, callee: Any) -> None:
        self.lines.append(f"{callee.name} retry")

    def hedge(self, callee: Any) -> None:
        self.lines.append(f"{callee.name} hedge")


class Bench:
    """Models called a, b, c, and one generator over them; every jitter is its full length."""

    def __init__(self, *models: Generator, jitter: float = 1.0) -> None:
        self.loop = asyncio.get_running_loop()
        self.calls = Calls(clock=self.loop.time)
        self.counted = Counted()
        self.calls.counters.append(self.counted)
        callees = [self.calls.add("generator", model, name="abc"[n]) for n, model in enumerate(models)]
        self.generator = CarefulGenerator(callees, patience=Patience(), jitter=lambda most: most * jitter)
        self.usages: list[Usage] = []

    async def ask(self, deadline: float = 30.0, *, stop_after: float = FOR_EVER) -> tuple[str, float]:
        """What it says, or the name of the error it raises, and how long that took."""
        began = self.loop.time()
        request = GenerationRequest("?", "?", (), deadline=deadline, used=self.usages.append)
        text = ""
        try:
            async with asyncio.timeout(stop_after), aclosing(self.generator.generate(request)) as pieces:
                async for piece in pieces:
                    text += piece.text if isinstance(piece, Draft) else ""
        except (ModelUnavailable, TimeoutError) as error:
            text += f"{type(error).__name__}!"
        return text, round(self.loop.time() - began, 3)

    @property
    def states(self) -> list[str]:
        return [callee.breaker.state for callee in self.calls.callees]


# --- retries -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("calls", "said", "asked"),
    [
        ([["Well."]], ("Well.", 0.0), [0.0]),
        ([[2.0, DOWN], ["Well."]], ("Well.", 3.0), [0.0, 3.0]),
        ([[DOWN]], ("ModelUnavailable!", 1.0), [0.0, 1.0]),
        ([[BUSY], ["Well."]], ("Well.", 1.0), [0.0, 1.0]),
        ([[busy(7.0)], ["Well."]], ("Well.", 8.0), [0.0, 8.0]),
        ([[busy(19.5)], ["Well."]], ("ModelBusy!", 0.0), [0.0]),
        ([[busy(600.0)], ["Well."]], ("ModelBusy!", 0.0), [0.0]),
        ([[busy(-3.0)], ["Well."]], ("Well.", 1.0), [0.0, 1.0]),
        ([["Half ", DOWN], ["Well."]], ("Half ModelUnavailable!", 0.0), [0.0]),
        ([[refused("key")], ["Well."]], ("ModelRefused!", 0.0), [0.0]),
        ([[ValueError("a bug")], ["Well."]], ("Well.", 1.0), [0.0, 1.0]),
        ([["", " \n", 3.0, DOWN], ["Well."]], ("Well.", 4.0), [0.0, 4.0]),
        ([[]], ("", 0.0), [0.0]),
    ],
)
def test_one_retry_and_never_after_text(calls: Sequence[Any], said: tuple[str, float], asked: list[float]) -> None:
    async def work() -> None:
        model = FlakyGenerator(*calls)
        assert await Bench(model).ask() == said
        assert model.asked == asked

    run_quickly(work())


def test_whoever_waits_for_a_busy_model_is_told_for_how_long() -> None:
    async def work() -> None:
        bench = Bench(FlakyGenerator([busy(7.4)], ["Well."]))
        request = GenerationRequest("?", "?", ())
        assert [piece async for piece in bench.generator.generate(request)] == [
            Status("queued", "Busy: about 7 s."),
            Draft("Well."),
        ]

    run_quickly(work())


def test_no_retry_after_the_deadline() -> None:
    async def work() -> None:
        model = FlakyGenerator([1.5, DOWN], ["Well."])
        assert await Bench(model).ask(deadline=2.0) == ("ModelUnavailable!", 1.5)
        assert model.asked == [0.0]

    run_quickly(work())


@pytest.mark.parametrize("every", [1.0, 20.0, 60.0])
@pytest.mark.parametrize("error", [BUSY, busy(3.0), busy(120.0), DOWN])
def test_a_model_that_always_fails_is_not_asked_more_than_once_for_a_question(every: float, error: Exception) -> None:
    async def work() -> None:
        model = FlakyGenerator([error])
        bench = Bench(model, jitter=0.5)
        questions = [asyncio.create_task(_later(n * every, bench)) for n in range(int(600 / every))]
        await asyncio.gather(*questions)
        assert len(model.asked) <= 1.1 * len(questions)
        assert len(model.asked) <= 5 + 2 + 600 / 15  # closed until five failed, then one trial every 15 s

    run_quickly(work())


async def _later(seconds: float, bench: Bench) -> None:
    await asyncio.sleep(seconds)
    await bench.ask()


def test_questions_that_come_while_it_is_busy_wait_for_it_or_ask_another() -> None:
    async def work() -> None:
        model = FlakyGenerator([busy(5.0)], ["Well."])
        bench = Bench(model)
        first, second = await asyncio.gather(bench.ask(), _later_said(1.0, bench))
        assert (first, second) == (("Well.", 6.0), ("Well.", 5.0))
        assert model.asked == [0.0, 6.0, 6.0]

        other = FlakyGenerator(["Other."])
        assert await Bench(FlakyGenerator([busy(30.0)]), other).ask() == ("Other.", 0.0)

    run_quickly(work())


def test_no_model_can_ask_for_more_than_a_minute() -> None:
    async def work() -> None:
        bench = Bench(FlakyGenerator([busy(3600.0)], ["Well."]))
        for seconds, said in ((59.0, "ModelBusy!"), (1.0, "ModelBusy!"), (0.0, "Well.")):
            assert (await bench.ask(deadline=0.5))[0] == said
            await asyncio.sleep(seconds)

    run_quickly(work())


async def _later_said(seconds: float, bench: Bench) -> tuple[str, float]:
    await asyncio.sleep(seconds)
    return await bench.ask()


# --- fallbacks ---------------------------------------------------------------------------------------------------


def test_fallbacks_are_asked_in_order_after_the_retry() -> None:
    async def work() -> None:
        a, b, c = FlakyGenerator([DOWN]), FlakyGenerator([refused("model")]), FlakyGenerator(["Well."])
        assert await Bench(a, b, c).ask() == ("Well.", 1.0)
        assert [len(model.asked) for model in (a, b, c)] == [2, 1, 1]

    run_quickly(work())


@pytest.mark.parametrize("why", ["key", "model", "too_long", "request"])
def test_what_one_refuses_another_may_answer(why: str) -> None:
    async def work() -> None:
        assert await Bench(FlakyGenerator([refused(why)]), FlakyGenerator(["Well."])).ask() == ("Well.", 0.0)

    run_quickly(work())


def test_what_a_filter_refuses_is_asked_of_nobody_else() -> None:
    async def work() -> None:
        other = FlakyGenerator(["Well."])
        assert await Bench(FlakyGenerator([refused("filtered")]), other).ask() == ("ModelRefused!", 0.0)
        assert other.asked == []

    run_quickly(work())


def test_a_model_that_fails_is_left_alone_and_found_again() -> None:
    async def work() -> None:
        a = FlakyGenerator(*[[DOWN]] * 6, ["Well."])
        bench = Bench(a, FlakyGenerator(["Other."]))
        said = [(await bench.ask())[0] for _ in range(6)]
        assert (said, len(a.asked), bench.states) == (["Other."] * 6, 5, ["open", "closed"])
        for seconds, expected in ((15.0, "Other."), (14.0, "Other."), (1.0, "Well.")):
            await asyncio.sleep(seconds)
            assert (await bench.ask())[0] == expected
        assert (len(a.asked), bench.states) == (7, ["closed", "closed"])

    run_quickly(work())


def test_nothing_is_waited_for_when_all_are_left_alone() -> None:
    async def work() -> None:
        bench = Bench(FlakyGenerator([DOWN]), jitter=0.0)
        for _ in range(4):
            await bench.ask()
        assert bench.states == ["open"]
        assert await bench.ask() == ("ModelUnavailable!", 0.0)

    run_quickly(work())


# --- slow ones ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("slow", "beside", "said", "lines"),
    [
        ([9.0, "Slow."], ["Well."], ("Well.", 8.0), ["b hedge", "a slow", "b ok"]),
        ([9.0, "Slow."], [5.0, "Well."], ("Slow.", 9.0), ["b hedge", "b left", "a ok"]),
        ([9.0, DOWN], [5.0, "Well."], ("Well.", 13.0), ["b hedge", "a failed", "b ok"]),
        ([FOR_EVER], [DOWN], ("ModelUnavailable!", 20.0), ["b hedge", "b failed", "a slow"]),
        ([FOR_EVER], [FOR_EVER], ("ModelUnavailable!", 20.0), ["b hedge", "a slow", "b slow"]),
        ([7.9, "Well."], ["Never."], ("Well.", 7.9), ["a ok"]),
        ([busy(15.0)], ["Well."], ("Well.", 0.0), ["a busy", "b ok"]),
        ([busy(15.0)], [DOWN], ("ModelBusy!", 16.0), ["a busy", "b failed", "a retry", "a busy"]),
        ([busy(0.5)], [FOR_EVER], ("ModelUnavailable!", 20.0), ["a busy", "a retry", "a busy", "b slow"]),
    ],
)
def test_a_second_model_beside_one_that_is_slow(slow: Any, beside: Any, said: Any, lines: list[str]) -> None:
    async def work() -> None:
        a, b = FlakyGenerator(slow), FlakyGenerator(beside)
        bench = Bench(a, b)
        assert await bench.ask() == said
        assert sorted(bench.counted.lines) == sorted(lines)
        assert len(b.asked) <= 1

    run_quickly(work())


@pytest.mark.parametrize(
    ("steps", "deadline", "said"),
    [
        ([FOR_EVER], 30.0, ("ModelUnavailable!", 20.0)),
        ([FOR_EVER], 5.0, ("ModelUnavailable!", 5.0)),
        (["Half. ", FOR_EVER], 30.0, ("Half. ModelUnavailable!", 30.25)),
        ([5.0, "Half. ", FOR_EVER], 6.0, ("Half. ModelUnavailable!", 6.25)),
    ],
)
@pytest.mark.parametrize("stubborn", [0.0, 100.0])
def test_the_deadline_holds_whatever_a_model_does(steps: Any, deadline: float, said: Any, stubborn: float) -> None:
    async def work() -> None:
        bench = Bench(FlakyGenerator(steps, stubborn=stubborn))
        text, seconds = await bench.ask(deadline)
        assert (text, seconds - (0.25 if stubborn else 0.0)) == said
        assert bench.counted.lines == ["a slow"]

    run_quickly(work())


def test_whoever_stops_says_nothing_about_the_model() -> None:
    async def work() -> None:
        model = FlakyGenerator([FOR_EVER], ["Half. ", FOR_EVER])
        bench = Bench(model)
        assert await bench.ask(stop_after=2.0) == ("TimeoutError!", 2.0)
        assert await bench.ask(stop_after=12.0) == ("Half. TimeoutError!", 12.0)
        assert (bench.counted.lines, model.closed) == (["a left", "a left"], 2)
        assert bench.calls.callees[0].breaker.failures == 0

    run_quickly(work())


def test_the_slow_one_is_hung_up_on_as_soon_as_another_writes() -> None:
    async def work() -> None:
        slow = FlakyGenerator([FOR_EVER])
        bench = Bench(slow, FlakyGenerator(["One. ", 1.0, "Two."]))
        pieces = bench.generator.generate(GenerationRequest("?", "?", ()))
        assert await anext(pieces) == Draft("One. ")
        await asyncio.sleep(0.0)
        assert slow.closed == 1
        assert [piece async for piece in pieces] == [Draft("Two.")]

    run_quickly(work())


def test_what_a_call_does_at_its_end_is_not_disturbed() -> None:
    async def work() -> None:
        slow = CostlyGenerator([FOR_EVER], stubborn=0.2)
        bench = Bench(slow, FlakyGenerator(["One. ", 0.1, "Two."]))
        assert (await bench.ask())[0] == "One. Two."
        assert (slow.closed, slow.mended) == (1, 1)

    run_quickly(work())


def test_no_call_is_left_running() -> None:
    async def work() -> None:
        bench = Bench(FlakyGenerator([9.0, "Slow."]), FlakyGenerator(["One. ", 1.0, "Two."]))
        assert await bench.ask() == ("One. Two.", 9.0)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run_quickly(work())


# --- what is used ------------------------------------------------------------------------------------------------


def test_every_call_of_what_costs_is_told_of_once() -> None:
    async def work() -> None:
        said = Usage("costly-1", 3, 4, 2)
        a = CostlyGenerator([DOWN], [FOR_EVER])
        b = CostlyGenerator(["Well.", said])
        bench = Bench(a, b)
        assert await bench.ask() == ("Well.", 8.0)
        # The first failed by itself and so used nothing; what the slow one used nobody knows, so it is the most.
        assert sorted(bench.usages, key=lambda usage: usage.input_tokens) == [Usage("costly-1"), said, a.most()]

    run_quickly(work())


def test_the_most_is_never_exceeded() -> None:
    async def work() -> None:
        a, b = CostlyGenerator([DOWN], [FOR_EVER]), CostlyGenerator([FOR_EVER])
        bench = Bench(a, b)
        generator = bench.generator
        assert isinstance(generator, Limited)
        await bench.ask()
        used = [usage.input_tokens for usage in bench.usages]
        assert (used, generator.most()) == ([0, 10, 10], Usage("costly-1", 30, 30, 15, calls=3))

    run_quickly(work())


class Rewriter(FlakyGenerator):
    async def rewrite(self, question: str, history: Sequence[Turn], *, used: Used = unmetered) -> str:
        used(Usage("small"))
        return f"{question} of Jane"


def test_abilities_are_there_where_a_model_has_them() -> None:
    async def work() -> None:
        plain, able = Bench(FlakyGenerator(["A"])), Bench(FlakyGenerator(["A"]), Rewriter(["B"]))
        assert not isinstance(plain.generator, Limited | Rewrites)
        assert isinstance(able.generator, Rewrites)
        usages: list[Usage] = []
        assert await able.generator.rewrite("Who?", (), used=usages.append) == "Who? of Jane"
        assert (usages, able.counted.lines[-1]) == ([Usage("small")], "b ok")

    run_quickly(work())


# --- what admins are told ----------------------------------------------------------------------------------------


def test_a_refusal_is_told_once_until_it_changes() -> None:
    async def work() -> None:
        key = ModelRefused("The key of Cohere is not valid: set generator.cohere.api_key.", why="key")
        model = FlakyGenerator([key], [key], [key], ["Well."], [refused("model")], [refused("too_long")])
        bench = Bench(model)
        with capture_logs() as logs:
            for _ in range(3):
                await bench.ask()
            assert bench.calls.troubles() == [f"generator a: {key}"]
            await bench.ask()
            assert bench.calls.troubles() == []
            await bench.ask()
            await bench.ask()
        assert bench.calls.troubles() == ["generator a: Set another model."]
        assert [line["event"] for line in logs] == ["model refuses", "model answers again", "model refuses"]

    run_quickly(work())


def test_a_model_that_is_down_is_told_once_and_so_is_its_return() -> None:
    async def work() -> None:
        bench = Bench(FlakyGenerator(*[[DOWN]] * 8, ["Well."]))
        with capture_logs() as logs:
            for _ in range(90):
                await bench.ask()
                await asyncio.sleep(1.0)
        assert bench.calls.troubles() == []
        assert [line["event"] for line in logs] == ["model is left alone", "model answers again"]

    run_quickly(work())
