"""A server's loops: the platform, the workers, the index's feeder, the embedding, and the clock of the sources."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Literal, Protocol

import structlog

from citebot.app.core import Citebot
from citebot.app.desk import Desk
from citebot.app.opening import open_citebot
from citebot.app.vault import DatabaseVault
from citebot.app.watching import Watcher
from citebot.errors import CitebotError, SourceBusy, SourceError
from citebot.pluginmanager import PluginManager
from citebot.ports import PartContext, Platform
from citebot.scheduling import Clock, Task, groups_task, sync_task
from citebot.settings import Settings

log = structlog.get_logger("citebot.serving")

Role = Literal["all", "gateway", "sync"]
FEED_EVERY = 1.0
LOOK_FOR_SOURCES_EVERY = 15.0
LOOK_FOR_EVENTS_EVERY = 1.0
BACK_OFF = 5.0
DRAIN_SECONDS = 3.0
"""What answers that are being written get to end; others are begun anew by the next start."""


class Beside(Protocol):
    """What a server has for those who run it, beside answers."""

    def routes(self) -> Sequence[object]:
        """Starlette routes for a platform with a web server."""

    async def run(self) -> None:
        """Go on until cancelled."""


async def serve(
    settings: Settings,
    plugins: PluginManager,
    *,
    role: Role = "all",
    beside: Callable[[Citebot], Beside] | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT, then finish what was begun and leave the rest to the next start."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stopping.set)
    try:
        async with open_citebot(settings, plugins, owner=True, catch_up=False) as bot:
            await _run(bot, role, stopping, beside(bot) if beside else None)
    finally:
        for name in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(name)


async def _run(bot: Citebot, role: Role, stopping: asyncio.Event, beside: Beside | None) -> None:
    loops: list[asyncio.Task[None]] = [asyncio.create_task(_feed(bot), name="feeder")]
    if beside is not None:
        loops.append(asyncio.create_task(beside.run(), name="beside"))
    desk: Desk | None = None
    clock: Clock | None = None
    if role != "sync":
        desk = Desk(bot, _platform(bot), routes=beside.routes if beside else tuple)
        loops.append(asyncio.create_task(desk.delivery.run(), name="delivery"))
        loops.append(asyncio.create_task(desk._platform.run(desk), name="platform"))
    if role != "gateway":
        clock = Clock(bot.database)
        clock.start()
        loops.append(asyncio.create_task(_keep_schedule(bot, clock, stopping), name="sources"))
        loops.append(asyncio.create_task(_heed_events(bot, stopping), name="events"))
        loops.append(asyncio.create_task(_watch(bot, stopping), name="watching"))
        if bot.embedding is not None:
            loops.append(asyncio.create_task(_embed(bot), name="embedding"))
    waiting = asyncio.create_task(stopping.wait(), name="signal")
    try:
        done, _ = await asyncio.wait({waiting, *loops}, return_when=asyncio.FIRST_COMPLETED)
        for task in done - {waiting}:
            task.result()  # a loop that ended by itself ended by an error
    finally:
        stopping.set()
        await _stop(waiting, loops, desk, clock)


async def _stop(
    waiting: asyncio.Task[bool], loops: list[asyncio.Task[None]], desk: Desk | None, clock: Clock | None
) -> None:
    ending = [clock.close()] if clock is not None else []
    if desk is not None:
        ending.append(desk.delivery.drain(DRAIN_SECONDS))
    await asyncio.gather(*ending)
    for task in (waiting, *loops):
        task.cancel()
    await asyncio.gather(waiting, *loops, return_exceptions=True)
    if desk is not None:
        desk.delivery.close()


def _platform(bot: Citebot) -> Platform:
    choice = bot.settings.platform
    vault = DatabaseVault(bot.database, bot.settings, f"platform/{choice.use}")
    context = PartContext(data_dir=bot.settings.data_dir / "platform" / choice.use, vault=vault)
    platform: Platform = bot.plugins.build("platform", choice, context)
    return platform


async def _feed(bot: Citebot) -> None:
    await _forever("feeder", bot.feeder.catch_up, every=FEED_EVERY)


async def _embed(bot: Citebot) -> None:
    assert bot.embedding is not None, "the loop is only started with a model"
    await _forever("embedding", bot.embedding.run_once, every=FEED_EVERY)


async def _forever(name: str, step: Callable[[], Awaitable[object]], *, every: float) -> None:
    while True:
        try:
            await step()
        except CitebotError as error:
            log.warning("step failed, will be tried again", loop=name, error=str(error))
            await asyncio.sleep(BACK_OFF)
        await asyncio.sleep(every)


async def _keep_schedule(bot: Citebot, clock: Clock, stopping: asyncio.Event) -> None:
    """Give every source that is not paused its entry in the clock, also those added while we run."""
    scheduled: dict[str, float] = {}
    while not stopping.is_set():
        tasks = {task: (seconds, work) for task, seconds, work in await _tasks(bot, stopping)}
        for task in scheduled.keys() - tasks:
            clock.remove(task)
        for task, (seconds, work) in tasks.items():
            if scheduled.get(task) != seconds:
                clock.every(seconds, task, work)
        scheduled = {task: seconds for task, (seconds, _) in tasks.items()}
        with suppress(TimeoutError):
            async with asyncio.timeout(LOOK_FOR_SOURCES_EVERY):
                await stopping.wait()
    # The loops of a server end together, by being cancelled.
    await asyncio.Event().wait()


async def _tasks(bot: Citebot, stopping: asyncio.Event) -> list[tuple[str, float, Task]]:
    default = bot.settings.ingest.poll
    found = await bot.sources()
    reads: list[tuple[str, float, Task]] = [
        (sync_task(one.name), one.poll or default, partial(_sync, bot, one.name, stopping))
        for one in found
        if not one.paused
    ]
    groups = [one.name for one in found if bot.groups.wanted(one)]
    return reads + [(groups_task(name), bot.groups.distance, partial(bot.groups.read, name)) for name in groups]


async def _heed_events(bot: Citebot, stopping: asyncio.Event) -> None:
    """Fetch what events named. Another process may have received them, so the database is asked."""

    async def step() -> None:
        for name in await bot.urgent_sources():
            try:
                await bot.sync_urgent(name, stop=stopping.is_set)
            except SourceError as error:
                # A run that reads the source now fetches them itself; of other ills the next regular read tells.
                log.info("events not heeded", source=name, error=str(error))

    await _forever("events", step, every=LOOK_FOR_EVENTS_EVERY)


async def _watch(bot: Citebot, stopping: asyncio.Event) -> None:
    """Read what can be looked at as soon as it has changed."""
    await Watcher(bot, stop=stopping.is_set).run()


async def _sync(bot: Citebot, name: str, stopping: asyncio.Event) -> None:
    try:
        await bot.sync(name, stop=stopping.is_set)
    except SourceBusy:
        log.info("source is being read already", source=name)
    except SourceError as error:
        # The row of the source says so too; a sick source is the admin's business, not the server's end.
        log.warning("source not read", source=name, error=str(error))
