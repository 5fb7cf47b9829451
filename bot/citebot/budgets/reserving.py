"""Reserves what an answer may cost at most before it begins, in every budget it counts in or in none."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from functools import reduce
from typing import Any, TypeVar
from uuid import uuid4

import structlog

from citebot.budgets.grant import Grant, amount_of, late
from citebot.budgets.limits import counters_of
from citebot.errors import StorageError
from citebot.model import Question
from citebot.ports import Usage
from citebot.settings import BudgetSettings
from citebot.storage import Database, Transaction, budgets
from citebot.storage.budgets import NOTHING, Amount, Counter, Hold
from citebot.storage.failpoints import failpoint

T = TypeVar("T")
log = structlog.get_logger("citebot.budgets")

HOLD_SECONDS = 240.0
"""How long an answer holds what it may cost, counted from its last call; then what a killed one left is free."""


class Budgets:
    """The budgets of a Citebot. Several processes may share them: the counters are rows of the database."""

    def __init__(
        self,
        database: Database,
        settings: BudgetSettings,
        *,
        hold: float = HOLD_SECONDS,
        new_id: Callable[[], str] = lambda: uuid4().hex,
    ) -> None:
        self._database = database
        self._settings = settings
        self._seconds = hold
        self._new_id = new_id
        self._writing: set[asyncio.Task[None]] = set()
        self._warned = False

    async def reserve(self, question: Question, most: Iterable[Usage]) -> Grant:
        """Reserve what calls may use at most, for a question that may have been tried before."""
        each = [amount_of(usage) for usage in most]
        if question.over_budget:
            return Grant(self, granted=False)
        limits = counters_of(question, self._settings)
        if not each or not limits:
            return Grant(self, granted=True)
        total = reduce(Amount.__add__, each, NOTHING)
        self._warn_of_no_prices(total, limits.values())
        hold = await asyncio.to_thread(self._reserve, total, limits, question.key)
        if hold is None:
            log.info("budget used up", scopes=[counter.budget for counter in limits])
        return Grant(self, granted=hold is not None, hold=hold)

    async def close(self) -> None:
        """Wait for what is still to be written."""
        if self._writing:
            await asyncio.wait(self._writing)

    # --- the ledger of grants ------------------------------------------------------------------------------------

    async def risk(self, hold: Hold, risked: Amount) -> bool:
        """Note what may have been used once the next call has begun; False when nothing is held any more."""

        def note(tx: Transaction) -> bool:
            return budgets.risk(tx, hold, risked, seconds=self._seconds)

        return await asyncio.to_thread(self._write, note)

    async def settle(self, hold: Hold | None, used: Amount, risked: Amount, models: dict[Counter, Amount]) -> None:
        """Count what was used in place of what was held; without a database whoever reserves next heals it."""

        def count(tx: Transaction) -> None:
            if hold is None:
                budgets.add(tx, models)
            else:
                budgets.settle(tx, hold, used, risked=risked, models=models)

        if hold is not None and not used.fits(hold.amount):
            log.warning("models used more than they said they would", used=used.cost, tokens=used.tokens)
        failpoint("before-settle")
        # It is written even if whoever waits for it is cancelled.
        await asyncio.shield(self._begin(self._try(count)))

    def add_late(self, hold: Hold | None, usage: Usage) -> None:
        """Count what was told after the end, such as of a call that was made beside another."""
        self._begin(self._add(hold, usage))

    async def _add(self, hold: Hold | None, usage: Usage) -> None:
        day = hold.day if hold is not None else ""
        await self._try(lambda tx: budgets.add(tx, late(hold, usage), day=day))

    async def _try(self, work: Callable[[Transaction], None]) -> None:
        try:
            await asyncio.to_thread(self._write, work)
        except StorageError as error:
            log.warning("what models have used is not counted", error=str(error))

    def _begin(self, writing: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(writing)
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)
        return task

    def _warn_of_no_prices(self, most: Amount, limits: Iterable[Amount]) -> None:
        if not self._warned and not most.cost and any(limit.cost for limit in limits):
            self._warned = True
            log.warning("a limit of cost is set, but no price of a model: it limits nothing")

    def _reserve(self, amount: Amount, limits: dict[Counter, Amount], key: str) -> Hold | None:
        with self._database.read() as tx:
            left = budgets.to_heal(tx, key)
        if left:
            # In a transaction of its own: it locks counters of other questions and days.
            self._write(lambda tx: budgets.heal(tx, key))
        hold = self._write(
            lambda tx: budgets.reserve(tx, self._new_id(), amount, limits, question=key, seconds=self._seconds)
        )
        failpoint("after-reserve")
        return hold

    def _write(self, work: Callable[[Transaction], T]) -> T:
        with self._database.write() as tx:
            return work(tx)
