"""The clock: one winner per due time among several processes, and one run for all that was missed."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from citebot.errors import SourceError
from citebot.scheduling import Clock, due_before
from citebot.storage import Database, slots


async def until(condition: object, seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline, "took too long"
        await asyncio.sleep(0.01)


def taken(database: Database) -> Counter[datetime]:
    with database.read() as tx:
        return Counter(row[0] for row in tx.execute(text("SELECT due FROM schedule_slot WHERE job = 'sync'")))


async def test_every_due_time_runs_on_exactly_one_of_three_clocks(database: Database) -> None:
    runs: list[str] = []
    clocks = [Clock(database, holder=name) for name in ("a", "b", "c")]

    def task(name: str) -> object:
        async def run() -> None:
            runs.append(name)

        return run

    for clock, name in zip(clocks, "abc", strict=True):
        clock.every(0.4, "sync", task(name))  # type: ignore[arg-type]
        clock.start()
    await until(lambda: len(runs) >= 5)
    for clock in clocks:
        await clock.close()
    assert len(runs) == len(taken(database))


async def test_what_nobody_ran_while_all_were_down_is_run_once_at_the_start(database: Database) -> None:
    hour = datetime(2026, 5, 5, 12, tzinfo=UTC)
    with database.write() as tx:
        slots.take(tx, job="sync", due=hour - timedelta(hours=9), holder="before")
    runs: list[int] = []

    async def run() -> None:
        runs.append(1)

    for _ in range(2):
        clock = Clock(database, now=lambda: hour + timedelta(minutes=20))
        clock.every(3600, "sync", run)
        clock.start()
        await asyncio.sleep(0.3)
        await clock.close()
    assert runs == [1], "the second start finds the slot taken"
    with database.read() as tx:
        due = due_before(hour + timedelta(minutes=20), timedelta(hours=1), "sync")
        assert slots.newest_taken(tx, "sync") == due.replace(tzinfo=None)


def test_tasks_of_one_distance_are_due_at_times_of_their_own() -> None:
    hour, now = timedelta(hours=1), datetime(2026, 5, 5, 12, tzinfo=UTC)
    due = {due_before(now, hour, f"sync source-{number}") for number in range(60)}
    assert len(due) == 60
    assert all(now - hour < moment <= now for moment in due)
    minutes = sorted(moment.minute // 10 for moment in due)
    assert max(minutes.count(tenth) for tenth in range(6)) < 30, "spread over the hour"


@pytest.mark.parametrize("error", [SourceError("401"), RuntimeError("a bug")])
async def test_a_failing_task_does_not_stop_the_clock(database: Database, error: Exception) -> None:
    runs: list[int] = []

    async def run() -> None:
        runs.append(1)
        raise error

    clock = Clock(database)
    clock.every(0.1, "sync", run)
    clock.start()
    await until(lambda: len(runs) >= 3)
    await clock.close()


async def test_a_long_run_is_not_started_twice_and_ends_with_the_clock(database: Database) -> None:
    running, ended = 0, asyncio.Event()

    async def run() -> None:
        nonlocal running
        running += 1
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()

    clock = Clock(database)
    clock.every(0.1, "sync", run)
    clock.start()
    await asyncio.sleep(0.6)
    assert running == 1
    await clock.close()
    assert ended.is_set()


async def test_a_removed_task_is_not_run_any_more_and_a_new_one_begins_at_once(database: Database) -> None:
    runs: Counter[str] = Counter()

    async def run() -> None:
        runs["new"] += 1

    clock = Clock(database)
    clock.start()
    clock.every(3600, "new", run)
    clock.every(0.1, "old", run)
    clock.remove("old")
    clock.remove("old")
    await asyncio.sleep(0.4)
    await clock.close()
    assert runs["new"] == 1
