"""What one answer may spend, and what it has spent."""

from __future__ import annotations

from types import TracebackType
from typing import Protocol, Self

from citebot.errors import ModelUnavailable
from citebot.ports import Limited, Usage, Used
from citebot.storage.budgets import NOTHING, Amount, Counter, Hold

NOT_GRANTED = "Today's budget for models is used up."
NOT_HELD = "This answer has taken too long: what it may cost is not reserved any more."


class Ledger(Protocol):
    """Where it is written down."""

    async def risk(self, hold: Hold, risked: Amount) -> bool:
        """Note what may have been used once the next call has begun; False when nothing is held any more."""

    async def settle(self, hold: Hold | None, used: Amount, risked: Amount, models: dict[Counter, Amount]) -> None:
        """Count what was used in place of what was held."""

    def add_late(self, hold: Hold | None, usage: Usage) -> None:
        """Count something more, soon."""


class Grant:
    """What one answer may spend. As a context manager it is settled at the end, however that comes."""

    def __init__(self, ledger: Ledger, *, granted: bool, hold: Hold | None = None) -> None:
        self.granted = granted
        """False: the passages are shown, and nothing that costs something is called."""
        self._ledger = ledger
        self._hold = hold
        self._models: dict[Counter, Amount] = {}
        self._used = NOTHING
        self._risked = NOTHING
        self._settled = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.settle()

    def pays_for(self, part: object) -> bool:
        """Whether a part may be called: one that costs nothing always may."""
        return self.granted or most_of(part) is None

    async def call(self, part: object) -> Used:
        """Begin a call of a part; the result is told what it uses. Raises `ModelUnavailable` when it may not be made.

        From here on it counts with the most it can use, should nobody live to say what it did use.
        """
        most = most_of(part)
        if most is not None and not self.granted:
            raise ModelUnavailable(NOT_GRANTED)
        if most is not None and self._hold is not None:
            risked = self._used + amount_of(most)
            if not await self._ledger.risk(self._hold, risked):
                raise ModelUnavailable(NOT_HELD)
            self._risked = risked
        return self.used

    def used(self, usage: Usage) -> None:
        """Count what a call has used; what comes after the end is added."""
        if self._settled:
            self._ledger.add_late(self._hold, usage)
            return
        self._used += amount_of(usage)
        model = counter_of(usage)
        self._models[model] = self._models.get(model, NOTHING) + _of_the_model(usage)

    async def settle(self) -> None:
        """Count what was used in place of what was held."""
        if self._settled:
            return
        self._settled = True
        if self._hold is not None or self._models:
            await self._ledger.settle(self._hold, self._used, self._risked, self._models)


def most_of(part: object) -> Usage | None:
    """The most that one call of a part can use; None for one that costs nothing."""
    return part.most() if isinstance(part, Limited) else None


def amount_of(usage: Usage) -> Amount:
    """As budgets count it."""
    return Amount(0, usage.cost, usage.input_tokens + usage.output_tokens)


def counter_of(usage: Usage) -> Counter:
    """The counter of its model."""
    return Counter("model", usage.model)


def _of_the_model(usage: Usage) -> Amount:
    return Amount(usage.calls, usage.cost, usage.input_tokens + usage.output_tokens)


def late(hold: Hold | None, usage: Usage) -> dict[Counter, Amount]:
    """Everything that one more usage is counted in."""
    counters = hold.counters if hold is not None else ()
    return {**dict.fromkeys(counters, amount_of(usage)), counter_of(usage): _of_the_model(usage)}
