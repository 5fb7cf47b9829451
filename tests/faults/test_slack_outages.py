"""Promises P4 and P5 on Slack: deaf sockets are healed, and what was asked while nobody listened is answered, once."""

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

pytest.importorskip("slack_bolt")
sys.path.insert(0, str(Path(__file__).parent))  # the tests are no package

from slack_harness import Town, furnish, open_work, town
from slack_replica import Replica

from citebot.ports import PartContext
from citebot.storage import Database, schema
from citebot.testing.scripted_desk import ScriptedDesk
from citebot.testing.slack import App, Channel, FakeSlack, Message
from citebot_connectors.platforms.slack.link import Pace
from citebot_connectors.platforms.slack.platform import SlackPlatform
from citebot_connectors.platforms.slack.settings import SlackSettings

HOUR = 3600.0


@pytest.fixture
def store(tmp_path: Path) -> Any:
    """The address of a database with our tables."""
    url = f"sqlite:///{tmp_path / 'citebot.db'}"
    opened = Database(url)
    schema.upgrade(opened)
    yield url, opened
    opened.close()


@asynccontextmanager
async def at_work(config: dict[str, Any], place: Town) -> AsyncIterator[Replica]:
    """A replica that is connected."""
    replica = Replica(config)
    async with replica.working() as tasks:
        await place.slack.until(lambda: not replica.platform.trouble or any(task.done() for task in tasks), timeout=60)
        yield replica


async def ask_in_all_ways(place: Town, old: list[Message], number: int) -> Message:
    """A mention, a mention in an old thread, a direct message, or a follow-up of who asked before."""
    text, before = f"What does permit {number} cost?", old[number % len(old)]
    user, room = place.slack.world.users[before.user], place.slack.world.channels[before.channel]
    match number % 5:
        case 2:
            return await place.slack.say(user, room, f"{place.app.mention} {text}", thread_ts=before.ts)
        case 3:
            return await place.slack.say(user, place.app, text)
        case 4:
            return await place.slack.say(user, room, text, thread_ts=before.ts)
    return await place.ask(number, number, text)


def answers(place: Town, question: Message) -> int:
    """How many messages of the bot answer one message, by what they say of themselves."""
    said = (shown.metadata or {} for shown in place.replies(question))
    return sum((data.get("event_payload") or {}).get("question") == question.ts for data in said)


@pytest.mark.timeout(3600)
async def test_mentions_of_an_hour_without_us_are_answered_once(
    store: tuple[str, Database], tmp_path: Path, count: Callable[[int, int], int]
) -> None:
    url, database = store
    rounds, mentions, seconds = count(1, 20), count(10, 100), count(2, 10)
    seen: Counter[int] = Counter()
    for turn in range(rounds):
        async with town(speed=HOUR / seconds, channels=20) as place:
            config = place.config(folder=tmp_path, url=url, hasty=True)
            if not turn:
                await furnish(config)
            async with at_work(config, place):
                old = [await place.ask(number, number, "What does the permit cost?") for number in range(5)]
                await place.slack.until(lambda place=place, old=old: all(map(place.answered, old)), timeout=60)
            missed = []
            for number in range(mentions):
                missed.append(await ask_in_all_ways(place, old, number))
                await asyncio.sleep(seconds / mentions)
            await place.slack.until(
                lambda place=place: all(delivery.over for delivery in place.slack.deliveries), timeout=60
            )
            assert not any(answers(place, question) for question in missed), "nobody was there"
            began = time.monotonic()
            place.slack.clock.go_at(1)  # only the outage is compressed
            async with at_work(config, place):
                await place.slack.until(
                    lambda place=place, missed=missed: (
                        all(answers(place, question) for question in missed) and not open_work(database)
                    ),
                    timeout=600,
                )
                await place.slack.settled(timeout=60)
            seen.update(answers(place, question) for question in missed)
            print(f"round {turn}: {mentions} questions answered {time.monotonic() - began:.1f} s after the start")
    assert seen == {1: rounds * mentions}


