"""Moment hooks: plain and async, and no way for a plugin to break, hold up or widen what the core does."""

from __future__ import annotations

import asyncio
import inspect
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from types import FunctionType, SimpleNamespace
from typing import Any

import pytest

from citebot import hookspecs
from citebot.hookspecs import hookimpl
from citebot.model import (
    Answer,
    Audience,
    Citation,
    Conversation,
    Document,
    Feedback,
    Part,
    Passage,
    Person,
    Question,
    Readers,
    ScoredPassage,
)
from citebot.pluginmanager import Parked, PluginManager
from citebot.settings import Settings

ALICE = Person("alice@example.org", "Alice")
QUESTION = Question("Where is it?", ALICE, Conversation("console", "c1"), Audience(frozenset({"everyone"})))


def passage(number: int) -> ScoredPassage:
    found = Passage(
        id=number,
        source="wiki",
        document_id=f"d{number}",
        title="T",
        url="",
        anchor="",
        headings=(),
        text=f"text {number}",
        kind="paragraph",
        position=0,
        readers=Readers.everyone(),
    )
    return ScoredPassage(found, score=1.0 / number)


PASSAGES = (passage(1), passage(2), passage(3))
ANSWER = Answer("a1", QUESTION, "It is here [1].", answered=True, citations=(Citation(1, PASSAGES[0].passage),))
DOCUMENT = Document("d1", "Title", "body", Readers.of(groups=["engineering"]))
FEEDBACK = Feedback("a1", ALICE, "helpful")

VALUES: dict[str, dict[str, Any]] = {
    "startup": {},
    "shutdown": {},
    "question_received": {"question": QUESTION},
    "passages_found": {"question": QUESTION, "passages": PASSAGES},
    "answer_ready": {"question": QUESTION, "answer": ANSWER},
    "feedback_received": {"feedback": FEEDBACK},
    "document_fetched": {"source": "wiki", "document": DOCUMENT},
    "sync_finished": {"source": "wiki", "counts": {"listed": 3}},
}
RETURNED: dict[str, Any] = {
    "question_received": "Ask the people team.",
    "passages_found": [PASSAGES[1]],
    "answer_ready": replace(ANSWER, text="It is there [1]."),
    "document_fetched": replace(DOCUMENT, body="****"),
}
EXPECTED = {**RETURNED, "passages_found": (PASSAGES[1],)}


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Rig:
    """A manager with a short time limit, and what it reported."""

    def __init__(self, timeout: float = 2.0) -> None:
        self.clock = Clock()
        self.parked: list[Parked] = []
        settings = Settings.model_validate({"plugins": {"enabled": [], "hook_timeout": timeout}})
        self.manager = PluginManager.load(settings, on_parked=self.parked.append, clock=self.clock, found=())

    def add(self, name: str, *functions: Callable[..., Any]) -> None:
        plugin = SimpleNamespace(**{function.__name__: staticmethod(hookimpl(function)) for function in functions})
        self.manager.register(_Holder(plugin), name=name, distribution=f"dist-{name}")

    async def call(self, hook: str) -> Any:
        return await getattr(self.manager, hook)(**VALUES[hook])


class _Holder:
    """An object pluggy finds hook functions on."""

    def __init__(self, functions: SimpleNamespace) -> None:
        for name, function in vars(functions).items():
            setattr(self, name, function.__func__)


@pytest.fixture
def rig() -> Rig:
    return Rig()


@pytest.fixture
def hasty() -> Rig:
    return Rig(timeout=0.05)


@pytest.fixture
def release() -> Iterator[threading.Event]:
    """What hung hooks wait for; set at the end so that no thread stays behind."""
    event = threading.Event()
    yield event
    event.set()


def named(hook: str, function: Callable[..., Any]) -> Callable[..., Any]:
    function.__name__ = hook
    return function


def copied(function: Any) -> Callable[..., Any]:
    """Another function with the same code, to be marked as a hook of its own."""
    return FunctionType(function.__code__, function.__globals__)


