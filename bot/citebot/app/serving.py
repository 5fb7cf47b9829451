"""A server's loops: the platform, the workers, the index's feeder, the embedding, and the clock of the sources.

Which of them a process has follows from its role (`roles.py`).
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Protocol

import structlog

from citebot.app.alone import Alone
from citebot.app.core import Citebot
from citebot.app.desk import Desk
from citebot.app.listening import listen
from citebot.app.opening import open_citebot, shares_index
from citebot.app.readiness import Readiness
from citebot.app.roles import Duties, Role, duties_of
from citebot.app.vault import DatabaseVault
from citebot.app.watching import Watcher
from citebot.errors import CitebotError, SourceBusy, SourceError
from citebot.pluginmanager import PluginManager
from citebot.ports import PartContext, Platform, ShowsApart
from citebot.scheduling import Clock, Task, groups_task, sync_task
from citebot.settings import Settings
from citebot.storage import retention

log = structlog.get_logger("citebot.serving")

FEED_EVERY = 1.0
LOOK_FOR_SOURCES_EVERY = 15.0
LOOK_FOR_EVENTS_EVERY = 1.0
BACK_OFF = 5.0
FORGET_EVERY = 3600.0
BUILD_EVERY = 5.0
Step = Callable[[], Coroutine[Any, Any, object]]


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
    beside: Callable[[Citebot, Readiness], Beside] | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT, then finish what was begun and leave the rest to the next start."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stopping.set)
    duties = duties_of(role, plugins.part("platform", settings.platform.use))
    try:
        async with open_citebot(
            settings, plugins, owner=duties.reads, catch_up=False, feeds=duties.reads, searches=duties.searches
        ) as bot:
            await _run(bot, duties, stopping, beside)
    finally:
        for name in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(name)


async def _run(
    bot: Citebot,
    duties: Duties,
    stopping: asyncio.Event,
    make_beside: Callable[[Citebot, Readiness], Beside] | None,
) -> None:
    platform = _platform(bot) if duties.listens or duties.answers else None
    readiness = Readiness(bot, listening=platform if duties.listens else None)
    readiness.platform = platform
    beside = make_beside(bot, readiness) if make_beside else None
    loops: list[asyncio.Task[None]] = []

    def begin(name: str, loop: Coroutine[Any, Any, None]) -> None:
        loops.append(asyncio.create_task(loop, name=name))

    if beside is not None:
        begin("beside", beside.run())
    desk: Desk | None = None
    clock: Clock | None = None
    if platform is not None:
        desk = Desk(bot, platform, routes=beside.routes if beside else tuple, readiness=readiness)
        if duties.answers:
            begin("delivery", desk.delivery.run())
        if duties.listens:
            begin("platform", _listen(bot, platform, desk, readiness, duties))
        elif isinstance(platform, ShowsApart):
            begin("platform", platform.run_apart())
    if duties.reads:
        clock = Clock(bot.database)
        clock.start()
        clock.every(FORGET_EVERY, "retention", partial(_forget, bot, stopping))
        begin("removals", _forever("removals", bot.record_removals, every=FEED_EVERY))
        begin("sources", _keep_schedule(bot, clock, stopping))
        begin("events", _heed_events(bot, stopping))
        begin("watching", _watch(bot, stopping))
    for name, loop in _of_the_index(bot, duties):
        begin(name, loop)
    waiting = asyncio.create_task(stopping.wait(), name="signal")
    try:
        done, _ = await asyncio.wait({waiting, *loops}, return_when=asyncio.FIRST_COMPLETED)
        for task in done - {waiting}:
            task.result()  # a loop that ended by itself ended by an error
    finally:
        stopping.set()
        await _stop(waiting, loops, desk, clock, bot.settings.delivery.drain)


async def _stop(
    waiting: asyncio.Task[bool],
    loops: list[asyncio.Task[None]],
    desk: Desk | None,
    clock: Clock | None,
    drain: float,
) -> None:
    ending = [clock.close()] if clock is not None else []
    if desk is not None:
        ending.append(desk.delivery.drain(drain))
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


async def _listen(bot: Citebot, platform: Platform, desk: Desk, readiness: Readiness, duties: Duties) -> None:
    if bot.database.dialect == "sqlite":  # nobody else has it
        await platform.run(desk)
    else:
        await listen(platform, desk, bot.database, answers=duties.answers, waits=readiness.stand_by)


def _of_the_index(bot: Citebot, duties: Duties) -> Iterator[tuple[str, Coroutine[Any, Any, None]]]:
    """What keeps the index, the next one, their vectors and the standby up to date."""
    if duties.reads:
        yield "feeder", _feed(bot)
        if bot.embedding is not None:
            yield "embedding", _embed(bot)
        if bot.previous is not None:
            before = "embedding with the previous model"
            yield before, _forever(before, bot.indexing.embed_with_previous, every=FEED_EVERY)
        if bot.indexing.builder is not None:
            yield "building", _forever("building", bot.indexing.builder.run_once, every=BUILD_EVERY)
    if duties.answers and bot.indexing.standby is not None:
        # The folder of an index of this machine is ours already.
        ours = duties.reads and not shares_index(bot.settings, bot.plugins)
        keep = partial(bot.indexing.keep_standby, None if ours else bot.settings.data_dir)
        yield "standby", _forever("standby", keep, every=BACK_OFF)


async def _feed(bot: Citebot) -> None:
    shared = shares_index(bot.settings, bot.plugins)
    await _alone(bot, "feeder", bot.feeder.catch_up, one_of_many=shared)


async def _embed(bot: Citebot) -> None:
    assert bot.embedding is not None, "the loop is only started with a model"
    await _alone(bot, "embedding", bot.embedding.run_once, one_of_many=True)


async def _alone(
    bot: Citebot, name: str, step: Callable[[], Coroutine[Any, Any, object]], *, one_of_many: bool
) -> None:
    """Go on with what one of many processes does; on SQLite there is one that owns the data folder."""
    if not one_of_many or bot.database.dialect == "sqlite":
        await _forever(name, step, every=FEED_EVERY)
        return
    alone = Alone(bot.database, name)
    try:
        await _forever(name, partial(alone.do, step), every=FEED_EVERY)
    finally:
        await alone.leave()


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


async def _forget(bot: Citebot, stopping: asyncio.Event) -> None:
    gone = await asyncio.to_thread(retention.run, bot.database, bot.settings.retention, stop=stopping.is_set)
    log.info("forgot what is old", **gone)


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
