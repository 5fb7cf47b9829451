"""Promises P1 and P2 on Slack: two replicas are killed everywhere; every mention has exactly one visible answer."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

pytest.importorskip("slack_bolt")
sys.path.insert(0, str(Path(__file__).parent))  # the tests are no package

from chat_kills import Talk, Torment, torment
from replicas import furnish, replicas
from slack_harness import SCRIPT, Town, town
from slack_replica import SlackReplica
from zygote import POINTS

from citebot.storage import Database
from citebot.testing.slack import Message, Shown


class Mentions(Talk[Message]):
    """In channels."""

    cut_off = ("chat.startStream", "chat.appendStream", "chat.stopStream", "chat.postMessage", "chat.update")

    def __init__(self, place: Town, chance: random.Random) -> None:
        super().__init__(chance)
        self.place, self.fake = place, place.slack

    async def ask(self, number: int, text: str) -> Message:
        return await self.place.ask(number, number // 3, text)

    def replies(self, question: Message) -> Sequence[Shown]:
        return self.place.replies(question)

    def answered(self, question: Message) -> bool:
        return self.place.answered(question)

    def name(self, question: Message) -> str:
        return question.ts


@pytest.mark.slow
@pytest.mark.timeout(7200)
async def test_killed_at_every_point_and_at_random_each_mention_has_one_answer(
    database: Database, url: str, tmp_path: Path, count: Callable[[int, int], int]
) -> None:
    chance = random.Random(11)
    given = Torment(
        points=chance.sample(POINTS * count(1, 20), len(POINTS) * count(1, 20)),
        random_kills=count(3, 500),
        pause=(0.2, 1.0),
        drops=count(8, 300),
        least=count(30, 2000),
    )
    async with town(speed=60, channels=10) as place:
        config = place.config(url=url, folder=tmp_path, wait=0.05, hasty=True)
        await furnish(config, SlackReplica)
        with replicas(config, SCRIPT) as bot:
            await torment(bot, Mentions(place, chance), database, given)