class Listener:
    """One app with a socket, and what it heard."""

    def __init__(self, slack: FakeSlack, number: int, folder: Path, pace: Pace) -> None:
        self.slack = slack
        self.person = slack.add_user(f"person{number}")
        self.app: App = slack.add_app(f"bot{number}")
        self.room: Channel = slack.add_channel(f"room{number}", [self.person, self.app])
        settings = {"bot_token": self.app.bot_token, "app_token": self.app.app_token, "base_url": slack.api_url}
        self.platform = SlackPlatform(
            SlackSettings.model_validate(settings), PartContext(data_dir=folder / str(number))
        )
        self.platform.pace = pace
        self.desk = ScriptedDesk(platform=self.platform)

    @property
    def healed(self) -> bool:
        """Whether something comes in again."""
        return not self.platform.trouble and any(not socket.deaf for socket in self.slack.sockets(self.app))

    async def go_deaf(self, after: float) -> tuple[float, float]:
        """Seconds from deafness to a good socket, and to the question that was asked meanwhile."""
        await asyncio.sleep(after)
        self.slack.deafen(self.app)
        began = time.monotonic()
        await self.slack.say(self.person, self.room, f"{self.app.mention} does anybody hear me?")
        await self.slack.until(lambda: self.healed, timeout=120)
        healed = time.monotonic() - began
        await self.slack.until(lambda: self.desk.accepted, timeout=120)
        return healed, time.monotonic() - began


@pytest.mark.timeout(600)
async def test_deaf_sockets_are_healed_and_what_they_missed_is_read(
    tmp_path: Path, count: Callable[[int, int], int]
) -> None:
    pace, chance = Pace() if count(0, 1) else Pace(ping=0.4, keepalive=2.0, patience=5.0), random.Random(4)
    async with FakeSlack(speed=count(20, 1)) as slack:
        bots = [Listener(slack, number, tmp_path, pace) for number in range(count(3, 50))]
        running = [asyncio.create_task(bot.platform.run(bot.desk)) for bot in bots]
        await slack.until(lambda: all(bot.healed for bot in bots), timeout=60)
        took = await asyncio.gather(*(bot.go_deaf(chance.uniform(0, pace.ping)) for bot in bots))
        await slack.settled(timeout=120)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await asyncio.gather(*(bot.desk.close() for bot in bots))
    healed, heard = (sorted(times) for times in zip(*took, strict=True))
    print(f"{len(bots)} deaf sockets: healed after at most {healed[-1]:.1f} s, questions taken after {heard[-1]:.1f} s")
    assert healed[-1] <= 60
    assert heard[-1] <= 60
    assert all(len({inbound.message_id for inbound in bot.desk.accepted}) == 1 for bot in bots)


@pytest.mark.timeout(600)
async def test_a_process_that_stood_still_hears_again(tmp_path: Path, count: Callable[[int, int], int]) -> None:
    pace, chance = Pace(ping=0.2, keepalive=0.5, patience=2.0), random.Random(7)
    async with FakeSlack(speed=25) as slack:
        bot = Listener(slack, 0, tmp_path, pace)
        running = asyncio.create_task(bot.platform.run(bot.desk))
        await slack.until(lambda: bot.healed, timeout=60)
        for number in range(count(5, 50)):
            asking = asyncio.create_task(slack.say(bot.person, bot.room, f"{bot.app.mention} question {number}"))
            await asyncio.sleep(chance.uniform(0, 0.3))
            time.sleep(chance.uniform(3.5, 4.5) * pace.ping)
            await asking
            async with asyncio.timeout(60):
                while len(bot.desk.accepted) <= number:
                    await asyncio.sleep(0.02)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await bot.desk.close()
        sockets = sum(one.method == "apps.connections.open" for one in slack.sent)
    print(f"{count(5, 50)} times nothing ran for a while: {sockets} sockets were opened")
    assert len({inbound.message_id for inbound in bot.desk.accepted}) == count(5, 50)
    assert sockets <= count(3, 20)
