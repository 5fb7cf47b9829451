"""Several processes over one database: who took a question, who answers it and who shows it are not the same."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from citebot.app.news import NewsReader
from citebot.delivery import Assignment, Delivery, Handler, Outcome, Patience, Post, Reply
from citebot.delivery.answering import WITHDRAWN, place_of, shown_under
from citebot.model import Answer, Audience, Conversation, Json, Person, Question
from citebot.ports import Inbound, News
from citebot.settings import DeliverySettings
from citebot.storage import Database, answers, endings, hints, work

PLACE = Conversation("web", "c1", "T")
ASKED = Inbound("d1", "m1", PLACE, Person("ann"), "q1")
SLOW = Patience(poll=3600.0)
"""Finds nothing by itself."""
QUICK = Patience(answer_delays=(0.05,), poll=0.05)


def reply(asked: Assignment, text: str = "an answer") -> Reply:
    about = Question(asked.inbound.text, asked.inbound.asker, asked.inbound.conversation, Audience(frozenset()))
    return Reply(Answer(uuid.uuid4().hex, about, text, True), {})


class Worker:
    """Works on questions until they are stopped, and remembers what it was told to show."""

    def __init__(self, database: Database, *, fails: bool = False) -> None:
        self.begun = asyncio.Event()
        self.posts: list[Post] = []
        self.texts: list[str] = []
        self._database = database
        self._fails = fails

    async def answer(self, asked: Assignment) -> Outcome:
        self.begun.set()
        await asyncio.wait_for(asked.stopped.wait(), 60)
        if self._fails:
            raise RuntimeError("the model is down")
        return reply(asked, "as far as I came")

    async def send(self, post: Post) -> dict[str, Json] | None:
        with self._database.read() as tx:
            stored = answers.get(tx, post.answer_id)
        self.posts.append(post)
        self.texts.append(stored.text if stored else post.notice)
        return None


@asynccontextmanager
async def process(
    database: Database, handler: Handler, worker: Worker, *, patience: Patience = QUICK, runs: bool = True
) -> AsyncIterator[Delivery]:
    """One process; without `runs` it takes questions and does nothing else, as a gateway."""
    delivery = Delivery(
        database, handler=handler, sender=worker.send, settings=DeliverySettings(workers=4), patience=patience
    )
    running = asyncio.create_task(delivery.run()) if runs else None
    try:
        yield delivery
    finally:
        await delivery.drain(1)
        if running is not None:
            await running
        delivery.close()


@asynccontextmanager
async def gateway_and_worker(database: Database, worker: Worker) -> AsyncIterator[Delivery]:
    """The gateway; the worker is behind it."""
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(process(database, worker.answer, worker))
        yield await stack.enter_async_context(process(database, worker.answer, worker, runs=False))


async def until(condition: Callable[[], object], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "took too long"
        await asyncio.sleep(0.02)


def state(database: Database, job: int) -> str:
    with database.read() as tx:
        return work.state_of(tx, job)


async def test_stopping_reaches_the_process_that_answers(database: Database) -> None:
    worker = Worker(database)
    async with gateway_and_worker(database, worker) as gateway:
        job = await gateway.accept(ASKED)
        await asyncio.wait_for(worker.begun.wait(), 30)
        await gateway.stop(job)
        await until(lambda: worker.texts)
    assert worker.texts == ["as far as I came"]


async def test_a_stopped_question_that_fails_is_not_tried_again(database: Database) -> None:
    worker = Worker(database, fails=True)
    async with gateway_and_worker(database, worker) as gateway:
        job = await gateway.accept(ASKED)
        await asyncio.wait_for(worker.begun.wait(), 30)
        await gateway.stop(job)
        await until(lambda: worker.texts)
    assert worker.texts == [WITHDRAWN]
    assert state(database, job) == "done"


@pytest.mark.parametrize("fails", [False, True])
async def test_of_a_question_that_is_taken_back_nothing_is_shown(database: Database, fails: bool) -> None:
    worker = Worker(database, fails=fails)
    async with gateway_and_worker(database, worker) as gateway:
        job = await gateway.accept(ASKED)
        await asyncio.wait_for(worker.begun.wait(), 30)
        await gateway.take_back(PLACE, "m1")
        await until(lambda: worker.posts)
    (post,) = worker.posts
    assert post.removal
    assert shown_under(post.to).idempotency_key == f"inbox-{job}"
    assert state(database, job) == "done"
    with database.read() as tx:
        assert (inbound := work.inbound_of(tx, job)) is not None
        assert inbound.text == ""


async def test_a_post_that_waits_is_not_sent_once_its_question_is_taken_back(database: Database) -> None:
    worker = Worker(database)
    async with process(database, worker.answer, worker, runs=False) as gateway:
        job = await gateway.accept(ASKED)
        with database.write() as tx:
            (claimed,) = work.claim(tx, "inbox", lease=30)
            work.complete(tx, claimed)
            work.plan(tx, Post(place_of(claimed), notice="too late"), inbox_id=job)
        await gateway.take_back(PLACE, "m1")
    async with process(database, worker.answer, worker):
        await until(lambda: worker.posts)
    assert [(post.removal, post.notice) for post in worker.posts] == [(True, "")]


async def test_a_taken_back_question_whose_worker_dies_is_not_answered_by_the_next(database: Database) -> None:
    worker = Worker(database)
    async with process(database, worker.answer, worker, runs=False) as gateway:
        await gateway.accept(ASKED)
        with database.write() as tx:
            assert work.claim(tx, "inbox", lease=0.0)  # and is never heard of again
        await gateway.take_back(PLACE, "m1")
    async with process(database, worker.answer, worker):
        await until(lambda: worker.posts)
    assert [post.removal for post in worker.posts] == [True]
    assert not worker.begun.is_set()


async def test_questions_of_a_message_and_of_a_thread_are_found_by_any_process(database: Database) -> None:
    thread = Conversation("web", "c1", "T", thread="m1")
    worker = Worker(database)
    async with process(database, worker.answer, worker, runs=False) as gateway:
        first = await gateway.accept(Inbound("d1", "m1", thread, Person("ann"), "q"))
        second = await gateway.accept(Inbound("d2", "m1+e2", thread, Person("ann"), "q edited"))
        await gateway.accept(Inbound("d3", "m10", Conversation("web", "c1", "T", thread="m10"), Person("ann"), "other"))
        with database.write() as tx:
            (job,) = work.claim(tx, "inbox", lease=30)
            work.step_aside(tx, job, after=0, why="answered for now")
        with database.read() as tx:
            assert endings.asked_by(tx, PLACE, "m1") == {"m1": first, "m1+e2": second}
            assert endings.asked_in(tx, thread) == [first, second]
            assert endings.asked_by(tx, Conversation("web", "c2", "T"), "m1") == {}


async def test_questions_taken_over_are_counted(database: Database) -> None:
    counted: list[str] = []
    worker = Worker(database)

    async def answer(asked: Assignment) -> Outcome:
        return reply(asked)

    with database.write() as tx:
        work.accept(tx, ASKED)
        work.claim(tx, "inbox", lease=0.0)
    delivery = Delivery(
        database,
        handler=answer,
        sender=worker.send,
        settings=DeliverySettings(),
        patience=QUICK,
        taken_over=counted.append,
    )
    running = asyncio.create_task(delivery.run())
    await until(lambda: worker.texts)
    await delivery.drain(1)
    await running
    delivery.close()
    assert counted == ["inbox"]


@pytest.mark.parametrize("database", ["postgres"], indirect=True)
async def test_a_worker_is_woken_by_the_gateway(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    listening = asyncio.Event()
    heed = hints.heed

    async def heed_and_say(database: Database, heard: Callable[[str], None]) -> None:
        def hear(hint: str) -> None:
            listening.set()
            heard(hint)

        await heed(database, hear)

    monkeypatch.setattr(hints, "heed", heed_and_say)
    worker = Worker(database)

    async def answer(asked: Assignment) -> Outcome:
        return reply(asked)

    serving = process(database, answer, worker, patience=SLOW)
    async with serving, process(database, answer, worker, runs=False) as gateway:
        while not listening.is_set():  # until the connection stands nobody hears
            with database.write() as tx:
                hints.give(tx, "outbox")
            await asyncio.sleep(0.05)
        await gateway.accept(ASKED)
        await until(lambda: worker.texts)
    assert worker.texts == ["an answer"]


@pytest.mark.parametrize("database", ["postgres"], indirect=True)
async def test_without_hints_a_worker_looks_by_itself(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "_listens", False)
    worker = Worker(database)

    async def answer(asked: Assignment) -> Outcome:
        return reply(asked)

    async with process(database, answer, worker), process(database, answer, worker, runs=False) as gateway:
        await gateway.accept(ASKED)
        await until(lambda: worker.texts)
    assert worker.texts == ["an answer"]


class Remembers:
    """A platform that remembers who reads where."""

    name = "web"

    def __init__(self) -> None:
        self.heard: list[News] = []

    def heed(self, news: News) -> None:
        self.heard.append(news)


async def test_news_of_one_process_are_heard_by_the_others_once(database: Database) -> None:
    gateway, worker = Remembers(), Remembers()
    told = NewsReader(database, gateway)  # type: ignore[arg-type]
    hears = NewsReader(database, worker)  # type: ignore[arg-type]
    first, second = News("channel", "T", "C1"), News("person", "T", "U1")
    await told.spread(first)
    await hears.catch_up()
    await told.spread(second)
    await asyncio.gather(hears.catch_up(), hears.catch_up())
    await hears.catch_up()
    assert worker.heard[0] == first
    assert set(worker.heard[1:]) == {second}
