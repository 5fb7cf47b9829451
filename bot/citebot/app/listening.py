"""Listening on a platform: in every process that may, or in one of them where a second would only hear the same."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from citebot.app.alone import Alone
from citebot.errors import StorageError
from citebot.ports import Desk, ListensAlone, Platform, ShowsApart
from citebot.storage import Database

log = structlog.get_logger("citebot.listening")

LEASE_SECONDS = 10.0
"""Until another process listens in place of one that was killed."""
LOOK_EVERY = 1.0


async def listen(
    platform: Platform,
    desk: Desk,
    database: Database,
    *,
    answers: bool = True,
    waits: Callable[[bool], None] = lambda waits: None,
    seconds: float = LEASE_SECONDS,
) -> None:
    """Listen until cancelled. `waits` is told when another process does, and when that is over.

    A process that `answers` shows its answers all the same while it waits, as a worker does.
    """
    if not isinstance(platform, ListensAlone):
        await platform.run(desk)
        return
    alone = Alone(database, f"listening/{platform.name}/{platform.listens_as}", seconds=seconds)
    showing = Showing(platform if answers and isinstance(platform, ShowsApart) else None)

    async def work() -> None:
        await showing.end()
        waits(False)
        await platform.run(desk)

    try:
        while True:
            try:
                ours = await alone.do(work)
            except StorageError as error:
                log.warning("not known who listens", platform=platform.name, why=str(error))
            else:
                if ours:
                    log.warning("another process listens now", platform=platform.name)
                waits(True)
                showing.go_on()
            await asyncio.sleep(min(LOOK_EVERY, seconds / 3))
    finally:
        await asyncio.gather(showing.end(), alone.leave())


class Showing:
    """Shows answers while another process listens."""

    def __init__(self, platform: ShowsApart | None) -> None:
        self._platform = platform
        self._task: asyncio.Task[None] | None = None

    def go_on(self) -> None:
        """Begin, unless it has begun; raises what it ended by."""
        if self._task is not None and self._task.done():
            self._task.result()
        if self._task is None and self._platform is not None:
            self._task = asyncio.create_task(self._platform.run_apart())

    async def end(self) -> None:
        """Until the next time."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
