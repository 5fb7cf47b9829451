"""Claims rows of one queue and works on several at a time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Collection, Coroutine
from typing import Any

import structlog

from citebot.delivery.contracts import TakenOver
from citebot.delivery.keeping import keep
from citebot.delivery.threads import Transactor
from citebot.errors import LeaseLost, StorageError
from citebot.storage import work

log = structlog.get_logger("citebot.delivery")


class Pump:
    """Takes work from one queue until it is told to drain. What it holds when it dies comes back by its lease."""

    def __init__(
        self,
        transactor: Transactor,
        queue: work.Queue,
        do: Callable[[work.Job], Coroutine[Any, Any, None]],
        *,
        slots: int,
        lease: float,
        poll: float,
        platforms: Collection[str] | None,
        taken_over: TakenOver,
        lost: Callable[[work.Job], Coroutine[Any, Any, None]],
    ) -> None:
        self._transactor = transactor
        self._queue = queue
        self._do = do
        self._slots = slots
        self._lease = lease
        self._poll = poll
        self._platforms = platforms
        self._taken_over = taken_over
        self._lost = lost
        self._running: set[asyncio.Task[None]] = set()
        self._woken = asyncio.Event()
        self._draining = False
        self._idle = True
        self._active = False

    def wake(self) -> None:
        """There may be work now."""
        self._woken.set()

    async def run(self) -> None:
        """Work until `drain`; cancelled, it gives back what it holds."""
        self._active = True
        try:
            while not self._draining:
                self._woken.clear()
                free = self._slots - len(self._running)
                claimed = await self._claim(free)
                for job in claimed:
                    self._start(job)
                self._idle = not claimed and not self._running
                if len(claimed) < max(1, free):  # else there may be more
                    await self._wait()
            while self._running:
                # `drain` cancels what is left when its time is over.
                await asyncio.wait(set(self._running))
        finally:
            self._active = False
            await self._give_back()

    async def drain(self, grace: float, *, empty: bool = False) -> None:
        """Claim nothing more, let running work end within `grace` seconds, give back the rest.

        With `empty` go on until nothing is due, within the same time.
        """
        deadline = asyncio.get_running_loop().time() + grace
        self._idle = not self._active
        while empty and not self._idle and asyncio.get_running_loop().time() < deadline:
            self.wake()
            await asyncio.sleep(0.01)
        self._draining = True
        self.wake()
        if self._running:
            left = max(0.0, deadline - asyncio.get_running_loop().time())
            await asyncio.wait(set(self._running), timeout=left)
        await self._give_back()

    async def _claim(self, free: int) -> list[work.Job]:
        if free <= 0:
            return []
        try:
            return await self._transactor.write(
                lambda tx: work.claim(tx, self._queue, lease=self._lease, limit=free, platforms=self._platforms)
            )
        except StorageError as error:
            log.warning("queue not readable", queue=self._queue, error=str(error))
            return []

    async def _wait(self) -> None:
        # Not `wait_for`: before Python 3.12 it may swallow a cancellation that comes as we are woken.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._poll):
                await self._woken.wait()

    def _start(self, job: work.Job) -> None:
        if job.taken_over:
            log.warning("lease taken over", queue=self._queue, job=job.id, attempt=job.attempts)
            self._taken_over(self._queue)
        task = asyncio.create_task(self._work(job))
        self._running.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        # A slot is free, and the next question of the same conversation may be too.
        self.wake()

    async def _work(self, job: work.Job) -> None:
        try:
            await keep(self._transactor, job, self._lease, self._do(job))
        except asyncio.CancelledError:
            await self._release(job)
            raise
        except LeaseLost as lost:
            log.warning("lease lost", queue=self._queue, job=job.id, error=str(lost))
            await self._lost(job)
        except Exception as error:  # one bad row must not end the pump; its lease brings it back
            log.exception("work failed", queue=self._queue, job=job.id, error=type(error).__name__)

    async def _release(self, job: work.Job) -> None:
        try:
            await asyncio.shield(self._transactor.write(lambda tx: work.release(tx, job)))
        except StorageError as error:
            log.warning("not released; its lease will run out", queue=self._queue, job=job.id, error=str(error))

    async def _give_back(self) -> None:
        running = set(self._running)
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running)
