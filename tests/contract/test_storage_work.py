"""Inbox, outbox, leases and slots on both databases, with real concurrent workers."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from sqlalchemy import text

from citebot.errors import LeaseLost
from citebot.model import Conversation, Person, Turn
from citebot.ports import Inbound, Outbound
from citebot.storage import Database, endings, leases, slots, work
from citebot.storage.envelopes import Post


def inbound(number: int, conversation: str = "c", thread: str = "", delivery: str = "") -> Inbound:
    place = Conversation("slack", conversation, tenant="T", thread=thread, visibility="public")
    return Inbound(delivery or f"d{number}", f"m{number}", place, Person("ann"), f"question {number}")


def accept(database: Database, *questions: Inbound) -> list[int]:
    with database.write(durable=True) as tx:
        return [work.accept(tx, question)[0] for question in questions]


def claim(database: Database, limit: int = 1, lease: float = 30.0) -> list[work.Job]:
    with database.write() as tx:
        return work.claim(tx, "inbox", lease=lease, limit=limit)


def let_lapse(database: Database, table: str, column: str) -> None:
    with database.write() as tx:
        tx.execute(text(f"UPDATE {table} SET {column} = '2020-01-01 00:00:00.000000'"))


def test_a_question_comes_back_whole(database: Database) -> None:
    asked = Inbound(
        "d", "m", Conversation("slack", "c", "T", "th", "shared"), Person("zoë", "Zoë", guest=True), "wie läuft's? ✓",
        (Turn("user", "a"), Turn("assistant", "b")), ("wiki",),
    )  # fmt: skip
    accept(database, asked)
    assert claim(database)[0].inbound == asked


def test_a_second_delivery_or_event_of_a_message_keeps_the_first_id(database: Database) -> None:
    (first,) = accept(database, inbound(1))
    with database.write() as tx:
        assert work.accept(tx, inbound(1)) == (first, False)
        assert work.accept(tx, inbound(1, delivery="other")) == (first, False)
        assert work.accept(tx, inbound(2, delivery="d1")) == (first, False)
        assert work.accept(tx, inbound(1, conversation="elsewhere", delivery="new"))[1]


def test_the_same_event_on_eight_threads_is_accepted_once(database: Database) -> None:
    def deliver(_: int) -> tuple[int, bool]:
        with database.write() as tx:
            return work.accept(tx, inbound(1))

    with ThreadPoolExecutor(8) as threads:
        results = list(threads.map(deliver, range(24)))
    assert len({id for id, _ in results}) == 1
    assert sum(new for _, new in results) == 1


def test_a_conversation_is_answered_in_order_one_at_a_time(database: Database) -> None:
    ids = accept(database, inbound(1), inbound(2), inbound(3, conversation="x"), inbound(4, thread="t"))
    first = claim(database, 10)
    assert [job.id for job in first] == [ids[0], ids[2], ids[3]]
    assert claim(database, 10) == []
    with database.write() as tx:
        work.retry(tx, first[0], after=60, why="model down")
    assert claim(database, 10) == [], "the later question waits for the earlier one, however long that takes"
    with database.write() as tx:
        tx.execute(text("UPDATE inbox SET not_before = NULL"))
    (again,) = claim(database, 10)
    assert (again.id, again.attempts) == (ids[0], 2)
    with database.write() as tx:
        work.complete(tx, again)
    assert [job.id for job in claim(database, 10)] == [ids[1]]


def test_questions_of_one_conversation_are_numbered_in_the_order_of_their_commits(database: Database) -> None:
    began, committed = threading.Event(), []

    def deliver(number: int, wait: float) -> None:
        with database.write() as tx:
            job, _ = work.accept(tx, inbound(number))
            began.set()
            time.sleep(wait)
        committed.append(job)

    slow = threading.Thread(target=deliver, args=(1, 0.4))
    slow.start()
    assert began.wait(5)
    deliver(2, 0)
    slow.join()
    assert committed == sorted(committed)


def test_a_lapsed_lease_passes_the_job_on_and_the_fence_stops_the_first_worker(database: Database) -> None:
    accept(database, inbound(1))
    (slow,) = claim(database)
    assert claim(database) == []
    let_lapse(database, "inbox", "lease_until")
    (quick,) = claim(database)
    assert (quick.id, quick.fence) == (slow.id, slow.fence + 1)
    for change in (
        lambda tx: work.guard(tx, slow),
        lambda tx: work.renew(tx, slow, lease=30),
        lambda tx: work.complete(tx, slow),
        lambda tx: work.retry(tx, slow, after=0, why=""),
        lambda tx: work.release(tx, slow),
        lambda tx: work.dead(tx, slow, why=""),
    ):
        with pytest.raises(LeaseLost), database.write() as tx:
            change(tx)
    with database.write() as tx:
        work.guard(tx, quick)
        work.complete(tx, quick)
    with pytest.raises(LeaseLost), database.write() as tx:
        work.complete(tx, quick)


def test_a_released_job_is_claimed_again_without_a_counted_attempt(database: Database) -> None:
    accept(database, inbound(1))
    with database.write() as tx:
        work.release(tx, work.claim(tx, "inbox", lease=30)[0])
    assert claim(database)[0].attempts == 1


def test_eight_workers_take_every_job_once(database: Database) -> None:
    ids = accept(database, *(inbound(n, conversation=str(n)) for n in range(60)))

    def worker(_: int) -> list[int]:
        taken: list[int] = []
        while jobs := claim(database, 3):
            taken.extend(job.id for job in jobs)
        return taken

    with ThreadPoolExecutor(8) as threads:
        taken = [id for some in threads.map(worker, range(8)) for id in some]
    # SKIP LOCKED may show a worker nothing while others hold the rows; what matters is that none is taken twice.
    assert len(taken) == len(set(taken))
    assert sorted([*taken, *(job.id for job in claim(database, 100))]) == ids


def test_a_worker_takes_only_its_platforms(database: Database) -> None:
    accept(database, inbound(1))
    with database.write() as tx:
        assert work.claim(tx, "inbox", lease=30, platforms=["discord"]) == []
        assert len(work.claim(tx, "inbox", lease=30, platforms=["discord", "slack"])) == 1


def test_a_post_is_planned_once_and_keeps_what_the_platform_said(database: Database) -> None:
    post = Post(Outbound(inbound(1).conversation, "m1", "key-1"), answer_id="a1")
    with database.write() as tx:
        work.plan(tx, post)
        work.plan(tx, Post(post.to, notice="another"))
        (job,) = work.claim(tx, "outbox", lease=30, limit=10)
        assert job.post == post
        work.complete(tx, job, result={"ts": "17.2"})
        assert tx.execute(text("SELECT count(*) FROM outbox WHERE state = 'done'")).scalar() == 1
        assert work.counts(tx, "outbox") == {"done": 1}


def test_a_question_nobody_has_begun_can_be_withdrawn(database: Database) -> None:
    begun, waiting = accept(database, inbound(1), inbound(2, conversation="x"))
    with database.write() as tx:
        assert [job.id for job in work.claim(tx, "inbox", lease=30)] == [begun]
        assert endings.withdraw(tx, begun) is None
        assert endings.withdraw(tx, waiting) == inbound(2, conversation="x")
    assert claim(database) == []


def test_a_named_lease_has_one_holder_and_a_rising_fence(database: Database) -> None:
    with database.write() as tx:
        mine = leases.acquire(tx, "sync wiki", "a", 30)
        assert mine is not None
        assert leases.acquire(tx, "sync wiki", "b", 30) is None
        mine = leases.renew(tx, mine, 30)
        leases.check(tx, mine)
    let_lapse(database, "lease", "until")
    with database.write() as tx:
        theirs = leases.acquire(tx, "sync wiki", "b", 30)
    assert theirs is not None
    assert theirs.fence > mine.fence
    for use in (leases.check, lambda tx, held: leases.renew(tx, held, 1)):
        with pytest.raises(LeaseLost, match="sync wiki"), database.write() as tx:
            use(tx, mine)
    with database.write() as tx:
        leases.release(tx, mine)
        leases.check(tx, theirs)
        leases.release(tx, theirs)
        assert leases.acquire(tx, "sync wiki", "c", 30) is not None


def test_every_slot_has_one_winner_among_many(database: Database) -> None:
    start = datetime(2026, 1, 1)

    def replica(name: int) -> list[datetime]:
        won = []
        for number in range(30):
            due = start + timedelta(minutes=number)
            with database.write() as tx:
                if slots.take(tx, job="sync wiki", due=due, holder=str(name)):
                    won.append(due)
        return won

    with ThreadPoolExecutor(5) as threads:
        won = [due for some in threads.map(replica, range(5)) for due in some]
    assert len(won) == len(set(won))
    assert max(won) == start + timedelta(minutes=29)


def test_slots_missed_are_not_run_afterwards(database: Database) -> None:
    hour = datetime(2026, 1, 1, 12)
    with database.write() as tx:
        assert slots.take(tx, job="j", due=hour, holder="a")
        assert not slots.take(tx, job="j", due=hour - timedelta(hours=1), holder="b")
        assert slots.take(tx, job="other", due=hour - timedelta(hours=1), holder="b")
        assert slots.take(tx, job="j", due=hour + timedelta(hours=1), holder="b")
        assert slots.forget(tx, hour + timedelta(days=1)) == 1
        assert slots.newest_taken(tx, "j") == hour + timedelta(hours=1)
