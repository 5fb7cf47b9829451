"""A Discord server with Citebot in it, in one process: any documents, any generator, any people."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

from citebot.app import Citebot
from citebot.app.desk import Desk
from citebot.ports import PartContext
from citebot.testing.chat.at_work import at_work
from citebot.testing.discord import App, Channel, FakeDiscord, Message, Outcome, Shown, User
from citebot_connectors.platforms.discord.link import Pace
from citebot_connectors.platforms.discord.platform import DiscordPlatform
from citebot_connectors.platforms.discord.settings import DiscordSettings

RATE, TAKE, SHARE, AGAIN = "cb:rate:*", "cb:take:*", "cb:share:*", "cb:again:*"


class Office:
    """Citebot at work in a server; `settings` are those of the platform."""

    def __init__(self, discord: FakeDiscord, app: App, bot: Citebot, **settings: Any) -> None:
        self.discord, self.app = discord, app
        given = {"bot_token": app.token, "guilds": [discord.guild.id]}
        given |= {"base_url": discord.api_url, "gateway_url": discord.gateway_url}
        self.platform = DiscordPlatform(DiscordSettings.model_validate(given | settings), PartContext(data_dir=Path()))
        self.platform.pace, self.platform.edit_gap = Pace(identify=0.1, ready=0.1), 0.05
        self.desk = Desk(bot, self.platform)

    def working(self) -> AbstractAsyncContextManager[None]:
        """While it runs."""
        return at_work(self.desk, self.platform, self.discord)

    async def answer(self, where: Channel, reader: User, seen: set[str]) -> Any:
        """A whole answer in a channel that was not there before."""

        def found() -> Any:
            every = self.discord.messages(where, seen_by=reader)
            return next((one for one in every if one.id not in seen and one.element(RATE)), None)

        answer = await self.discord.until(found, timeout=60)
        seen.add(answer.id)
        return answer

    def complete(self, asked: Message | Outcome) -> list[Shown]:
        """The whole answers to a message, a command or a button."""
        if isinstance(asked, Outcome):
            first = self.discord.answer(asked)
            return [first] if first is not None and first.element(RATE) else []
        every = self.discord.messages(self.discord.world.channels[asked.channel])
        return [
            one for one in every if one.reply_to == asked.id and one.author == self.app.bot.id and one.element(RATE)
        ]

    async def answered(self, asked: Message | Outcome, *, anew: Callable[[Shown], bool] = lambda shown: True) -> Shown:
        """The first of them, of those that are new."""

        def found() -> Shown | None:
            return next((one for one in self.complete(asked) if anew(one)), None)

        answer = await self.discord.until(found, timeout=90)
        assert answer is not None
        return answer
