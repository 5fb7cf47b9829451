"""A model that is called: its breaker, what is wrong with it, and one call of it being made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, Literal, Protocol, TypeVar

import structlog

from citebot.calls.breaker import OPEN_SECONDS, Breaker
from citebot.errors import ModelBusy, ModelRefused, ModelUnavailable
from citebot.logging_setup import redacted
from citebot.ports import Limited, Usage, Used

log = structlog.get_logger("citebot.calls")

Kind = Literal["embedder", "reranker", "generator"]
Outcome = Literal["ok", "busy", "refused", "failed", "slow", "left"]
"""`slow`: it did not answer in time. `left`: nobody waited for it any more."""
LONGEST_PAUSE = 60.0
"""Seconds a model can ask us to wait."""
OF_THE_REQUEST = frozenset({"too_long", "filtered"})
"""Refusals that say nothing about the next request."""
LONGEST_TROUBLE = 300

P_co = TypeVar("P_co", covariant=True)


class CallCounter(Protocol):
    """Counts what becomes of calls."""

    def call(self, callee: Callee[object], outcome: Outcome, *, seconds: float, first: float | None) -> None:
        """A call has ended; `first` is how long its first text took."""

    def use(self, callee: Callee[object], usage: Usage) -> None:
        """It has used something."""

    def retry(self, callee: Callee[object]) -> None:
        """The same model is asked once more."""

    def hedge(self, callee: Callee[object]) -> None:
        """This model is asked beside one that is slow."""


@dataclass(slots=True, eq=False)
class Callee(Generic[P_co]):
    """One model of one part."""

    kind: Kind
    part: P_co
    name: str
    """The part's."""
    model: str
    """As the settings name it; empty where a part has but one."""
    breaker: Breaker
    clock: Callable[[], float]
    counters: list[CallCounter] = field(default_factory=list)
    trouble: str = ""
    """What is wrong with it, in one line for an admin."""
    _refusal: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.name}/{self.model}" if self.model else f"{self.kind} {self.name}"

    def begin(self, used: Used) -> Call | None:
        """A call that may be made now, or None."""
        era = self.breaker.admit()
        return Call(self, era, used) if era is not None else None

    def note(self, outcome: Outcome, error: ModelUnavailable | None) -> None:
        """Keep what is wrong, and log it once, however many calls end so."""
        refusal = error.why if isinstance(error, ModelRefused) and error.why not in OF_THE_REQUEST else ""
        says = redacted(" ".join(str(error or "").split()))[:LONGEST_TROUBLE]
        if outcome == "ok":
            if self.trouble:
                log.info("model answers again", model=str(self))
            self.trouble = self._refusal = ""
        elif refusal and refusal != self._refusal:
            self._refusal, self.trouble = refusal, f"{self}: {says}"
            log.error("model refuses", model=str(self), why=refusal, error=says)
        elif not self.trouble and self.breaker.state == "open":
            self.trouble = f"{self} does not work and is tried every {OPEN_SECONDS:.0f} s: {says or 'it is too slow'}"
            log.warning("model is left alone", model=str(self), outcome=outcome, error=says)


class Call:
    """One call being made."""

    def __init__(self, callee: Callee[object], era: int, used: Used) -> None:
        self._callee = callee
        self._era = era
        self._used = used
        self._began = callee.clock()
        self._first: float | None = None
        self._told = False
        self._ended = False

    @property
    def age(self) -> float:
        """Seconds since it began."""
        return self._callee.clock() - self._began

    def used(self, usage: Usage) -> None:
        """What the part says it has used."""
        self._told = True
        for counter in self._callee.counters:
            counter.use(self._callee, usage)
        self._used(usage)

    def text(self) -> None:
        """There is text."""
        if self._first is None:
            self._first = self.age

    def fail(self, error: ModelUnavailable) -> None:
        """It has ended by this error."""
        if isinstance(error, ModelBusy) and error.after is not None:
            self._callee.breaker.pause(min(max(0.0, error.after), LONGEST_PAUSE))
        self.end(_outcome(error), error)

    def end(self, outcome: Outcome, error: ModelUnavailable | None = None) -> None:
        """It has ended; only the first time counts."""
        if self._ended:
            return
        self._ended = True
        callee = self._callee
        self._account(outcome)
        request = isinstance(error, ModelRefused) and error.why in OF_THE_REQUEST
        callee.breaker.record(self._era, well=None if outcome == "left" or request else outcome == "ok")
        callee.note(outcome, error)
        for counter in callee.counters:
            counter.call(callee, outcome, seconds=self.age, first=self._first)

    def _account(self, outcome: Outcome) -> None:
        """Every call of what can cost something is told of.

        What a call used that we broke off is not known: the most it can counts, so that no budget is ever exceeded.
        """
        if self._told or not isinstance(self._callee.part, Limited):
            return
        most = self._callee.part.most()
        self.used(most if outcome in {"slow", "left"} else Usage(most.model))


def _outcome(error: ModelUnavailable) -> Outcome:
    if isinstance(error, ModelBusy):
        return "busy"
    return "refused" if isinstance(error, ModelRefused) else "failed"
