"""The whole delivery in one process: what is answered, what is said when it cannot be, and how it ends."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import text
from waiting import until

from citebot.delivery import Assignment, Delivery, Handler, Notice, Outcome, Patience, Post, Reply, Sender
from citebot.delivery.answering import GIVEN_UP, WITHDRAWN
from citebot.errors import CannotShow, IndexUnavailable, LeaseLost, NotAllowed, Retry, StorageError
from citebot.model import Answer, Audience, Conversation, Json, Person, Question
from citebot.ports import Inbound
from citebot.settings import DeliverySettings
from citebot.storage import Database, answers, work
from citebot.testing.failpoints import armed

QUICK = Patience(answer_delays=(0.01, 0.01), send_delays=(0.01, 0.01), poll=0.02)


def inbound(number: int, conversation: str = "") -> Inbound:
    return Inbound(
        f"d{number}", f"m{number}", Conversation("web", conversation or f"c{number}"), Person("ann"), f"q{number}"
    )


def reply(asked: Assignment, said: str = "") -> Reply:
    question = Question(asked.inbound.text, asked.inbound.asker, asked.inbound.conversation, Audience(frozenset()))
    return Reply(Answer(uuid.uuid4().hex, question, said or f"answer to {question.text}", True), {"stages": []})


class Platform:
    """Shows posts by their key, as a platform with idempotent sending does."""

    def __init__(self, database: Database) -> None:
        self.shown: dict[str, str] = {}
        self.order: list[str] = []
        self._database = database

    async def send(self, post: Post) -> Mapping[str, Json]:
        with self._database.read() as tx:
            found = answers.get(tx, post.answer_id)
        self.shown[post.to.idempotency_key] = found.text if found else post.notice
        self.order.append(post.to.reply_to)
        return {"ts": post.to.idempotency_key}


@pytest.fixture
def platform(database: Database) -> Platform:
    return Platform(database)


@asynccontextmanager
async def serving(
    database: Database,
    handler: Handler,
    sender: Sender,
    *,
    patience: Patience = QUICK,
    workers: int = 4,
    lease: float = 30.0,
) -> AsyncIterator[Delivery]:
    settings = DeliverySettings(workers=workers, lease=lease)
    delivery = Delivery(database, handler=handler, sender=sender, settings=settings, patience=patience)
    running = asyncio.create_task(delivery.run())
    try:
        yield delivery
    finally:
        await delivery.drain(1)
        await running
        delivery.close()


def states(database: Database, queue: work.Queue) -> dict[str, int]:
    with database.read() as tx:
        return work.counts(tx, queue)


async def test_questions_are_answered_once_however_often_they_come(database: Database, platform: Platform) -> None:
    async def handler(asked: Assignment) -> Outcome:
        return reply(asked)

    async with serving(database, handler, platform.send) as delivery:
        ids = await asyncio.gather(*(delivery.accept(inbound(n % 20)) for n in range(60)))
        assert len(set(ids)) == 20
        await until(lambda: states(database, "outbox") == {"done": 20})
    assert platform.shown == {f"inbox-{job}": f"answer to q{n % 20}" for n, job in enumerate(ids)}
    assert states(database, "inbox") == {"done": 20}


async def test_a_conversation_is_answered_in_its_order_while_others_overtake(
    database: Database, platform: Platform
) -> None:
    async def handler(asked: Assignment) -> Outcome:
        await asyncio.sleep(0.6 if asked.inbound.text == "q0" else 0)
        return reply(asked)

    async with serving(database, handler, platform.send) as delivery:
        for number, place in enumerate(["a", "a", "b", "a"]):
            await delivery.accept(inbound(number, place))
        await until(lambda: len(platform.order) == 4)
    assert platform.order == ["m2", "m0", "m1", "m3"]


async def test_a_failure_is_tried_again_and_ends_in_an_honest_notice(database: Database, platform: Platform) -> None:
    attempts: list[int] = []

    async def handler(asked: Assignment) -> Outcome:
        attempts.append(asked.attempt)
        raise IndexUnavailable("the index is down")

    async with serving(database, handler, platform.send) as delivery:
        job = await delivery.accept(inbound(1))
        await until(lambda: platform.shown)
    assert platform.shown == {f"inbox-{job}": GIVEN_UP}
    assert attempts == [1, 2, 3]
    assert states(database, "inbox") == {"dead": 1}


async def test_asked_again_in_the_moment_its_notice_appears_it_is_begun_anew(
    database: Database, platform: Platform
) -> None:
    tried: list[bool] = []

    async def handler(asked: Assignment) -> Outcome:
        return reply(asked) if tried else Notice("Not now.")

    async def send(post: Post) -> Mapping[str, Json]:
        said = await platform.send(post)
        if not tried:
            tried.append(True)
            pressing.append(asyncio.create_task(delivery.again(str(said["ts"]), Person("ann"), anew=False)))
            await asyncio.sleep(0.15)  # until the press has found that it is still being sent
        return said

    pressing: list[asyncio.Task[bool]] = []
    async with serving(database, handler, send) as delivery:
        job = await delivery.accept(inbound(1))
        await until(lambda: platform.shown.get(f"inbox-{job}") == "answer to q1")
    assert pressing[0].result()


@pytest.mark.parametrize("outcome", [NotAllowed("Guests may not ask here."), Notice("Guests may not ask here.")])
async def test_a_refusal_is_said_at_once(database: Database, platform: Platform, outcome: Notice | NotAllowed) -> None:
    async def handler(asked: Assignment) -> Outcome:
        if isinstance(outcome, NotAllowed):
            raise outcome
        return outcome

    async with serving(database, handler, platform.send) as delivery:
        await delivery.accept(inbound(1))
        await until(lambda: states(database, "outbox") == {"done": 1})
    assert list(platform.shown.values()) == ["Guests may not ask here."]
    assert states(database, "inbox") == {"done": 1}


async def test_a_post_is_tried_again_and_honours_the_wait_that_was_asked_for(
    database: Database, platform: Platform
) -> None:
    tries: list[float] = []

    async def send(post: Post) -> Mapping[str, Json]:
        tries.append(time.monotonic())
        if len(tries) == 1:
            raise Retry("too many requests", after=0.3)
        if len(tries) == 2:
            raise ConnectionError("reset")
        return await platform.send(post)

    async def handler(asked: Assignment) -> Outcome:
        return reply(asked)

    async with serving(database, handler, send) as delivery:
        await delivery.accept(inbound(1))
        await until(lambda: platform.shown)
    assert tries[1] - tries[0] >= 0.28
    assert len(platform.shown) == 1


async def test_a_post_that_its_place_will_never_take_is_not_tried_again(database: Database) -> None:
    tries: list[Post] = []

    async def send(post: Post) -> Mapping[str, Json]:
        tries.append(post)
        raise CannotShow("The channel was deleted.")

    async def handler(asked: Assignment) -> Outcome:
        return reply(asked)

    async with serving(database, handler, send) as delivery:
        await delivery.accept(inbound(1))
        await until(lambda: states(database, "outbox") == {"dead": 1})
        await asyncio.sleep(0.1)
    assert len(tries) == 1


async def test_a_question_that_kills_its_workers_is_given_up(database: Database, platform: Platform) -> None:
    """A claim that never came back counts as an attempt."""

    async def handler(asked: Assignment) -> Outcome:
        raise AssertionError("must not be tried a fourth time")

    with database.write() as tx:
        work.accept(tx, inbound(1))
    for _ in range(3):
        with database.write() as tx:
            assert work.claim(tx, "inbox", lease=0)
    async with serving(database, handler, platform.send):
        await until(lambda: platform.shown)
    assert list(platform.shown.values()) == [GIVEN_UP]


async def test_the_asker_can_stop_what_runs_and_withdraw_what_waits(database: Database, platform: Platform) -> None:
    begun = asyncio.Event()

    async def handler(asked: Assignment) -> Outcome:
        begun.set()
        await asked.stopped.wait()
        return reply(asked, "as far as I got")

    async with serving(database, handler, platform.send) as delivery:
        first, second = await delivery.accept(inbound(1, "a")), await delivery.accept(inbound(2, "a"))
        await begun.wait()
        await delivery.stop(second)
        await delivery.stop(first)
        await until(lambda: len(platform.shown) == 2)
    assert platform.shown == {f"inbox-{first}": "as far as I got", f"inbox-{second}": WITHDRAWN}


async def test_the_lease_is_renewed_while_the_answer_takes_long(database: Database, platform: Platform) -> None:
    attempts: list[int] = []

    async def handler(asked: Assignment) -> Outcome:
        attempts.append(asked.attempt)
        await asyncio.sleep(3.5)
        return reply(asked)

    async with serving(database, handler, platform.send, lease=1.5) as delivery:
        await delivery.accept(inbound(1))
        await until(lambda: platform.shown)
    assert attempts == [1]


async def test_a_handler_that_lost_its_lease_is_cancelled_and_writes_nothing(
    database: Database, platform: Platform
) -> None:
    ended: list[str] = []

    async def handler(asked: Assignment) -> Outcome:
        if asked.attempt > 1:
            return reply(asked, "by the second worker")
        with database.write() as tx:
            # As if we had slept: the lease ends and another worker claims.
            tx.execute(text("UPDATE inbox SET lease_until = created_at"))
            (stolen,) = work.claim(tx, "inbox", lease=30)
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            ended.append("cancelled")
            with pytest.raises(LeaseLost), database.write() as tx:
                asked.guard(tx)
            with database.write() as tx:
                work.release(tx, stolen)
            raise
        return reply(asked, "too late")

    async with serving(database, handler, platform.send, lease=0.3) as delivery:
        job = await delivery.accept(inbound(1))
        await until(lambda: platform.shown)
    assert ended == ["cancelled"]
    assert platform.shown == {f"inbox-{job}": "by the second worker"}


async def test_draining_finishes_what_is_quick_and_gives_back_what_is_not(
    database: Database, platform: Platform
) -> None:
    begun: list[str] = []

    async def handler(asked: Assignment) -> Outcome:
        begun.append(asked.inbound.text)
        await asyncio.sleep(0.2 if asked.inbound.text == "q1" else 60)
        return reply(asked)

    async with serving(database, handler, platform.send, workers=2) as delivery:
        for number in (1, 2, 3):
            await delivery.accept(inbound(number))
        await until(lambda: len(begun) == 2)
        await delivery.drain(1)
        assert list(platform.shown.values()) == ["answer to q1"], "what was answered was also sent"
    assert states(database, "inbox") == {"done": 1, "ready": 2}
    with database.write() as tx:
        assert [job.attempts for job in work.claim(tx, "inbox", lease=30, limit=5)] == [1, 1]


async def test_an_answer_that_cannot_be_committed_is_made_again(database: Database, platform: Platform) -> None:
    failures = iter([StorageError("disk full"), None])

    def fail_once() -> None:
        if (error := next(failures, None)) is not None:
            raise error

    async def handler(asked: Assignment) -> Outcome:
        return reply(asked)

    with armed("before-answer-commit", fail_once):
        async with serving(database, handler, platform.send, lease=0.3) as delivery:
            await delivery.accept(inbound(1))
            await until(lambda: platform.shown)
    assert states(database, "inbox") == {"done": 1}


async def test_a_question_that_cannot_be_kept_is_not_acknowledged(database: Database, platform: Platform) -> None:
    async def handler(asked: Assignment) -> Outcome:
        return reply(asked)

    def fail() -> None:
        raise StorageError("disk full")

    async with serving(database, handler, platform.send) as delivery:
        with armed("before-inbox-commit", fail), pytest.raises(StorageError):
            await delivery.accept(inbound(1))
        assert states(database, "inbox") == {}
        await delivery.accept(inbound(1))
        await until(lambda: platform.shown)


async def test_two_processes_worth_of_workers_share_the_work(database: Database, platform: Platform) -> None:
    answered: list[str] = []

    def by(name: str) -> Callable[[Assignment], Awaitable[Outcome]]:
        async def handler(asked: Assignment) -> Outcome:
            await asyncio.sleep(0.005)
            answered.append(name)
            return reply(asked)

        return handler

    async with serving(database, by("a"), platform.send) as one, serving(database, by("b"), platform.send):
        await asyncio.gather(*(one.accept(inbound(n)) for n in range(80)))
        await until(lambda: states(database, "outbox") == {"done": 80})
    assert len(answered) == 80
    assert set(answered) == {"a", "b"}
