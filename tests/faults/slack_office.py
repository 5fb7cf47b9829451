"""A Slack workspace with Citebot in it, in one process: any documents, any generator, any people."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

from citebot.access import Directory
from citebot.app import Citebot
from citebot.app.desk import Desk
from citebot.pluginmanager import PluginManager
from citebot.ports import Generator, PartContext
from citebot.settings import load_settings
from citebot.storage import Database, schema, sources
from citebot.testing.chat.at_work import at_work
from citebot.testing.memory_index import MemoryIndex
from citebot.testing.slack import App, Channel, FakeSlack, Message, Shown, User
from citebot.testing.slack.control import BOT_SCOPES
from citebot_connectors.platforms.slack.link import Pace
from citebot_connectors.platforms.slack.manifest import SHORTCUT
from citebot_connectors.platforms.slack.platform import SlackPlatform
from citebot_connectors.platforms.slack.settings import SlackSettings

DELETE, FEEDBACK = "citebot_delete", "citebot_feedback"


def add_app(slack: FakeSlack) -> App:
    """Citebot's app, with all that it offers."""
    return slack.add_app(scopes={*BOT_SCOPES, "users:read.email"}, commands=["/ask"], shortcuts=[SHORTCUT])


class Office:
    """Citebot at work in a workspace."""

    def __init__(self, slack: FakeSlack, app: App, bot: Citebot) -> None:
        self.slack, self.app, self.bot = slack, app, bot
        tokens = {"bot_token": app.bot_token, "app_token": app.app_token, "base_url": slack.api_url}
        self.platform = SlackPlatform(SlackSettings.model_validate(tokens), PartContext(data_dir=Path()))
        self.platform.pace = Pace(ping=5.0, keepalive=60.0, patience=20.0)
        self.desk = Desk(bot, self.platform)

    def working(self) -> AbstractAsyncContextManager[None]:
        """While it runs."""
        return at_work(self.desk, self.platform, self.slack)

    async def ask(self, user: User, where: Channel, text: str, *, thread_ts: str = "") -> Message:
        """Mention the app; in a direct message simply write."""
        mention = "" if where.kind == "im" else f"{self.app.mention} "
        return await self.slack.say(user, where, f"{mention}{text}", thread_ts=thread_ts)

    def complete(self, question: Message) -> list[Shown]:
        """The finished answers in the thread of a message."""
        channel = self.slack.world.channels[question.channel]
        thread = self.slack.messages(channel, question.thread_ts or question.ts)
        return [shown for shown in thread if shown.ts > question.ts and shown.element(DELETE)]

    async def answer(self, question: Message, *, timeout: float = 60) -> Shown:
        """The answer to a message, once it is complete."""
        await self.slack.until(lambda: self.complete(question), timeout=timeout)
        return self.complete(question)[0]

    def whispered(self, user: User, where: Channel) -> list[Shown]:
        """What only one person sees in a channel, threads and all."""
        messages = [self.slack.messages(where, seen_by=user)]
        messages += [self.slack.messages(where, root, seen_by=user) for root in list(where.messages)]
        return list({m.ts: m for some in messages for m in some if m.only_for == user.id}.values())


@asynccontextmanager
async def office(
    slack: FakeSlack,
    app: App,
    folder: Path,
    documents: Sequence[dict[str, Any]],
    generator: Generator,
    **overrides: Any,
) -> AsyncIterator[Office]:
    """Read the documents and go to work; further arguments are settings with `__` for dots."""
    async with bot_that_read(folder, documents, generator, **overrides) as bot:
        made = Office(slack, app, bot)
        async with made.working():
            yield made


@asynccontextmanager
async def bot_that_read(
    folder: Path, documents: Sequence[dict[str, Any]], generator: Generator, **overrides: Any
) -> AsyncIterator[Citebot]:
    """Citebot, for whatever platform."""
    given = {name.replace("__", "."): value for name, value in overrides.items()}
    settings = load_settings(
        overrides={"data_dir": folder, "plugins.enabled": ["jsonl"], "answering.threshold": 0.0, **given},
        environ={},
        folder=folder,
    )
    database = Database(f"sqlite:///{folder / 'citebot.db'}")
    schema.upgrade(database)
    index = MemoryIndex()
    await index.open()
    bot = Citebot(
        settings=settings,
        plugins=PluginManager.load(settings),
        database=database,
        directory=Directory(database, settings.access),
        index=index,
        embedder=None,
        reranker=None,
        generator=generator,
    )
    (folder / "handbook.jsonl").write_text("".join(json.dumps(row) + "\n" for row in documents))
    with database.write() as tx:
        sources.add(tx, name="handbook", type="jsonl", settings={"path": str(folder / "handbook.jsonl")})
    await bot.sync("handbook")
    await bot.feeder.catch_up()
    yield bot
    await index.close()
    database.close()
