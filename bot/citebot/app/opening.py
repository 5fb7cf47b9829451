"""Opening and closing everything in the right order."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, TypeVar

import structlog

from citebot.access import Directory
from citebot.app.core import Citebot
from citebot.app.lazy import LazyEmbedder, LazyGenerator, LazyReranker
from citebot.calls import Callee, Calls, CarefulEmbedder, CarefulGenerator, CarefulReranker, Kind, Patience
from citebot.errors import CitebotError, DataFolderBusy, IndexUnavailable
from citebot.pluginmanager import PluginManager
from citebot.ports import PartContext
from citebot.settings import Choice, Settings
from citebot.storage import Database, schema
from citebot.storage.folder_lock import FolderLock

log = structlog.get_logger("citebot.app")

P = TypeVar("P")


def connect(settings: Settings) -> Database:
    """Connect to the database of the settings, whatever its schema."""
    url = settings.database.url.get_secret_value()
    if not url:
        try:
            settings.data_dir.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CitebotError(
                f"The data folder {settings.data_dir} cannot be made: {error.strerror}. Choose another with --data-dir."
            ) from error
        url = f"sqlite:///{settings.data_dir / 'citebot.db'}"
    wanted = settings.database
    return Database(
        url,
        busy_seconds=wanted.lock_seconds,
        statement_seconds=wanted.statement_seconds,
        connections=wanted.connections,
        listen=wanted.listen,
    )


def open_database(settings: Settings) -> Database:
    """Connect and make sure of the schema: SQLite is upgraded here, PostgreSQL only by `citebot db upgrade`."""
    database = connect(settings)
    try:
        if database.dialect == "sqlite":
            schema.upgrade(database)
        else:
            schema.check(database)
    except BaseException:
        database.close()
        raise
    return database


@asynccontextmanager
async def open_citebot(
    settings: Settings,
    plugins: PluginManager,
    *,
    owner: bool,
    catch_up: bool = True,
    feeds: bool = True,
    searches: bool = True,
) -> AsyncIterator[Citebot]:
    """Everything that answers questions. Models are loaded on first use.

    `owner` takes the data folder: one process at a time changes the index. Without it the folder is taken when it is
    free, so that an index left behind by a crash is brought up to date; else we only read. An index that processes
    share is in no folder. Without `feeds` another process keeps the index; without `searches` it is not opened.
    """
    async with AsyncExitStack() as stack:
        database = open_database(settings)
        stack.callback(database.close)
        if feeds and not shares_index(settings, plugins):
            owner = _take_folder(stack, settings, owner=owner)
        bot = _build(settings, plugins, database, feeds=feeds, searches=searches)
        stack.callback(bot.held.close)
        stack.push_async_callback(bot.budgets.close)
        for part in (bot.embedder, bot.previous, bot.reranker, bot.generator):
            if part is not None:
                stack.push_async_callback(part.close)
        if searches:
            stack.push_async_callback(bot.index.close)
            await _open_index(bot)
        if owner and catch_up:
            await bot.feeder.catch_up()
        if owner:
            stack.push_async_callback(bot.record_removals)
        if searches and not feeds:
            await _refuse_empty(bot, settings, plugins)
        await plugins.startup()
        stack.push_async_callback(plugins.shutdown)
        yield bot


def shares_index(settings: Settings, plugins: PluginManager) -> bool:
    """Whether the index is one that many processes may search and feed."""
    return bool(getattr(plugins.part("index", settings.index.use), "shared", False))


async def _open_index(bot: Citebot) -> None:
    """An index that is away is looked for again by every search, where a standby answers meanwhile."""
    try:
        await bot.index.open()
    except IndexUnavailable as error:
        if bot.standby is None:
            raise
        log.warning("the index is away, its standby will answer", why=str(error))


def _take_folder(stack: AsyncExitStack, settings: Settings, *, owner: bool) -> bool:
    lock = FolderLock(settings.data_dir)
    try:
        lock.acquire()
    except DataFolderBusy:
        if owner:
            raise
        log.info("reading beside the owner of the data folder")
        return False
    stack.callback(lock.release)
    return True


async def _refuse_empty(bot: Citebot, settings: Settings, plugins: PluginManager) -> None:
    """An index of this machine that another process should have filled, and has not, will not be filled any more."""
    if shares_index(settings, plugins):
        return
    status = await bot.index_status()
    if status.seq == 0 and status.behind:
        raise CitebotError(
            f"The index {settings.index.use} in {settings.data_dir} is empty, and this role does not fill it: run "
            "--role sync or all on this machine with the same --data-dir, or let all processes use Elasticsearch."
        )


def _build(settings: Settings, plugins: PluginManager, database: Database, *, feeds: bool, searches: bool) -> Citebot:
    calls = Calls()

    def part(kind: str, choice: Choice) -> Any:
        return plugins.build(kind, choice, PartContext(data_dir=settings.data_dir / kind / choice.use))

    def callee(kind: Kind, choice: Choice, lazy: Callable[[Any], P]) -> Callee[P]:
        return calls.add(kind, lazy(part(kind, choice)), name=choice.use, model=_model(plugins, kind, choice))

    # The part `none` stands for leaving the vectors out; a bot without an embedder says nothing about it.
    embedder = settings.embedder if settings.embedder.use not in ("", "none") else None
    previous = settings.embedder.other(settings.embedder.previous) if settings.embedder.previous else None
    generators = (settings.generator, *settings.generator.fallbacks())
    answering = settings.answering
    return Citebot(
        settings=settings,
        plugins=plugins,
        database=database,
        directory=Directory(database, settings.access),
        index=part("index", settings.index),
        standby=part("index", settings.index.other(settings.index.standby)) if settings.index.standby else None,
        embedder=CarefulEmbedder(callee("embedder", embedder, LazyEmbedder)) if embedder else None,
        previous=CarefulEmbedder(callee("embedder", previous, LazyEmbedder)) if previous else None,
        reranker=CarefulReranker(callee("reranker", settings.reranker, LazyReranker))
        if settings.reranker.use
        else None,
        generator=CarefulGenerator(
            [callee("generator", choice, LazyGenerator) for choice in generators],
            patience=Patience(hedge_after=answering.hedge_after, first_text=answering.first_text),
        ),
        calls=calls,
        feeds=feeds,
        searches=searches,
    )


def _model(plugins: PluginManager, kind: str, choice: Choice) -> str:
    """What a part's setting `model` says, if it has one."""
    setting = plugins.part(kind, choice.use).Settings.model_fields.get("model")
    return str(choice.settings_of(choice.use).get("model", setting.default)) if setting else ""
