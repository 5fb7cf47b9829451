"""What models may cost: reserved before a call, settled after it."""

from __future__ import annotations

from citebot.budgets.grant import Grant, most_of
from citebot.budgets.limits import MILLIONTHS, limits_of
from citebot.budgets.reserving import HOLD_SECONDS, Budgets
from citebot.budgets.standing import Standing, Today, today

__all__ = ["HOLD_SECONDS", "MILLIONTHS", "Budgets", "Grant", "Standing", "Today", "limits_of", "most_of", "today"]
