"""Promises P1 and P2 on Discord: two replicas are killed everywhere; whatever was taken has exactly one visible answer.

Commands that are sent while nobody is there are lost by Discord's own design: it tells their asker so.
"""

from __future__ import annotations

import asyncio
import random
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("discord")
pytest.importorskip("slack_bolt")  # the replicas are made of those on Slack
sys.path.insert(0, str(Path(__file__).parent))  # the tests are no package

from discord_harness import SCRIPT, Asked, City, city
from discord_replica import LEASE, DiscordReplica
from slack_harness import Replicas, furnish, open_work, replicas

from citebot.storage import Database
from citebot.testing.failpoints import FAILPOINTS

ELSEWHERE = {"before-documents-commit", "after-reserve", "before-settle"}
OTHERS = ("secrets", "upgrade", "backup", "restore")
POINTS = [name for name in FAILPOINTS if name not in ELSEWHERE and not any(word in name for word in OTHERS)]
CUT_OFF = ("create_message", "edit_message", "edit_original_response", "create_interaction_response")
OPEN = 12
"""Questions that wait for their answers at any time."""


@pytest.fixture
def url(database: Database, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of `database`, for other processes."""
    if database.dialect == "sqlite":
        return f"sqlite:///{tmp_path / 'citebot.db'}"
    found: str = request.getfixturevalue("postgres_url")
    return found


class Talk:
    """Questions asked so far; their events come one to four times, and some responses to the bot are lost."""

    def __init__(self, place: City, chance: random.Random) -> None:
        self.place = place
        self.dropped = 0
        self.number = 0
        self._chance = chance
        self._open: list[Asked] = []

    async def go_on(self, *, drops: int) -> None:
        """Ask until enough are open."""
        self._open = [asked for asked in self._open if not self.place.answered(asked)]
        while len(self._open) < OPEN:
            self.number += 1
            number, text = self.number, f"What does permit {self.number} cost?"
            self.place.discord.settings.copies = self._chance.randint(1, 4)
            if self._chance.random() < 0.5 and self.place.discord.ready(self.place.app):
                await self.place.command(number, number // 3, text)
            else:
                await self.place.mention(number, number // 3, text)
            self._open = [asked for asked in self.place.asked if not self.place.answered(asked)]
            if self.dropped < drops and self._chance.random() < 0.3:
                self.dropped += 1
                self.place.discord.faults.drop_response(self._chance.choice(CUT_OFF))


async def torment(bot: Replicas, talk: Talk, *, points: list[str], random_kills: int, drops: int, least: int) -> None:
    """Kill replicas, start others, ask on."""
    chance, next_kill = bot.chance, time.monotonic() + 1.0
    asked = talk.place.asked
    while points or len(asked) < least or bot.kills["random"] < random_kills or any(bot.alive().values()):
        alive = bot.alive()
        if len(alive) < 2:
            point = points.pop() if points and not any(alive.values()) else ""
            await bot.start(failpoint=point, fails=0.8 if point == "before-retry-commit" else 0.1)
        elif time.monotonic() > next_kill:
            # Whoever waits for the place of the other comes by no point of taking questions until that is killed.
            bot.kill_one()
            next_kill = time.monotonic() + chance.uniform(0.5, 3 * LEASE)
        await talk.go_on(drops=drops)
        await asyncio.sleep(0.02)
    while len(bot.alive()) < 2:
        await bot.start()


@pytest.mark.slow
@pytest.mark.timeout(7200)
async def test_killed_at_every_point_and_at_random_each_question_has_one_answer(
    database: Database, url: str, tmp_path: Path, count: Callable[[int, int], int]
) -> None:
    chance = random.Random(13)
    points = chance.sample(POINTS * count(1, 20), count(3, len(POINTS) * 20))
    armed = Counter(points)
    began = time.monotonic()
    async with city(speed=20) as place:
        config = place.config(url=url, folder=tmp_path, wait=0.05, hasty=True)
        await furnish(config, DiscordReplica)
        talk = Talk(place, chance)
        async with replicas(config, SCRIPT) as bot:
            await bot.start()  # before the first start nobody is missed
            await place.discord.until(lambda: place.discord.ready(place.app))
            await torment(
                bot, talk, points=points, random_kills=count(2, 500), drops=count(5, 300), least=count(24, 2000)
            )
            place.discord.faults.clear()
            end = time.monotonic() + 60
            while time.monotonic() < end and (not all(map(place.answered, place.asked)) or open_work(database)):
                await asyncio.sleep(0.2)
            await place.discord.settled(timeout=60)
            seen = Counter(len(place.replies(asked)) for asked in place.asked)
            unanswered = [asked for asked in place.asked if not place.answered(asked)]
            print(
                f"{database.dialect}: {len(place.asked)} questions, {sum(bot.kills.values())} kills, "
                f"{talk.dropped} responses dropped, {time.monotonic() - began:.0f} s; "
                f"visible messages {dict(seen)}, unanswered {len(unanswered)}"
            )
            for asked in place.asked:
                if len(place.replies(asked)) != 1 or asked in unanswered:
                    print(type(asked).__name__, [(s.id, s.text[:60], s.nonce) for s in place.replies(asked)])
            print((tmp_path / "stderr").read_text()[-3000:] if unanswered or set(seen) != {1} else "")
            assert not unanswered
            assert seen == {1: len(place.asked)}
            assert {point: bot.kills[point] for point in armed} == armed
