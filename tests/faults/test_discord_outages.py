"""Promises P4 and P5 on Discord: deaf connections are healed, and what was asked while nobody listened is answered."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

pytest.importorskip("discord")
sys.path.insert(0, str(Path(__file__).parent))  # the tests are no package

from chat_outages import Asking, Listener, deafen_all, make_up_for_it
from discord_harness import City, city
from discord_replica import DiscordReplica

from citebot.ports import PartContext
from citebot.testing.discord import FakeDiscord, Message
from citebot_connectors.platforms.discord.link import Pace
from citebot_connectors.platforms.discord.platform import DiscordPlatform
from citebot_connectors.platforms.discord.settings import DiscordSettings


class Bot(Listener):
    """One on Discord."""

    def __init__(self, discord: FakeDiscord, number: int, folder: Path, pace: Pace) -> None:
        app = discord.add_app(f"bot{number}", intents=())
        settings = {
            "bot_token": app.token,
            "guilds": [discord.guild.id],
            "base_url": discord.api_url,
            "gateway_url": discord.gateway_url,
        }
        context = PartContext(data_dir=folder / str(number))
        platform = DiscordPlatform(DiscordSettings.model_validate(settings), context)
        platform.pace = pace
        super().__init__(discord, app, platform, number)

    @property
    def connected(self) -> bool:
        return any(one.socket and not one.socket.deaf for one in self.fake.sessions(self.app))


@pytest.mark.timeout(600)
async def test_p4_deaf_connections_are_healed_and_what_they_missed_is_heard(
    tmp_path: Path, count: Callable[[int, int], int]
) -> None:
    pace = Pace(ready=0.1) if count(0, 1) else Pace(identify=0.1, ready=0.1, silent=4.5)
    async with FakeDiscord(speed=count(20, 1), rates=False) as discord:
        bots = [Bot(discord, number, tmp_path, pace) for number in range(count(3, 50))]
        await deafen_all(discord, bots, spread=count(3, 41))
        begun = discord.resumes, discord.identifies
    assert begun == (len(bots), len(bots)), "a session is gone on with, and none begun anew"


class Members(Asking[Message]):
    """They mention, mention where they answer somebody, and write directly."""

    def __init__(self, place: City) -> None:
        self.place, self.fake, self.config = place, place.discord, place.config
        self.old: list[Message] = []

    async def begin(self) -> None:
        self.old = [await self.place.mention(number, number, "What does the permit cost?") for number in range(5)]
        direct = await self.fake.say(self.place.people[3], self.place.app, "What does the permit cost?")
        await self.fake.until(lambda: all(map(self.place.answered, [*self.old, direct])), timeout=60)

    async def ask(self, number: int) -> Message:
        text, before = f"What does permit {number} cost?", self.old[number % len(self.old)]
        user, room = self.fake.world.users[before.author], self.fake.world.channels[before.channel]
        match number % 5:
            case 2:
                return await self.fake.say(user, room, f"{self.place.app.mention} {text}", reply_to=before)
            case 3:
                return await self.fake.say(user, self.place.app, text)
        return await self.place.mention(number, number, text)

    def answers(self, question: Message) -> int:
        return len(self.place.replies(question))

    def answered(self, question: Message) -> bool:
        return self.place.answered(question)


@pytest.mark.timeout(3600)
async def test_p5_mentions_of_an_hour_without_us_are_answered_once(
    store: str, tmp_path: Path, count: Callable[[int, int], int]
) -> None:
    @asynccontextmanager
    async def opened() -> AsyncIterator[Members]:
        async with city(speed=20, channels=20) as place:
            yield Members(place)

    rounds, questions, seconds = count(1, 20), count(10, 100), count(2, 10)
    await make_up_for_it(
        opened, DiscordReplica, url=store, folder=tmp_path, rounds=rounds, questions=questions, seconds=seconds
    )
