"""Questions come in at once, whatever else the process is busy with, and many of them with one transaction."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager

import pytest

from citebot.delivery import Assignment, Delivery, Outcome, Post
from citebot.errors import StorageError
from citebot.model import Conversation, Person
from citebot.ports import Inbound
from citebot.settings import DeliverySettings
from citebot.storage import Database, endings, work
from citebot.testing.failpoints import armed


def inbound(number: int, text: str = "What does it cost?") -> Inbound:
    return Inbound(f"d{number}", f"m{number}", Conversation("web", f"c{number % 7}"), Person("ann"), text)


@pytest.fixture
def delivery(database: Database) -> Iterator[Delivery]:
    async def handler(asked: Assignment) -> Outcome:
        raise AssertionError("nothing is answered here")

    async def sender(post: Post) -> None:
        raise AssertionError("nothing is sent here")

    made = Delivery(database, handler=handler, sender=sender, settings=DeliverySettings(workers=1))
    yield made
    made.close()


@contextmanager
def counted() -> Iterator[list[int]]:
    """The commits of questions, while it is open."""
    commits: list[int] = []
    with armed("before-inbox-commit", lambda: commits.append(1)):
        yield commits


@asynccontextmanager
async def threads_taken() -> AsyncIterator[None]:
    """While work of others holds every thread of the loop's own."""
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
    gate = threading.Event()
    holding = asyncio.create_task(asyncio.to_thread(gate.wait))
    await asyncio.sleep(0.05)
    try:
        yield
    finally:
        gate.set()
        await holding


async def test_questions_that_come_together_are_kept_together(database: Database, delivery: Delivery) -> None:
    with counted() as commits:
        ids = await asyncio.gather(*(delivery.accept(inbound(n % 30)) for n in range(60)))

    assert ids[:30] == ids[30:]
    assert len(set(ids)) == 30
    assert len(commits) <= 3
    with database.read() as tx:
        assert work.counts(tx, "inbox") == {"ready": 30}


async def test_questions_of_a_conversation_keep_their_order(delivery: Delivery) -> None:
    ids = await asyncio.gather(*(delivery.accept(inbound(n)) for n in range(50)))

    for lane in range(7):
        assert ids[lane::7] == sorted(ids[lane::7])


async def test_one_that_cannot_be_kept_takes_no_other_with_it(delivery: Delivery) -> None:
    bad = inbound(5, object())  # type: ignore[arg-type]  # what cannot be written
    some = [bad if number == 5 else inbound(number) for number in range(10)]
    found = await asyncio.gather(*map(delivery.accept, some), return_exceptions=True)

    assert [number for number, one in enumerate(found) if not isinstance(one, int)] == [5]


async def test_nothing_on_the_way_in_waits_for_the_threads_of_others(delivery: Delivery) -> None:
    async with threads_taken(), asyncio.timeout(5):
        assert await delivery.accept(inbound(1)) == 1
        assert await delivery.look(lambda tx: work.counts(tx, "inbox")) == {"ready": 1}
        assert await delivery.note(lambda tx: endings.withdraw(tx, 1)) is not None


async def test_a_full_disk_is_told_to_each_who_waits(delivery: Delivery) -> None:
    def full() -> None:
        raise StorageError("The disk is full.")

    with armed("before-inbox-commit", full):
        found = await asyncio.gather(*(delivery.accept(inbound(n)) for n in range(3)), return_exceptions=True)

    assert [str(error) for error in found] == ["The disk is full."] * 3
    assert await delivery.accept(inbound(0)) > 0
