"""Promises P4 and P5 wherever people talk: connections gone deaf are healed, and what was missed is answered, once."""

from __future__ import annotations

import asyncio
import random
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, closing
from pathlib import Path
from typing import Any, Generic, TypeVar

from replica import Replica
from replicas import at_work, furnish, open_work

from citebot.storage import Database
from citebot.testing.chat.fake import Fake
from citebot.testing.scripted_desk import ScriptedDesk

M = TypeVar("M")
HOUR = 3600.0


class Listener(ABC):
    """One app with a connection, a person and a channel; and what it heard."""

    def __init__(self, fake: Any, app: Any, platform: Any, number: int) -> None:
        self.fake, self.app, self.platform = fake, app, platform
        self.person = fake.add_user(f"person{number}")
        self.room = fake.add_channel(f"room{number}", [self.person, app])
        self.desk = ScriptedDesk(platform=platform)

    @property
    @abstractmethod
    def connected(self) -> bool:
        """Whether there is a connection that is not deaf."""

    @property
    def healed(self) -> bool:
        """Whether something comes in again."""
        return not self.platform.trouble and self.connected

    async def go_deaf(self, after: float) -> tuple[float, float]:
        """Seconds from deafness to a good connection, and to the question that was asked meanwhile."""
        await asyncio.sleep(after)
        self.fake.deafen(self.app)
        began = time.monotonic()
        await self.fake.say(self.person, self.room, f"{self.app.mention} does anybody hear me?")
        await self.fake.until(lambda: self.healed, timeout=120)
        healed = time.monotonic() - began
        await self.fake.until(lambda: self.desk.accepted, timeout=120)
        return healed, time.monotonic() - began


async def deafen_all(fake: Fake[Any], bots: Sequence[Listener], *, spread: float) -> None:
    """Each goes deaf at some time; all hear again within a minute, and what was asked meanwhile once."""
    chance = random.Random(4)
    running = [asyncio.create_task(bot.platform.run(bot.desk)) for bot in bots]
    await fake.until(lambda: all(bot.healed for bot in bots), timeout=60)
    took = await asyncio.gather(*(bot.go_deaf(chance.uniform(0, spread)) for bot in bots))
    await fake.settled(timeout=120)
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    await asyncio.gather(*(bot.desk.close() for bot in bots))
    healed, heard = (sorted(times) for times in zip(*took, strict=True))
    print(f"{len(bots)} deaf connections: healed within {healed[-1]:.1f} s, questions taken within {heard[-1]:.1f} s")
    assert healed[-1] <= 60
    assert heard[-1] <= 60
    assert all(len({inbound.message_id for inbound in bot.desk.accepted}) == 1 for bot in bots)


class Asking(ABC, Generic[M]):
    """People who ask before an outage, and during it."""

    fake: Fake[Any]
    config: Callable[..., dict[str, Any]]
    """What a replica must know."""

    @abstractmethod
    async def begin(self) -> None:
        """Ask the questions before; returns once they are answered."""

    @abstractmethod
    async def ask(self, number: int) -> M:
        """Ask one of those during it, in any way in which one can ask."""

    @abstractmethod
    def answers(self, question: M) -> int:
        """How many messages answer it."""

    def answered(self, question: M) -> bool:
        """Whether any does."""
        return self.answers(question) > 0


async def miss_an_hour(asking: Asking[M], *, questions: int, seconds: float) -> list[M]:
    """Ask while nobody is there; the hour takes some seconds."""
    missed = []
    asking.fake.clock.go_at(HOUR / seconds)
    for number in range(questions):
        missed.append(await asking.ask(number))
        await asyncio.sleep(seconds / questions)
    await asking.fake.until(lambda: all(delivery.over for delivery in asking.fake.deliveries), timeout=60)
    assert not any(map(asking.answers, missed)), "nobody was there"
    asking.fake.clock.go_at(1)  # only the outage is compressed
    return missed


async def make_up_for_it(
    opened: Callable[[], AbstractAsyncContextManager[Asking[M]]],
    kind: type[Replica],
    *,
    url: str,
    folder: Path,
    rounds: int,
    questions: int,
    seconds: float,
) -> None:
    """Again and again, each time among other people: all that was missed in an hour is answered, once."""
    seen: Counter[int] = Counter()
    with closing(Database(url)) as database:
        for turn in range(rounds):
            async with opened() as asking:
                config = asking.config(folder=folder, url=url, hasty=True)
                if not turn:
                    await furnish(config, kind)
                async with at_work(kind(config), asking.fake):
                    await asking.begin()
                missed = await miss_an_hour(asking, questions=questions, seconds=seconds)
                began = time.monotonic()
                async with at_work(kind(config), asking.fake):
                    await asking.fake.until(
                        lambda asking=asking, missed=missed: (
                            all(map(asking.answered, missed)) and not open_work(database)
                        ),
                        timeout=600,
                    )
                    await asking.fake.settled(timeout=60)
                seen.update(map(asking.answers, missed))
                print(f"round {turn}: {questions} questions answered {time.monotonic() - began:.1f} s after the start")
    assert seen == {1: rounds * questions}
