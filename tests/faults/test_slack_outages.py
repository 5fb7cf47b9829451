"""Promises P4 and P5 on Slack: deaf sockets are healed, and what was asked while nobody listened is answered, once."""

from __future__ import annotations

import asyncio
import random
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

pytest.importorskip("slack_bolt")
sys.path.insert(0, str(Path(__file__).parent))  # the tests are no package

from chat_outages import Asking, Listener, deafen_all, make_up_for_it
from slack_harness import Town, town
from slack_replica import SlackReplica

from citebot.ports import PartContext
from citebot.testing.slack import FakeSlack, Message
from citebot_connectors.platforms.slack.link import Pace
from citebot_connectors.platforms.slack.platform import SlackPlatform
from citebot_connectors.platforms.slack.settings import SlackSettings


class Colleagues(Asking[Message]):
    """They mention, mention in old threads, write directly, and follow up where they asked before."""

    def __init__(self, place: Town) -> None:
        self.place, self.fake, self.config = place, place.slack, place.config
        self.old: list[Message] = []

    async def begin(self) -> None:
        self.old = [await self.place.ask(number, number, "What does the permit cost?") for number in range(5)]
        await self.fake.until(lambda: all(map(self.place.answered, self.old)), timeout=60)

    async def ask(self, number: int) -> Message:
        text, before = f"What does permit {number} cost?", self.old[number % len(self.old)]
        user, room = self.fake.world.users[before.user], self.fake.world.channels[before.channel]
        match number % 5:
            case 2:
                return await self.fake.say(user, room, f"{self.place.app.mention} {text}", thread_ts=before.ts)
            case 3:
                return await self.fake.say(user, self.place.app, text)
            case 4:
                return await self.fake.say(user, room, text, thread_ts=before.ts)
        return await self.place.ask(number, number, text)

    def answers(self, question: Message) -> int:
        """By what the messages say of themselves."""
        said = (shown.metadata or {} for shown in self.place.replies(question))
        return sum((data.get("event_payload") or {}).get("question") == question.ts for data in said)


@pytest.mark.timeout(3600)
async def test_mentions_of_an_hour_without_us_are_answered_once(
    store: str, tmp_path: Path, count: Callable[[int, int], int]
) -> None:
    @asynccontextmanager
    async def opened() -> AsyncIterator[Colleagues]:
        async with town(speed=20, channels=20) as place:
            yield Colleagues(place)

    rounds, questions, seconds = count(1, 20), count(10, 100), count(2, 10)
    await make_up_for_it(
        opened, SlackReplica, url=store, folder=tmp_path, rounds=rounds, questions=questions, seconds=seconds
    )


class Bot(Listener):
    """One on Slack."""

    def __init__(self, slack: FakeSlack, number: int, folder: Path, pace: Pace) -> None:
        app = slack.add_app(f"bot{number}")
        settings = {"bot_token": app.bot_token, "app_token": app.app_token, "base_url": slack.api_url}
        platform = SlackPlatform(SlackSettings.model_validate(settings), PartContext(data_dir=folder / str(number)))
        platform.pace = pace
        super().__init__(slack, app, platform, number)

    @property
    def connected(self) -> bool:
        return any(not socket.deaf for socket in self.fake.sockets(self.app))


@pytest.mark.timeout(600)
async def test_deaf_sockets_are_healed_and_what_they_missed_is_read(
    tmp_path: Path, count: Callable[[int, int], int]
) -> None:
    pace = Pace() if count(0, 1) else Pace(ping=0.4, keepalive=2.0, patience=5.0)
    async with FakeSlack(speed=count(20, 1)) as slack:
        bots = [Bot(slack, number, tmp_path, pace) for number in range(count(3, 50))]
        await deafen_all(slack, bots, spread=pace.ping)


@pytest.mark.timeout(600)
async def test_a_process_that_stood_still_hears_again(tmp_path: Path, count: Callable[[int, int], int]) -> None:
    pace, chance = Pace(ping=0.2, keepalive=0.5, patience=2.0), random.Random(7)
    async with FakeSlack(speed=25) as slack:
        bot = Bot(slack, 0, tmp_path, pace)
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
