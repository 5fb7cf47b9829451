"""How far the budgets of today are used up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from citebot.budgets.limits import limits_of
from citebot.settings import BudgetSettings
from citebot.storage import Transaction, budgets, clock, conversations
from citebot.storage.budgets import NOTHING, Amount, Counter
from citebot.storage.conversations import Place


@dataclass(frozen=True, slots=True)
class Standing:
    """One budget, or one model, which has no limit."""

    counter: Counter
    used: Amount
    limit: Amount


@dataclass(frozen=True, slots=True)
class Today:
    """All of them."""

    limits: Mapping[str, Amount]
    """What each kind of budget allows, of those of the settings."""
    budgets: tuple[Standing, ...]
    models: tuple[Standing, ...]
    unfinished: int
    """Answers that hold what they may cost; it counts as used."""
    resets: datetime
    """UTC, naive."""


def today(tx: Transaction, settings: BudgetSettings) -> Today:
    """What is used today, the dearest first. A budget without a limit is not counted."""
    limits = limits_of(settings)
    all_ = [Standing(one.counter, one.amount, _limit(tx, one.counter, limits)) for one in budgets.spent(tx)]
    midnight = clock.now(tx).replace(hour=0, minute=0, second=0, microsecond=0)
    return Today(
        limits=limits,
        budgets=tuple(one for one in all_ if one.counter.budget != "model" and one.limit != NOTHING),
        models=tuple(one for one in all_ if one.counter.budget == "model"),
        unfinished=budgets.held(tx),
        resets=midnight + timedelta(days=1),
    )


def _limit(tx: Transaction, counter: Counter, limits: dict[str, Amount]) -> Amount:
    if counter.budget in conversations.BUDGETS:
        return Amount(questions=conversations.own(tx, Place.read(counter.place)).get(counter.budget, 0))
    return limits.get(counter.budget, NOTHING)
