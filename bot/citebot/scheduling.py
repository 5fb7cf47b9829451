"""The clock: says when something is due. A row in the database says which of several processes does it."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from typing import Any
from zlib import crc32

import structlog
from apscheduler.executors.asyncio import AsyncIOExecutor
from apscheduler.jobstores.memory import MemoryJobStore
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.interval import IntervalTrigger

from citebot.errors import CitebotError
from citebot.storage import Database, slots

log = structlog.get_logger("citebot.scheduling")

Task = Callable[[], Awaitable[object]]
_EPOCH = datetime(2020, 1, 1, tzinfo=UTC)
_due_time: ContextVar[datetime] = ContextVar("due_time")


def due_before(now: datetime, distance: timedelta, name: str) -> datetime:
    """The last due time of a task: the same on every process, another for every name, so that not all begin at once."""
    first = _EPOCH + distance * (crc32(name.encode()) / 2**32)
    return first + (now - first) // distance * distance


def sync_task(source: str) -> str:
    """What the task that reads a source is called."""
    return f"sync {source}"


def groups_task(source: str) -> str:
    """What the task that reads only its groups is called."""
    return f"groups {source}"


def holder_name() -> str:
    """This process, for people who look at the rows."""
    return f"{socket.gethostname()}:{os.getpid()}"


class Clock:
    """Runs tasks at fixed distances, each due time on one process only; times missed by all become one run.

    Due times follow from distance and name alone (`due_before`), whenever a process was started. A task that still runs
    when it is due again is not started twice in this process.
    """

    def __init__(self, database: Database, *, holder: str = "", now: Callable[[], datetime] | None = None) -> None:
        self._database = database
        self._holder = holder or holder_name()
        self._now = now or (lambda: datetime.now(UTC))
        self._tasks: dict[str, tuple[timedelta, Task]] = {}
        self._running: dict[str, asyncio.Task[None]] = {}
        self._scheduler = AsyncIOScheduler(
            jobstores={"default": MemoryJobStore()},
            executors={"default": _DueTimeExecutor()},
            # Late is better than never, and once is enough.
            job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
            timezone=UTC,
        )

    def every(self, seconds: float, name: str, task: Task) -> None:
        """Run `task` every so many seconds; an earlier task of this name is replaced."""
        distance = timedelta(seconds=seconds)
        self._tasks[name] = (distance, task)
        trigger = IntervalTrigger(seconds=seconds, start_date=due_before(_EPOCH, distance, name), timezone=UTC)
        self._scheduler.add_job(self._fire, trigger, args=[name], id=name, replace_existing=True)
        if self._scheduler.running:
            self._catch_up(name)

    def remove(self, name: str) -> None:
        """Forget a task; a run that has begun goes on."""
        if self._tasks.pop(name, None) is not None:
            self._scheduler.remove_job(name)

    def start(self) -> None:
        """Begin, with what no process did while it was due. Needs a running event loop."""
        self._scheduler.start()
        for name in list(self._tasks):
            self._catch_up(name)

    async def close(self) -> None:
        """Start nothing more and cancel what runs."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)
        running = list(self._running.values())
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running)
        # The scheduler ends in a callback of the loop.
        await asyncio.sleep(0)

    async def _fire(self, name: str) -> None:
        self._begin(name, _due_time.get())

    def _catch_up(self, name: str) -> None:
        distance, _ = self._tasks[name]
        self._begin(name, due_before(self._now(), distance, name))

    def _begin(self, name: str, due: datetime) -> None:
        if name not in self._running and name in self._tasks:
            task = self._running[name] = asyncio.create_task(self._due(name, due))
            task.add_done_callback(lambda _: self._running.pop(name, None))

    async def _due(self, name: str, due: datetime) -> None:
        _, task = self._tasks[name]
        try:
            if await asyncio.to_thread(self._take, name, due):
                await task()
        except CitebotError as error:
            log.warning("scheduled task failed", task=name, error=str(error))
        except Exception as error:  # the clock must go on, whatever a task does
            log.exception("scheduled task failed", task=name, error=type(error).__name__)

    def _take(self, name: str, due: datetime) -> bool:
        with self._database.write() as tx:
            return slots.take(tx, job=name, due=due, holder=self._holder)


class _DueTimeExecutor(AsyncIOExecutor):  # type: ignore[misc]  # the library has no types
    """Tells a job which due time it runs for: the clock on the wall may be late, and differs between processes."""

    def _do_submit_job(self, job: Any, run_times: list[datetime]) -> None:
        # The job becomes an asyncio task, which takes a copy of the context along.
        token = _due_time.set(run_times[-1])
        try:
            super()._do_submit_job(job, run_times)
        finally:
            _due_time.reset(token)
