"""Promises P1 and P2 on Discord: two replicas are killed everywhere; whatever was taken has exactly one visible answer.

Commands that are sent while nobody is there are lost by Discord's own design: it tells their asker so.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

pytest.importorskip("discord")
sys.path.insert(0, str(Path(__file__).parent))  # the tests are no package

from chat_kills import Talk, Torment, torment
from discord_harness import SCRIPT, Asked, City, city
from discord_replica import LEASE, DiscordReplica
from replicas import furnish, replicas
from zygote import POINTS

from citebot.storage import Database
from citebot.testing.discord import Message, Shown


class Questions(Talk[Asked]):
    """By mentions, and by the command while somebody is there."""

    cut_off = ("create_message", "edit_message", "edit_original_response", "create_interaction_response")

    def __init__(self, place: City, chance: random.Random) -> None:
        super().__init__(chance)
        self.place, self.fake = place, place.discord

    async def ask(self, number: int, text: str) -> Asked | None:
        if self._chance.random() < 0.5 and self.fake.ready(self.place.app):
            outcome = await self.place.command(number, number // 3, text)
            return outcome if outcome.kind == "deferred" else None
        return await self.place.mention(number, number // 3, text)

    def replies(self, question: Asked) -> Sequence[Shown]:
        return self.place.replies(question)

    def answered(self, question: Asked) -> bool:
        return self.place.answered(question)

    def name(self, question: Asked) -> str:
        if isinstance(question, Message):
            return question.id
        assert question.interaction is not None
        return question.interaction.id


@pytest.mark.slow
@pytest.mark.timeout(7200)
async def test_killed_at_every_point_and_at_random_each_question_has_one_answer(
    database: Database, url: str, tmp_path: Path, count: Callable[[int, int], int]
) -> None:
    chance = random.Random(13)
    given = Torment(
        points=chance.sample(POINTS * count(1, 20), count(3, len(POINTS) * 20)),
        random_kills=count(2, 500),
        pause=(0.5, 3 * LEASE),
        drops=count(5, 300),
        least=count(24, 2000),
        no_end=True,
    )
    async with city(speed=20) as place:
        config = place.config(url=url, folder=tmp_path, wait=0.05, hasty=True)
        await furnish(config, DiscordReplica)
        with replicas(config, SCRIPT) as bot:
            await bot.start()  # before the first start nobody is missed
            await place.discord.until(lambda: place.discord.ready(place.app))
            await torment(bot, Questions(place, chance), database, given)
