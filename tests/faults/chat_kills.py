"""Promises P1 and P2 wherever people talk: replicas are killed everywhere; each question has one visible answer."""

from __future__ import annotations

import asyncio
import random
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

from replicas import Replicas, open_work
from sqlalchemy import select

from citebot.storage import Database
from citebot.storage.tables import inbox, outbox, shown_message
from citebot.testing.chat.fake import Fake

Q = TypeVar("Q")
OPEN = 12
"""Questions that wait for their answers at any time."""


class Talk(ABC, Generic[Q]):
    """Questions asked so far; their events come one to four times, and some responses to the bot are lost."""

    fake: Fake[Any]
    cut_off: ClassVar[tuple[str, ...]]
    """The calls whose responses are lost."""

    def __init__(self, chance: random.Random) -> None:
        self.questions: list[Q] = []
        self.dropped = 0
        self._chance = chance
        self._number = 0
        self._open: list[Q] = []

    @abstractmethod
    async def ask(self, number: int, text: str) -> Q | None:
        """Ask; None when the platform itself lost it."""

    @abstractmethod
    def replies(self, question: Q) -> Sequence[Any]:
        """What is shown for a question."""

    @abstractmethod
    def answered(self, question: Q) -> bool:
        """Whether something complete is."""

    @abstractmethod
    def name(self, question: Q) -> str:
        """What the name of a question begins with in the database."""

    async def go_on(self, *, drops: int) -> None:
        """Ask until enough are open."""
        self._open = self.unanswered(self._open)
        while len(self._open) < OPEN:
            self.fake.settings.copies = self._chance.randint(1, 4)
            asked = await self.ask(self._number, f"What does permit {self._number} cost?")
            self._number += 1
            if asked is not None:
                self.questions.append(asked)
                self._open = self.unanswered([*self._open, asked])
            if self.dropped < drops and self._chance.random() < 0.3:
                self.dropped += 1
                self.fake.faults.drop_response(self._chance.choice(self.cut_off))

    def unanswered(self, questions: Sequence[Q]) -> list[Q]:
        """Those of them that wait."""
        return [question for question in questions if not self.answered(question)]


@dataclass(frozen=True, slots=True)
class Torment:
    """What replicas go through; at full count of every point."""

    points: list[str]
    random_kills: int
    pause: tuple[float, float]
    """Seconds between two of these, at least and at most."""
    drops: int
    least: int
    """Questions."""
    no_end: bool = False
    """Kill at random as long as there are points, which only one of the two may come by until it is killed."""

    async def go_on(self, bot: Replicas, talk: Talk[Any]) -> None:
        """Kill replicas, start others, ask on."""
        points, next_kill = list(self.points), time.monotonic() + 1.0
        while points or len(talk.questions) < self.least or self._kills(bot) or any(bot.alive().values()):
            alive = bot.alive()
            if len(alive) < 2:
                point = points.pop() if points and not any(alive.values()) else ""
                await bot.start(failpoint=point, fails=0.8 if point == "before-retry-commit" else 0.1)
            elif (self.no_end or self._kills(bot)) and time.monotonic() > next_kill:
                bot.kill_one()
                next_kill = time.monotonic() + bot.chance.uniform(*self.pause)
            await talk.go_on(drops=self.drops)
            await asyncio.sleep(0.02)
        while len(bot.alive()) < 2:
            await bot.start()

    def _kills(self, bot: Replicas) -> bool:
        """Whether there are to be more at random."""
        return bot.kills["random"] < self.random_kills


async def torment(bot: Replicas, talk: Talk[Any], database: Database, given: Torment) -> None:
    """Go through it; a minute later each question has one answer, and every point has killed as often as it should."""
    began, armed = time.monotonic(), Counter(given.points)
    await given.go_on(bot, talk)
    talk.fake.faults.clear()
    end = time.monotonic() + 60
    while time.monotonic() < end and (talk.unanswered(talk.questions) or open_work(database)):
        await asyncio.sleep(0.2)
    await talk.fake.settled(timeout=60)
    seen = Counter(len(talk.replies(question)) for question in talk.questions)
    unanswered = talk.unanswered(talk.questions)
    print(
        f"{database.dialect}: {len(talk.questions)} questions, {len(talk.fake.deliveries)} deliveries, "
        f"{sum(bot.kills.values())} kills, {talk.dropped} responses dropped, {time.monotonic() - began:.0f} s; "
        f"visible messages {dict(seen)}, unanswered {len(unanswered)}"
    )
    for question in talk.questions:
        if len(talk.replies(question)) != 1 or question in unanswered:
            name = talk.name(question)
            print(name, *talk.replies(question), *fate(database, name), sep="\n")
    assert not unanswered
    assert seen == {1: len(talk.questions)}
    assert {point: bot.kills[point] for point in armed} == armed


def fate(database: Database, name: str) -> list[str]:
    """What the database knows of a question."""
    with database.read() as tx:
        jobs = tx.execute(select(inbox.c.id).where(inbox.c.message_id.startswith(name))).scalars().all()
        keys = [f"inbox-{job}" for job in jobs]
        rows = [
            *tx.execute(select(inbox.c.state, inbox.c.attempts, inbox.c.failure).where(inbox.c.id.in_(jobs))),
            *tx.execute(select(outbox.c.state, outbox.c.attempts, outbox.c.failure).where(outbox.c.inbox_id.in_(jobs))),
            *tx.execute(select(shown_message).where(shown_message.c.idempotency_key.in_(keys))),
        ]
    return [str(row) for row in rows]
