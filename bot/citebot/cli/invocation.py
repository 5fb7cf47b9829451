"""What one call of `citebot` knows: its options, and the settings, plugins and services they lead to."""

from __future__ import annotations

import asyncio
import getpass
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from citebot.errors import WrongUse
from citebot.pluginmanager import PluginManager
from citebot.settings import Settings, load_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from citebot.app import Citebot
    from citebot.storage import Database

T = TypeVar("T")


class Invocation:
    """Handed to every command as `ctx.obj`; everything is loaded on first use."""

    def __init__(self) -> None:
        self.config: Path | None = None
        self.overrides: dict[str, Any] = {}
        self.debug = False

    def take(self, options: Mapping[str, Any]) -> None:
        """Remember the global options."""
        self.config = options.get("config")
        self.debug = bool(options.get("debug"))
        self.overrides = dict(_assignment(text) for text in options.get("overrides") or ())
        if options.get("data_dir"):
            self.overrides["data_dir"] = options["data_dir"]
        if self.debug:
            self.overrides.setdefault("log.level", "debug")

    def override(self, values: Mapping[str, Any]) -> None:
        """Set more settings, stronger than any other; what was loaded is loaded anew."""
        self.overrides.update(values)
        for loaded in ("settings", "plugins"):
            self.__dict__.pop(loaded, None)

    @cached_property
    def settings(self) -> Settings:
        """The validated tree; logging is set up with it."""
        from citebot.logging_setup import configure_logging

        settings = load_settings(self.config, overrides=self.overrides)
        configure_logging(settings.log)
        return settings

    @cached_property
    def plugins(self) -> PluginManager:
        """The enabled plugins, loaded."""
        return PluginManager.load(self.settings)

    @cached_property
    def user(self) -> str:
        """Who calls, as the machine knows them, for audit lines."""
        try:
            return getpass.getuser()
        except (KeyError, OSError, ImportError):
            return "unknown"

    @contextmanager
    def database(self) -> Iterator[Database]:
        """The database alone, its schema current."""
        from citebot.app import open_database

        database = open_database(self.settings)
        try:
            yield database
        finally:
            database.close()

    def open(self, *, owner: bool = False) -> AbstractAsyncContextManager[Citebot]:
        """Everything that answers questions; `owner` also takes the data folder, for whoever changes the index."""
        return self._open(owner=owner)

    @asynccontextmanager
    async def _open(self, *, owner: bool) -> AsyncIterator[Citebot]:
        from citebot.app import open_citebot

        async with open_citebot(self.settings, self.plugins, owner=owner) as bot:
            yield bot

    def run(self, work: Callable[[Citebot], Awaitable[T]], *, owner: bool = False) -> T:
        """Open everything, do the work, close."""

        async def whole() -> T:
            async with self.open(owner=owner) as bot:
                return await work(bot)

        return asyncio.run(whole())


def _assignment(text: str) -> tuple[str, str]:
    key, sign, value = text.partition("=")
    if not sign or not key:
        raise WrongUse(f"--set takes KEY=VALUE, as in --set answering.threshold=0.4, not “{text}”.")
    return key.strip(), value.strip()
