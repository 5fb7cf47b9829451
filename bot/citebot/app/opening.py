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
from citebot.errors import CitebotError, DataFolderBusy
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
    return Database(url)


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
    settings: Settings, plugins: PluginManager, *, owner: bool, catch_up: bool = True
) -> AsyncIterator[Citebot]:
    """Everything that answers questions. Models are loaded on first use.

    `owner` takes the data folder: one process at a time changes the index. Without it the folder is taken when it is
    free, so that an index left behind by a crash is brought up to date; else we only read.
    """
    async with AsyncExitStack() as stack:
        lock = FolderLock(settings.data_dir)
        database = open_database(settings)
        stack.callback(database.close)
        try:
            lock.acquire()
            stack.callback(lock.release)
            owner = True
        except DataFolderBusy:
            if owner:
                raise
            log.info("reading beside the owner of the data folder")
        bot = _build(settings, plugins, database)
        stack.callback(bot.held.close)
        stack.push_async_callback(bot.budgets.close)
        for part in (bot.embedder, bot.reranker, bot.generator):
            if part is not None:
                stack.push_async_callback(part.close)
        await bot.index.open()
        stack.push_async_callback(bot.index.close)
        if owner and catch_up:
            await bot.feeder.catch_up()
        await plugins.startup()
        stack.push_async_callback(plugins.shutdown)
        yield bot


def _build(settings: Settings, plugins: PluginManager, database: Database) -> Citebot:
    calls = Calls()

    def part(kind: str, choice: Choice) -> Any:
        return plugins.build(kind, choice, PartContext(data_dir=settings.data_dir / kind / choice.use))

    def callee(kind: Kind, choice: Choice, lazy: Callable[[Any], P]) -> Callee[P]:
        return calls.add(kind, lazy(part(kind, choice)), name=choice.use, model=_model(plugins, kind, choice))

    # The part `none` stands for leaving the vectors out; a bot without an embedder says nothing about it.
    embedder = settings.embedder if settings.embedder.use not in ("", "none") else None
    generators = (settings.generator, *settings.generator.fallbacks())
    answering = settings.answering
    return Citebot(
        settings=settings,
        plugins=plugins,
        database=database,
        directory=Directory(database, settings.access),
        index=part("index", settings.index),
        embedder=CarefulEmbedder(callee("embedder", embedder, LazyEmbedder)) if embedder else None,
        reranker=CarefulReranker(callee("reranker", settings.reranker, LazyReranker))
        if settings.reranker.use
        else None,
        generator=CarefulGenerator(
            [callee("generator", choice, LazyGenerator) for choice in generators],
            patience=Patience(hedge_after=answering.hedge_after, first_text=answering.first_text),
        ),
        calls=calls,
    )


def _model(plugins: PluginManager, kind: str, choice: Choice) -> str:
    """What a part's setting `model` says, if it has one."""
    setting = plugins.part(kind, choice.use).Settings.model_fields.get("model")
    return str(choice.settings_of(choice.use).get("model", setting.default)) if setting else ""
