"""Promise P6 on Discord."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

pytest.importorskip("discord")
sys.path.insert(0, str(Path(__file__).parent))  # the tests are no package

from chat_order import LEASE, Threads, hold_order
from discord_harness import City, city, reply_to
from discord_replica import DiscordReplica
from replicas import furnish

from citebot.app.listening import LEASE_SECONDS
from citebot.testing.discord import Channel, Message

DIRECT = 6
"""Every so many-th is no thread but the direct messages of one person."""


class Mentions(Threads[Message]):
    """Threads of a channel, where we hear only what mentions us; and direct messages."""

    def __init__(self, place: City) -> None:
        self.place, self.fake = place, place.discord
        self._threads: dict[int, Channel] = {}

    async def ask(self, number: int, text: str, before: list[Message]) -> Message:
        discord, who = self.place.discord, self.place.people[number % len(self.place.people)]
        if number % DIRECT == DIRECT - 1:
            return await discord.say(who, self.place.app, text)
        if not before:
            room = self.place.channels[number % len(self.place.channels)]
            self._threads[number] = await discord.start_thread(who, room, f"permit {number}")
        return await discord.say(who, self._threads[number], f"{self.place.app.mention} {text}")

    def name(self, question: Message) -> str:
        return question.id

    def order(self, asked: list[Message]) -> list[str]:
        names, us = set(map(self.name, asked)), self.place.app.bot.id
        where = self.place.discord.world.channels[asked[0].channel]
        answers = self.place.discord.messages(where, which=lambda m: m.author == us and reply_to(m) in names)
        return [one.reply_to for one in answers]

    def answered(self, asked: list[Message]) -> bool:
        return all(map(self.place.answered, asked))


@pytest.mark.parametrize("replicas", [1, 2], ids=["one process", "two processes"])
@pytest.mark.timeout(3600)
async def test_p6_quick_questions_of_a_thread_are_answered_in_their_order(
    store: str, tmp_path: Path, count: Callable[[int, int], int], replicas: int
) -> None:
    async with city(speed=20, people=25, channels=25) as place, AsyncExitStack() as stack:
        leases = {"lease": LEASE, "listening": LEASE_SECONDS}
        config = place.config(folder=tmp_path, url=store, **leases, wait=0.3, fails=0.1, hasty=True)
        await furnish(config, DiscordReplica)
        for number in range(replicas):
            await stack.enter_async_context(DiscordReplica({**config, "seed": number}).working())
        await place.discord.until(lambda: place.discord.ready(place.app), timeout=60)
        await hold_order(Mentions(place), most=count(10, 500) * DIRECT // (DIRECT - 1), gap=0.02)
