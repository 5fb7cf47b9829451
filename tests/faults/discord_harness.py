"""A Discord with people, who ask by the command and by mentions."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog

from citebot.testing.discord import App, Channel, FakeDiscord, Message, Outcome, Shown, User

SCRIPT = Path(__file__).parent / "discord_replica.py"
NOTICES = ("I could not answer this question",)
Asked = Message | Outcome


@dataclass(slots=True)
class City:
    """Who asks whom where."""

    discord: FakeDiscord
    app: App
    people: list[User]
    channels: list[Channel]
    asked: list[Asked] = field(default_factory=list)
    """What must be answered: mentions, and commands that were acknowledged."""

    async def mention(self, who: int, where: int, text: str) -> Message:
        """Somebody mentions the bot."""
        user, channel = self.people[who % len(self.people)], self.channels[where % len(self.channels)]
        message = await self.discord.say(user, channel, f"{self.app.mention} {text}")
        self.asked.append(message)
        return message

    async def command(self, who: int, where: int, text: str) -> Outcome:
        """Somebody asks by the command; Discord itself loses it where nobody acknowledges it."""
        user, channel = self.people[who % len(self.people)], self.channels[where % len(self.channels)]
        outcome = await self.discord.command(user, channel, "ask", {"question": text})
        if outcome.kind == "deferred":
            self.asked.append(outcome)
        return outcome

    def replies(self, asked: Asked) -> list[Shown]:
        """What answers it; an answer that came too late for its interaction names the question."""
        us = self.app.bot.id
        if isinstance(asked, Message):
            where = self.discord.world.channels[asked.channel]
            return self.discord.messages(where, which=lambda m: m.author == us and reply_to(m) == asked.id)
        first = self.discord.answer(asked)
        found = [first] if first is not None and not first.loading else []
        assert asked.interaction is not None
        options = asked.interaction.body["data"]["options"] if "data" in asked.interaction.body else []
        question = next((one["value"] for one in options if one["name"] == "question"), "")
        alone = self.discord.messages(
            asked.interaction.channel, which=lambda m: m.author == us and not reply_to(m) and m.interaction is None
        )
        late = [one for one in alone if question and f"> {question}" in one.text.replace("\\", "")]
        return [*found, *(one for one in late if first is None or one.id != first.id)]

    def answered(self, asked: Asked) -> bool:
        """Whether something complete stands there."""
        return any(complete(one) for one in self.replies(asked))

    async def all_answered(self, *, timeout: float) -> None:
        """Wait for that; looked at now and then, since to look through everything takes its time."""
        open_, end = list(self.asked), time.monotonic() + timeout
        while open_ := [one for one in open_ if not self.answered(one)]:
            assert time.monotonic() < end, f"{len(open_)} of {len(self.asked)} questions are not answered"
            await asyncio.sleep(0.2)

    def config(self, *, folder: Path, **more: Any) -> dict[str, Any]:
        """What a replica must know."""
        settings = {
            "bot_token": self.app.token,
            "guilds": [self.discord.guild.id],
            "base_url": self.discord.api_url,
            "gateway_url": self.discord.gateway_url,
        }
        return {"discord": settings, "folder": str(folder), **more}


def reply_to(message: Message) -> str:
    """The message that one answers, or empty."""
    return str((message.reference or {}).get("message_id") or "")


def complete(shown: Shown) -> bool:
    """Whether a message is an answer to its end, or an honest notice."""
    return shown.element("cb:rate:*") is not None or shown.text.startswith(NOTICES)


@asynccontextmanager
async def city(*, speed: float, people: int = 10, channels: int = 10, rates: bool = True) -> AsyncIterator[City]:
    """Open for as long as a test needs it."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    async with FakeDiscord(speed=speed, rates=rates) as discord:
        discord.settings.identifies, discord.settings.max_concurrency = 1_000_000, 1_000
        discord.add_user("olga", owner=True)
        users = [discord.add_user(f"person{number}") for number in range(people)]
        app = discord.add_app("citebot", intents=())
        app.identifies_left = 1_000_000
        rooms = [discord.add_channel(f"room{number}") for number in range(channels)]
        yield City(discord, app, users, rooms)
