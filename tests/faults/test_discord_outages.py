"""Promises P4 and P5 on Discord: deaf connections are healed, and what was asked while nobody listened is answered."""

from __future__ import annotations

import asyncio
import random
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("discord")
pytest.importorskip("slack_bolt")  # the replicas are made of those on Slack
sys.path.insert(0, str(Path(__file__).parent))  # the tests are no package

from discord_harness import City, city
from discord_replica import DiscordReplica
from slack_harness import furnish, open_work

from citebot.ports import PartContext
from citebot.storage import Database, schema
from citebot.testing.discord import App, Channel, FakeDiscord, Message
from citebot.testing.scripted_desk import ScriptedDesk
from citebot_connectors.platforms.discord.link import Pace
from citebot_connectors.platforms.discord.platform import DiscordPlatform
from citebot_connectors.platforms.discord.settings import DiscordSettings

HOUR = 3600.0


class Listener:
    """One app with a connection, and what it heard."""

    def __init__(self, discord: FakeDiscord, number: int, folder: Path, pace: Pace) -> None:
        self.discord = discord
        self.person = discord.add_user(f"person{number}")
        self.app: App = discord.add_app(f"bot{number}", intents=())
        self.room: Channel = discord.add_channel(f"room{number}", [self.person, self.app])
        settings = {
            "bot_token": self.app.token,
            "guilds": [discord.guild.id],
            "base_url": discord.api_url,
            "gateway_url": discord.gateway_url,
        }
        context = PartContext(data_dir=folder / str(number))
        self.platform = DiscordPlatform(DiscordSettings.model_validate(settings), context)
        self.platform.pace = pace
        self.desk = ScriptedDesk(platform=self.platform)

    @property
    def healed(self) -> bool:
        """Whether something comes in again."""
        sessions = self.discord.sessions(self.app)
        return not self.platform.trouble and any(one.socket and not one.socket.deaf for one in sessions)

    async def go_deaf(self, after: float) -> tuple[float, float]:
        """Seconds from deafness to a good connection, and to the question that was asked meanwhile."""
        await asyncio.sleep(after)
        self.discord.deafen(self.app)
        began = time.monotonic()
        await self.discord.say(self.person, self.room, f"{self.app.mention} does anybody hear me?")
        await self.discord.until(lambda: self.healed, timeout=120)
        healed = time.monotonic() - began
        await self.discord.until(lambda: self.desk.accepted, timeout=120)
        return healed, time.monotonic() - began


@pytest.mark.timeout(600)
async def test_p4_deaf_connections_are_healed_and_what_they_missed_is_heard(
    tmp_path: Path, count: Callable[[int, int], int]
) -> None:
    pace = Pace(ready=0.1) if count(0, 1) else Pace(identify=0.1, ready=0.1, silent=4.5)
    chance, spread = random.Random(4), count(3, 41)
    async with FakeDiscord(speed=count(20, 1), rates=False) as discord:
        bots = [Listener(discord, number, tmp_path, pace) for number in range(count(3, 50))]
        running = [asyncio.create_task(bot.platform.run(bot.desk)) for bot in bots]
        await discord.until(lambda: all(bot.healed for bot in bots), timeout=60)
        took = await asyncio.gather(*(bot.go_deaf(chance.uniform(0, spread)) for bot in bots))
        await discord.settled(timeout=120)
        resumes, identifies = discord.resumes, discord.identifies
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await asyncio.gather(*(bot.desk.close() for bot in bots))
    healed, heard = (sorted(times) for times in zip(*took, strict=True))
    print(f"{len(bots)} deaf connections: healed within {healed[-1]:.1f} s, questions taken within {heard[-1]:.1f} s")
    assert healed[-1] <= 60
    assert heard[-1] <= 60
    assert (resumes, identifies) == (len(bots), len(bots)), "a session is gone on with, and none begun anew"
    assert all(len({inbound.message_id for inbound in bot.desk.accepted}) == 1 for bot in bots)


# -- an hour without us -----------------------------------------------------------------------------------------------


@pytest.fixture
def store(tmp_path: Path) -> Any:
    """The address of a database with our tables."""
    url = f"sqlite:///{tmp_path / 'citebot.db'}"
    opened = Database(url)
    schema.upgrade(opened)
    yield url, opened
    opened.close()


@asynccontextmanager
async def at_work(config: dict[str, Any], place: City) -> AsyncIterator[DiscordReplica]:
    """A replica that is connected."""
    replica = DiscordReplica(config)
    async with replica.working() as tasks:
        await place.discord.until(
            lambda: not replica.platform.trouble or any(task.done() for task in tasks), timeout=60
        )
        yield replica


async def ask_in_all_ways(place: City, old: list[Message], number: int) -> Message:
    """A mention, a mention that answers somebody's, or a direct message."""
    text, before = f"What does permit {number} cost?", old[number % len(old)]
    user, room = place.discord.world.users[before.author], place.discord.world.channels[before.channel]
    match number % 5:
        case 2:
            return await place.discord.say(user, room, f"{place.app.mention} {text}", reply_to=before)
        case 3:
            return await place.discord.say(user, place.app, text)
    return await place.mention(number, number, text)


@pytest.mark.timeout(3600)
async def test_p5_mentions_of_an_hour_without_us_are_answered_once(
    store: tuple[str, Database], tmp_path: Path, count: Callable[[int, int], int]
) -> None:
    url, database = store
    rounds, mentions, seconds = count(1, 20), count(10, 100), count(2, 30)
    seen: Counter[int] = Counter()
    async with city(speed=HOUR / seconds, channels=20) as place:
        config = place.config(folder=tmp_path, url=url, hasty=True)
        await furnish(config, DiscordReplica)
        place.discord.clock.go_at(20)
        async with at_work(config, place):
            old = [await place.mention(number, number, "What does the permit cost?") for number in range(5)]
            old.append(await place.discord.say(place.people[3], place.app, "What does the permit cost?"))
            await place.discord.until(lambda: all(map(place.answered, old)), timeout=60)
        for turn in range(rounds):
            missed = []
            place.discord.clock.go_at(HOUR / seconds)
            for number in range(mentions):
                missed.append(await ask_in_all_ways(place, old[:5], number))
                await asyncio.sleep(seconds / mentions)
            assert not any(place.replies(question) for question in missed), "nobody was there"
            began = time.monotonic()
            place.discord.clock.go_at(1)  # only the outage is compressed
            async with at_work(config, place):
                await place.discord.until(
                    lambda missed=missed: all(map(place.answered, missed)) and not open_work(database),
                    timeout=600,
                )
                await place.discord.settled(timeout=60)
            seen.update(len(place.replies(question)) for question in missed)
            print(f"round {turn}: {mentions} questions answered {time.monotonic() - began:.1f} s after the start")
    assert seen == {1: rounds * mentions}
