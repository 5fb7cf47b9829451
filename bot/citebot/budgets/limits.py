"""Which budgets a question counts in, and how much each allows."""

from __future__ import annotations

from citebot.model import Question
from citebot.settings import BudgetSettings
from citebot.storage.budgets import NOTHING, Amount, Counter
from citebot.storage.conversations import Place

SCOPES = ("person", "conversation", "workspace", "everybody")
MILLIONTHS = 1_000_000


def limits_of(settings: BudgetSettings) -> dict[str, Amount]:
    """What each kind of budget allows in a day, of those that have a limit."""
    found = {scope: _limit(settings, scope) for scope in SCOPES}
    return {scope: limit for scope, limit in found.items() if limit != NOTHING}


def counters_of(question: Question, settings: BudgetSettings) -> dict[Counter, Amount]:
    """The counters of a question with their limits."""
    where = question.conversation
    names = {
        "person": Counter("person", person=question.asker.id),
        "conversation": Counter("conversation", str(Place.of(where))),
        "workspace": Counter("workspace", str(Place(where.platform, where.tenant))),
        "everybody": Counter("everybody"),
    }
    return {names[scope]: limit for scope, limit in limits_of(settings).items()}


def _limit(settings: BudgetSettings, scope: str) -> Amount:
    cost = getattr(settings, f"{scope}_cost")
    # Less than a millionth is still a limit.
    return Amount(0, max(1, round(cost * MILLIONTHS)) if cost else 0, getattr(settings, f"{scope}_tokens"))
