"""A company with a handful of documents that asks Citebot in Discord: all but Discord itself is the real thing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from handbook import read_handbook

from citebot.app import Citebot
from citebot.app.desk import Desk
from citebot.app.vault import DatabaseVault
from citebot.ports import PartContext
from citebot.storage import answers
from citebot.testing.discord import Channel, FakeDiscord, Message, Outcome, Permission, Shown, User
from citebot_connectors.platforms.discord.link import Pace
from citebot_connectors.platforms.discord.platform import DiscordPlatform
from citebot_connectors.platforms.discord.settings import DiscordSettings

HASTY = Pace(first=0.05, longest=1.0, steady=60.0, identify=0.05, ready=0.1)
PARKING = "What does the parking permit cost?"
SALARY = "What is the salary of a director?"


class DiscordTeam:
    """Alice and Carol of the board, Bob, a guest, and channels they talk in."""

    def __init__(self, discord: FakeDiscord, bot: Citebot, **settings: Any) -> None:
        self.discord, self.bot = discord, bot
        self.generator: Any = bot.generator
        self.owner = discord.add_user("olga", admin=True, owner=True)
        self.alice, self.bob, self.carol = (discord.add_user(name) for name in ("alice", "bob", "carol"))
        self.guest_role = discord.add_role("guest")
        self.guest = discord.add_user("gina", roles=[self.guest_role])
        self.app = discord.add_app("citebot", intents=())
        self.general = discord.add_channel("general")
        self.board = discord.add_channel("board", [self.alice, self.carol, self.app])
        self.lobby = discord.add_channel("lobby", [self.alice, self.bob, self.guest, self.app])
        self.forum = discord.add_channel("help", kind="forum", tags=["Answered", "Solved"])
        names = {one.id: f"{one.name}@example.com" for one in (self.owner, self.alice, self.bob, self.carol)}
        given = {
            "bot_token": self.app.token,
            "guilds": [discord.guild.id],
            "guest_roles": [self.guest_role.id],
            "people": names,
            "base_url": discord.api_url,
            "gateway_url": discord.gateway_url,
        }
        self.settings = DiscordSettings.model_validate(given | settings)
        self.start()

    skipped = 0.0

    def skip(self, seconds: float) -> None:
        """Let time pass for Discord and for us."""
        self.discord.clock.skip(seconds)
        self.skipped += seconds

    def start(self) -> None:
        """A new process, over the same database."""
        folder = Path(str(self.bot.settings.data_dir))
        vault = DatabaseVault(self.bot.database, self.bot.settings, "platform/discord")
        self.platform = DiscordPlatform(self.settings, PartContext(data_dir=folder, vault=vault))
        self.platform.pace, self.platform.edit_gap = HASTY, 0.05
        self.platform.wall = lambda: self.discord.clock.wall() + self.skipped
        self.platform.clock = lambda: time.monotonic() + self.skipped
        self.desk = Desk(self.bot, self.platform)

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """While Citebot runs."""
        await self.begin()
        try:
            yield
        finally:
            await self.crash()

    async def begin(self) -> None:
        """Let it run; returns once it is connected."""
        coroutines = (self.desk.delivery.run(), self.platform.run(self.desk))
        self._tasks = [asyncio.create_task(one) for one in coroutines]
        await self.discord.until(lambda: self.platform.trouble == "" or any(one.done() for one in self._tasks))
        for task in self._tasks:
            if task.done():
                task.result()

    async def crash(self) -> None:
        """Cut it off."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.desk.delivery.close()
        self.start()

    # -- asking ---------------------------------------------------------------------------------------------------

    async def ask(self, user: User, where: Any, question: str, **options: Any) -> Outcome:
        """`/ask`."""
        return await self.discord.command(user, where, "ask", {"question": question, **options})

    async def mention(self, user: User, where: Channel, text: str) -> Message:
        """Mention the bot."""
        return await self.discord.say(user, where, f"{self.app.mention} {text}")

    async def answer(self, asked: Outcome | Message, *, timeout: float = 40) -> Shown:
        """The answer to a command or a message, once it is complete."""
        find: Callable[[], Shown | None] = (
            (lambda: self._of_outcome(asked)) if isinstance(asked, Outcome) else (lambda: self._of_message(asked))
        )
        await self.discord.until(find, timeout=timeout)
        await self.discord.settled()
        found = find()
        assert found is not None
        return found

    def _of_outcome(self, asked: Outcome) -> Shown | None:
        found = self.discord.answer(asked)
        return found if found is not None and found.element("cb:rate:*") else None

    def _of_message(self, asked: Message) -> Shown | None:
        return next((one for one in self.replies(asked) if one.element("cb:rate:*")), None)

    def replies(self, question: Message) -> list[Shown]:
        """What the bot answers to a message."""
        channel = self.discord.world.channels[question.channel]
        shown = self.discord.messages(channel)
        return [one for one in shown if one.author == self.app.bot.id and one.reply_to == question.id]

    def ours(self, where: Channel, *, seen_by: User | None = None) -> list[Shown]:
        """What the bot shows somewhere."""
        return [one for one in self.discord.messages(where, seen_by=seen_by) if one.author == self.app.bot.id]

    def stored(self) -> list[Any]:
        """The answers in the database."""
        with self.bot.database.read() as tx:
            return list(answers.recent(tx, 10))


async def furnish(team: DiscordTeam, folder: Path) -> None:
    """What is known, and that guests see only where they were let in."""
    for channel in (team.general, team.forum):
        await team.discord.permit(channel, team.guest_role, deny=Permission.VIEW_CHANNEL)
    await team.discord.permit(team.forum, team.app, allow=Permission.MANAGE_THREADS)
    await read_handbook(team.bot, folder, lobby=f"channel:discord:{team.discord.guild.id}:{team.lobby.id}")


__all__ = ["HASTY", "PARKING", "SALARY", "DiscordTeam", "Permission", "furnish"]