def implementation(hook: str, seen: list[Any], *, how: str) -> Callable[..., Any]:
    """A function with the hook's own signature: plain, async, or plain returning an awaitable."""
    arguments = ", ".join(VALUES[hook])
    note = f"seen.append(({', '.join(VALUES[hook])}{',' if VALUES[hook] else ''}))"
    scope: dict[str, Any] = {"seen": seen, "result": RETURNED.get(hook), "loop": asyncio.get_running_loop}
    source = {
        "plain": f"def {hook}({arguments}):\n {note}\n return result",
        "async": f"async def {hook}({arguments}):\n loop()\n {note}\n return result",
        "awaitable": f"def {hook}({arguments}):\n async def later():\n  {note}\n  return result\n return later()",
    }[how]
    exec(source, scope)
    function: Callable[..., Any] = scope[hook]
    return function


def test_every_moment_is_exercised_here() -> None:
    assert set(VALUES) == set(hookspecs.MOMENTS)
    for hook in hookspecs.MOMENTS:
        assert list(VALUES[hook]) == list(inspect.signature(getattr(hookspecs, hook)).parameters)


@pytest.mark.parametrize("how", ["plain", "async", "awaitable"])
@pytest.mark.parametrize("hook", hookspecs.MOMENTS)
async def test_every_moment_takes_a_plain_and_an_async_implementation(rig: Rig, hook: str, how: str) -> None:
    seen: list[Any] = []
    rig.add("one", implementation(hook, seen, how=how))
    result = await rig.call(hook)
    assert seen == [tuple(VALUES[hook].values())]
    assert result == EXPECTED.get(hook)


@pytest.mark.parametrize("hook", hookspecs.MOMENTS)
async def test_with_no_plugin_nothing_changes(rig: Rig, hook: str) -> None:
    unchanged = {"passages_found": PASSAGES, "answer_ready": ANSWER, "document_fetched": DOCUMENT}
    assert await rig.call(hook) == unchanged.get(hook)
    assert not rig.manager.has(hook)


async def test_a_plugin_may_take_a_subset_of_the_arguments(rig: Rig) -> None:
    rig.add("one", named("passages_found", lambda passages: passages[:1]))
    assert await rig.call("passages_found") == PASSAGES[:1]


async def test_plugins_run_one_after_the_other_in_the_order_they_are_enabled(rig: Rig) -> None:
    rig.add("one", named("answer_ready", lambda answer: replace(answer, text=answer.text + " one")))
    rig.add("two", named("answer_ready", lambda answer: replace(answer, text=answer.text + " two")))
    assert (await rig.call("answer_ready")).text == "It is here [1]. one two"


async def test_the_first_refusal_is_the_answer(rig: Rig) -> None:
    asked: list[str] = []
    rig.add("one", named("question_received", lambda: None))
    rig.add("two", named("question_received", lambda: "No."))
    rig.add("three", named("question_received", lambda: asked.append("three")))
    assert await rig.call("question_received") == "No."
    assert asked == []


# --- raising, hanging, flooding ------------------------------------------------------------------------------------


def _raise() -> None:
    raise RuntimeError("boom")


async def _raise_later() -> None:
    raise RuntimeError("boom")


def _exit() -> None:
    raise SystemExit(3)


@pytest.mark.parametrize("failing", [_raise, _raise_later, _exit])
@pytest.mark.parametrize("hook", hookspecs.MOMENTS)
async def test_one_that_raises_costs_only_itself(rig: Rig, hook: str, failing: Callable[[], Any]) -> None:
    seen: list[Any] = []
    rig.add("bad", named(hook, copied(failing)))
    rig.add("good", implementation(hook, seen, how="plain"))
    assert await rig.call(hook) == EXPECTED.get(hook)
    assert len(seen) == 1


@pytest.mark.parametrize("hook", hookspecs.MOMENTS)
async def test_a_plain_one_that_hangs_blocks_neither_us_nor_the_event_loop(
    hasty: Rig, release: threading.Event, hook: str
) -> None:
    hasty.add("bad", named(hook, lambda: release.wait(30)))
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.005)
            ticks += 1

    ticking = asyncio.create_task(tick())
    started = time.monotonic()
    await hasty.call(hook)
    ticking.cancel()
    assert time.monotonic() - started < 5
    assert ticks >= 3


