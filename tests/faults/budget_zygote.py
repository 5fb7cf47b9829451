"""Started by the test of the budgets: forks processes that ask.

Each asks all its questions at once and writes to a file of its own what they have cost outside, before it knows that
itself.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
from pathlib import Path
from typing import Any

import structlog

sys.path.insert(0, str(Path(__file__).parent))  # the tests are no package

from zygote import fork_each

from citebot.budgets import Budgets
from citebot.errors import ModelUnavailable
from citebot.model import Audience, Conversation, Person, Question
from citebot.ports import Usage
from citebot.settings import BudgetSettings
from citebot.storage import Database

structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
CALLS = 3
PEOPLE, CHANNELS = 25, 5


class Model:
    """Something that costs, and says how much at most."""

    def most(self) -> Usage:
        return Usage("m", cost=1000)


MODEL = Model()


def question(number: int) -> Question:
    """A question of one of the people in one of the channels; every second one is not known when it is asked again."""
    place = Conversation("scripted", f"c{number % CHANNELS}", "T1")
    key = f"q{number}" if number % 2 else ""
    return Question("?", Person(f"p{number % PEOPLE}"), place, Audience(frozenset()), key=key)


class Asking:
    """One process."""

    def __init__(self, config: dict[str, Any]) -> None:
        self._chance = random.Random(config["seed"])
        self._numbers: list[int] = config["questions"]
        self._stop_at = config["stop_at"]
        self._called = 0
        self._database = Database(config["url"])
        self._budgets = Budgets(self._database, BudgetSettings(**config["limits"]))
        path = Path(config["folder"]) / f"{os.getpid()}.log"
        self._outside = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    async def run(self) -> None:
        await asyncio.gather(*map(self._ask, self._numbers))
        await self._budgets.close()
        self._database.close()

    def _write(self, *words: object) -> None:
        os.write(self._outside, (" ".join(map(str, words)) + "\n").encode())

    async def _ask(self, number: int) -> None:
        await asyncio.sleep(self._chance.random())
        async with await self._budgets.reserve(question(number), [MODEL.most()] * CALLS) as grant:
            if not grant.granted:
                self._write("refused", number)
                return
            try:
                for _ in range(self._chance.randint(1, CALLS)):
                    await self._call(number, grant)
            except ModelUnavailable:
                self._write("unheld", number)
        self._write("settled", number)

    async def _call(self, number: int, grant: Any) -> None:
        self._write("calls", number)
        used = await grant.call(MODEL)
        self._called += 1
        if self._called == self._stop_at:
            os.kill(os.getpid(), signal.SIGSTOP)
        cost = self._chance.randint(1, MODEL.most().cost)
        # The provider writes its bill when it is asked, whoever lives to hear of it.
        self._write("paid", number, cost)
        await asyncio.sleep(self._chance.random() * 0.05)
        used(Usage("m", cost=cost))


if __name__ == "__main__":
    fork_each(lambda config: asyncio.run(Asking(config).run()))
