"""Promise P6 wherever people talk: the questions of one thread are answered in the order in which they were asked."""

from __future__ import annotations

import asyncio
import random
from abc import ABC, abstractmethod
from typing import Any, Generic, TypeVar

from citebot.testing.chat.fake import Fake

M = TypeVar("M")
TOGETHER = 10
"""Threads in which somebody is asking at the same time."""
LEASE = 30.0
"""As in production: nobody is killed here, and a busy machine must not look like a death."""


class Threads(ABC, Generic[M]):
    """Asks in threads, and reads them."""

    fake: Fake[Any]

    @abstractmethod
    async def ask(self, number: int, text: str, before: list[M]) -> M:
        """Ask in a thread by its number, after other questions in it."""

    @abstractmethod
    def name(self, question: M) -> str:
        """How answers name a question."""

    @abstractmethod
    def order(self, asked: list[M]) -> list[str]:
        """Which questions of a thread were answered, in the order of the answers."""

    def answered(self, asked: list[M]) -> bool:
        """Whether there are as many answers as questions."""
        return len(self.order(asked)) >= len(asked)


async def ask_thrice(threads: Threads[M], number: int, chance: random.Random, *, gap: float) -> list[M]:
    """Three questions of one person, the second before the first is answered."""
    asked = [await threads.ask(number, "What does the first permit cost?", [])]
    for which in ("second", "third"):
        await asyncio.sleep(chance.uniform(0, gap))
        asked.append(await threads.ask(number, f"What does the {which} permit cost?", asked))
    return asked


async def hold_order(threads: Threads[M], *, most: int, gap: float) -> None:
    """Ask in many threads; each question has one answer, and they stand in their order."""
    asked: list[list[M]] = []
    chance = random.Random(6)
    for first in range(0, most, TOGETHER):
        some = range(first, min(first + TOGETHER, most))
        now = await asyncio.gather(*(ask_thrice(threads, number, chance, gap=gap) for number in some))
        try:
            await threads.fake.until(lambda now=now: all(map(threads.answered, now)), timeout=300)
        finally:
            for one in (one for one in now if not threads.answered(one)):
                print("not answered:", list(map(threads.name, one)), "but", threads.order(one))
        asked += now
        print(f"{len(asked)} threads")
    await threads.fake.settled(timeout=60)
    wrong = [one for one in asked if threads.order(one) != list(map(threads.name, one))]
    print(f"{len(asked)} threads of three questions: {len(wrong)} in another order")
    assert not wrong