async def test_an_async_one_that_hangs_is_cancelled(hasty: Rig) -> None:
    ended = asyncio.Event()

    async def question_received() -> None:
        try:
            await asyncio.sleep(30)
        finally:
            ended.set()

    hasty.add("bad", question_received)
    assert await hasty.call("question_received") is None
    await asyncio.wait_for(ended.wait(), 5)


async def test_an_async_one_that_ignores_its_cancellation_is_left_behind(hasty: Rig) -> None:
    finish = asyncio.Event()

    async def question_received() -> None:
        while not finish.is_set():
            try:
                await asyncio.wait_for(asyncio.shield(finish.wait()), 30)
            except asyncio.CancelledError:
                continue

    hasty.add("bad", question_received)
    started = time.monotonic()
    assert await hasty.call("question_received") is None
    assert time.monotonic() - started < 5
    finish.set()
    await asyncio.sleep(0.01)


async def test_a_cancelled_question_is_not_a_failure_of_the_plugin(rig: Rig) -> None:
    async def question_received() -> None:
        await asyncio.sleep(30)

    rig.add("slow", question_received)
    for _ in range(6):
        task = asyncio.ensure_future(rig.call("question_received"))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert rig.parked == []


FLOODS: list[tuple[str, Any]] = [
    ("question_received", "no " * 10_000),
    ("passages_found", list(PASSAGES) * 1000),
    ("answer_ready", replace(ANSWER, text="x" * 1_000_000)),
    ("document_fetched", replace(DOCUMENT, body="x" * 1_000_000)),
]
WRONG: list[tuple[str, Any]] = [
    ("startup", 1),
    ("shutdown", "done"),
    ("question_received", False),
    ("question_received", "  "),
    ("passages_found", "text"),
    ("passages_found", (found for found in PASSAGES)),
    ("passages_found", [PASSAGES[0].passage]),
    ("answer_ready", "It is there."),
    ("feedback_received", FEEDBACK),
    ("document_fetched", "body"),
    ("document_fetched", replace(DOCUMENT, id="d2")),
    ("sync_finished", {}),
]


@pytest.mark.parametrize(("hook", "result"), [*FLOODS, *WRONG])
async def test_what_a_hook_may_not_return_is_its_failure_and_changes_nothing(rig: Rig, hook: str, result: Any) -> None:
    unchanged = await rig.call(hook)
    rig.add("bad", named(hook, lambda: result))
    for _ in range(5):
        assert await rig.call(hook) == unchanged
    assert [parked.hook for parked in rig.parked] == [hook]


# --- nothing widens ------------------------------------------------------------------------------------------------


async def test_passages_can_be_dropped_but_neither_added_nor_altered_nor_reordered(rig: Rig) -> None:
    forged = replace(PASSAGES[0], passage=replace(PASSAGES[0].passage, text="forged"), score=99.0)
    rig.add("one", named("passages_found", lambda: [PASSAGES[2], passage(7), forged]))
    assert await rig.call("passages_found") == (PASSAGES[0], PASSAGES[2])


async def test_an_answer_cannot_bring_a_passage_of_its_own(rig: Rig) -> None:
    rig.add("one", named("answer_ready", lambda answer: replace(answer, citations=(Citation(1, passage(9).passage),))))
    assert await rig.call("answer_ready") == ANSWER


async def test_an_answer_keeps_its_question_and_audience(rig: Rig) -> None:
    wide = replace(QUESTION, audience=Audience(frozenset({"everyone", "group:board"})))
    rig.add("one", named("answer_ready", lambda answer: replace(answer, question=wide, id="a2", text="New [1].")))
    assert await rig.call("answer_ready") == replace(ANSWER, text="New [1].")


SECRET = Part("private", readers=Readers.of(groups=["support"]))


@pytest.mark.parametrize(
    ("given", "returned", "taken"),
    [
        (DOCUMENT, replace(DOCUMENT, readers=Readers.nobody()), True),
        (DOCUMENT, replace(DOCUMENT, readers=Readers.everyone()), False),
        (replace(DOCUMENT, parts=(SECRET,)), replace(DOCUMENT, parts=()), True),
        (replace(DOCUMENT, parts=(SECRET,)), replace(DOCUMENT, parts=(replace(SECRET, body="****"),)), True),
        (replace(DOCUMENT, parts=(SECRET,)), replace(DOCUMENT, parts=(replace(SECRET, readers=None),)), False),
        (
            replace(DOCUMENT, parts=(SECRET,)),
            replace(DOCUMENT, parts=(replace(SECRET, readers=Readers.everyone()),)),
            False,
        ),
    ],
)
async def test_a_document_can_only_lose_readers(rig: Rig, given: Document, returned: Document, taken: bool) -> None:
    rig.add("one", named("document_fetched", lambda: returned))
    assert await rig.manager.document_fetched("wiki", given) == (returned if taken else given)


