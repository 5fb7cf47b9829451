"""Promises P1 and P2 on Slack: two replicas are killed everywhere; every mention has exactly one visible answer."""

from __future__ import annotations

import asyncio
import random
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("slack_bolt")
sys.path.insert(0, str(Path(__file__).parent))  # the tests are no package

from slack_harness import Replicas, Town, furnish, open_work, replicas, town
from sqlalchemy import select

from citebot.storage import Database
from citebot.storage.tables import inbox, outbox, shown_message
from citebot.testing.failpoints import FAILPOINTS
from citebot.testing.slack import Message

ELSEWHERE = {"before-documents-commit", "after-reserve", "before-settle"}
OTHERS = ("secrets", "upgrade", "backup", "restore")
POINTS = [name for name in FAILPOINTS if name not in ELSEWHERE and not any(word in name for word in OTHERS)]
CUT_OFF = ("chat.startStream", "chat.appendStream", "chat.stopStream", "chat.postMessage", "chat.update")
OPEN = 12
"""Questions that wait for their answers at any time."""


@pytest.fixture
def url(database: Database, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of `database`, for other processes."""
    if database.dialect == "sqlite":
        return f"sqlite:///{tmp_path / 'citebot.db'}"
    found: str = request.getfixturevalue("postgres_url")
    return found


def fate(database: Database, message_id: str) -> list[str]:
    """What the database knows of a question."""
    with database.read() as tx:
        job = tx.execute(select(inbox.c.id).where(inbox.c.message_id == message_id)).scalar_one()
        rows = [
            *tx.execute(select(inbox.c.state, inbox.c.attempts, inbox.c.failure).where(inbox.c.id == job)),
            *tx.execute(select(outbox.c.state, outbox.c.attempts, outbox.c.failure).where(outbox.c.inbox_id == job)),
            *tx.execute(select(shown_message).where(shown_message.c.idempotency_key == f"inbox-{job}")),
        ]
    return [str(row) for row in rows]


class Talk:
    """Questions asked so far; their events come one to four times, and some responses to the bot are lost."""

    def __init__(self, place: Town, chance: random.Random) -> None:
        self.place = place
        self.questions: list[Message] = []
        self.dropped = 0
        self._chance = chance
        self._open: list[Message] = []

    async def go_on(self, *, drops: int) -> None:
        """Ask until enough are open."""
        self._open = [question for question in self._open if not self.place.answered(question)]
        for number in range(len(self.questions), len(self.questions) + OPEN - len(self._open)):
            self.place.slack.settings.copies = self._chance.randint(1, 4)
            asked = await self.place.ask(number, number // 3, f"What does permit {number} cost?")
            self.questions.append(asked)
            self._open.append(asked)
            if self.dropped < drops and self._chance.random() < 0.3:
                self.dropped += 1
                self.place.slack.faults.drop_response(self._chance.choice(CUT_OFF))


async def torment(bot: Replicas, talk: Talk, *, points: list[str], random_kills: int, drops: int, least: int) -> None:
    """Kill replicas, start others, ask on."""
    chance, next_kill = bot.chance, time.monotonic() + 1.0
    while points or len(talk.questions) < least or bot.kills["random"] < random_kills or any(bot.alive().values()):
        alive = bot.alive()
        if len(alive) < 2:
            point = points.pop() if points and not any(alive.values()) else ""
            await bot.start(failpoint=point, fails=0.8 if point == "before-retry-commit" else 0.1)
        elif bot.kills["random"] < random_kills and time.monotonic() > next_kill:
            bot.kill_one()
            next_kill = time.monotonic() + chance.uniform(0.2, 1.0)
        await talk.go_on(drops=drops)
        await asyncio.sleep(0.02)
    while len(bot.alive()) < 2:
        await bot.start()


@pytest.mark.slow
@pytest.mark.timeout(7200)
async def test_killed_at_every_point_and_at_random_each_mention_has_one_answer(
    database: Database, url: str, tmp_path: Path, count: Callable[[int, int], int]
) -> None:
    chance = random.Random(11)
    points = chance.sample(POINTS * count(1, 20), len(POINTS) * count(1, 20))
    armed = Counter(points)
    began = time.monotonic()
    async with town(speed=60, channels=10) as place:
        config = place.config(url=url, folder=tmp_path, wait=0.05, hasty=True)
        await furnish(config)
        talk = Talk(place, chance)
        async with replicas(config) as bot:
            await torment(
                bot, talk, points=points, random_kills=count(3, 500), drops=count(8, 300), least=count(30, 2000)
            )
            place.slack.faults.clear()
            end = time.monotonic() + 60
            while time.monotonic() < end and (not all(map(place.answered, talk.questions)) or open_work(database)):
                await asyncio.sleep(0.2)
            await place.slack.settled(timeout=60)
            seen = Counter(len(place.replies(question)) for question in talk.questions)
            unanswered = [question.ts for question in talk.questions if not place.answered(question)]
            print(
                f"{database.dialect}: {len(talk.questions)} mentions, {len(place.slack.deliveries)} deliveries, "
                f"{sum(bot.kills.values())} kills, {talk.dropped} responses dropped, "
                f"{time.monotonic() - began:.0f} s; visible messages {dict(seen)}, unanswered {len(unanswered)}"
            )
            for question in talk.questions:
                if len(place.replies(question)) > 1 or not place.answered(question):
                    print(question.ts, [(s.ts, s.streaming, s.metadata, s.text[:30]) for s in place.replies(question)])
                    print(*fate(database, question.ts), sep="\n")
            assert not unanswered
            assert seen == {1: len(talk.questions)}
            assert {point: bot.kills[point] for point in armed} == armed
