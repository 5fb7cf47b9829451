"""A Discord of our own, and discord.py's client pointed at it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import discord
import pytest
import yarl
from discord import app_commands

from citebot.testing.discord import App, Channel, FakeDiscord, User

Answer = Callable[[discord.Interaction[Any]], Awaitable[object]]


class Bot(discord.AutoShardedClient):
    """discord.py's client with one slash command and one of each Apps menu; `answer` says what they do."""

    def __init__(self, intents: discord.Intents | None = None, **options: Any) -> None:
        super().__init__(
            intents=intents or discord.Intents.default(),
            allowed_mentions=discord.AllowedMentions.none(),
            max_messages=None,
            guild_ready_timeout=0.03,
            **options,
        )
        self.tree = app_commands.CommandTree(self)
        self.heard: list[discord.Message] = []
        self.seen: list[tuple[str, Any]] = []
        self.answer: Answer = lambda interaction: interaction.response.send_message("yes")
        self.offers: list[str] = []
        self.errors: list[BaseException] = []
        """What went wrong in `answer`; a test that ends with any fails."""
        self.task: asyncio.Task[None] | None = None

    async def setup_hook(self) -> None:
        """Register the commands."""

        @app_commands.describe(question="What to ask", private="Only for you")
        async def ask(interaction: discord.Interaction[Any], question: str, private: bool = False) -> None:
            try:
                await self.answer(interaction)
            except pytest.fail.Exception as failed:  # no Exception, so the client would not hand it on
                self.errors.append(failed)

        async def complete(interaction: discord.Interaction[Any], current: str) -> list[app_commands.Choice[str]]:
            return [app_commands.Choice(name=offer, value=offer) for offer in self.offers]

        async def about(interaction: discord.Interaction[Any], message: discord.Message) -> None:
            self.heard.append(message)
            await self.answer(interaction)

        command: Any = app_commands.Command(name="ask", description="Ask the documents", callback=ask)
        command.autocomplete("question")(complete)
        self.tree.add_command(command)
        self.tree.add_command(app_commands.ContextMenu(name="Ask about this", callback=about))
        self.tree.error(self.failed)
        await self.tree.sync()

    async def failed(self, interaction: discord.Interaction[Any], error: Exception) -> None:
        """Keep what went wrong."""
        self.errors.append(error)

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        """Do not wait: the fake is asked to let the time pass."""

    async def on_message(self, message: discord.Message) -> None:
        """Keep what is heard."""
        self.heard.append(message)

    def dispatch(self, event: str, /, *args: Any, **kwargs: Any) -> None:
        """Keep what happened."""
        self.seen.append((event, args))
        super().dispatch(event, *args, **kwargs)

    def happened(self, event: str) -> list[Any]:
        """The arguments of all events of a name."""
        return [args for name, args in self.seen if name == event]


@pytest.fixture
async def fake_discord() -> AsyncIterator[FakeDiscord]:
    async with FakeDiscord() as fake:
        yield fake


@pytest.fixture
def app(fake_discord: FakeDiscord) -> App:
    return fake_discord.add_app("citebot", intents=())


@pytest.fixture
def alice(fake_discord: FakeDiscord) -> User:
    return fake_discord.add_user("alice")


@pytest.fixture
def channel(fake_discord: FakeDiscord) -> Channel:
    return fake_discord.add_channel("general")


@pytest.fixture
async def start_bot(
    fake_discord: FakeDiscord, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Callable[..., Awaitable[Bot]]]:
    monkeypatch.setattr(discord.http.Route, "BASE", fake_discord.api_url)
    monkeypatch.setattr(discord.gateway.DiscordWebSocket, "DEFAULT_GATEWAY", yarl.URL(fake_discord.gateway_url))
    bots: list[Bot] = []

    async def start(app: App, *, wait: bool = True, token: str = "", **options: Any) -> Bot:
        bot = Bot(**options)
        bots.append(bot)
        task = bot.task = asyncio.create_task(bot.start(token or app.token))
        if wait:
            await fake_discord.until(lambda: bot.is_ready() or task.done())
            if task.done():
                task.result()
        return bot

    yield start
    for bot in bots:
        await bot.close()
        if bot.task:
            await asyncio.gather(bot.task, return_exceptions=True)
        assert bot.errors == []