# --- parking -------------------------------------------------------------------------------------------------------


async def fail(rig: Rig, times: int, *, every: float = 1.0) -> None:
    for _ in range(times):
        await rig.call("feedback_received")
        rig.clock.now += every


async def test_five_failures_in_ten_minutes_park_the_hook_and_are_reported(rig: Rig) -> None:
    calls: list[int] = []

    def feedback_received() -> None:
        calls.append(1)
        raise RuntimeError("boom")

    rig.add("bad", feedback_received)
    await fail(rig, 4)
    assert rig.parked == []
    await fail(rig, 3)
    assert len(calls) == 5
    assert rig.parked == [Parked("bad", "dist-bad", "feedback_received", "RuntimeError: boom")]
    (info,) = rig.manager.plugins()
    assert (info.state, info.parked) == ("parked", ("feedback_received: RuntimeError: boom",))


async def test_failures_far_apart_do_not_park(rig: Rig) -> None:
    rig.add("bad", named("feedback_received", lambda: 1 / 0))
    await fail(rig, 20, every=151.0)
    assert rig.parked == []


async def test_only_the_failing_hook_of_a_plugin_is_parked(rig: Rig) -> None:
    rig.add("mixed", named("feedback_received", lambda: 1 / 0), named("question_received", lambda: "No."))
    await fail(rig, 6)
    assert await rig.call("question_received") == "No."


# --- from worker threads -------------------------------------------------------------------------------------------


def redact(document: Document) -> Document:
    return replace(document, body="****")


async def redact_later(document: Document) -> Document:
    await asyncio.sleep(0)
    return replace(document, body="****")


@pytest.mark.parametrize("function", [redact, redact_later])
def test_documents_are_redacted_from_a_thread_without_a_loop(rig: Rig, function: Callable[..., Any]) -> None:
    rig.add("one", named("document_fetched", copied(function)))
    assert rig.manager.document_fetched_sync("wiki", DOCUMENT).body == "****"


async def test_from_a_worker_thread_async_hooks_run_on_the_loop_of_the_start(rig: Rig) -> None:
    loops: list[asyncio.AbstractEventLoop] = []

    async def document_fetched(document: Document) -> Document:
        loops.append(asyncio.get_running_loop())
        return replace(document, body="****")

    rig.add("one", document_fetched)
    await rig.manager.startup()
    result = await asyncio.to_thread(rig.manager.document_fetched_sync, "wiki", DOCUMENT)
    assert result.body == "****"
    assert loops == [asyncio.get_running_loop()]


async def test_called_on_the_loop_itself_it_does_not_wait_for_itself(rig: Rig) -> None:
    rig.add("one", named("document_fetched", copied(redact_later)))
    await rig.manager.startup()
    assert rig.manager.document_fetched_sync("wiki", DOCUMENT).body == "****"


@pytest.mark.parametrize("asynchronous", [True, False])
def test_a_thread_is_not_held_up_either(hasty: Rig, release: threading.Event, asynchronous: bool) -> None:
    async def sleep() -> None:
        await asyncio.sleep(30)

    hasty.add("bad", named("document_fetched", sleep if asynchronous else (lambda: release.wait(30))))
    started = time.monotonic()
    for _ in range(6):
        assert hasty.manager.document_fetched_sync("wiki", DOCUMENT) is DOCUMENT
    assert time.monotonic() - started < 10
    assert [parked.hook for parked in hasty.parked] == ["document_fetched"]


def test_the_end_of_a_sync_is_told_from_a_thread(rig: Rig) -> None:
    told: list[Any] = []
    rig.add("one", named("sync_finished", lambda source, counts: told.append((source, counts))))
    rig.manager.sync_finished_sync("wiki", {"listed": 2})
    assert told == [("wiki", {"listed": 2})]
