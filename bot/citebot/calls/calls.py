"""All models that one process calls."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from citebot.calls.breaker import Breaker
from citebot.calls.callee import CallCounter, Callee, Kind

P = TypeVar("P")


class Calls:
    """Knows every model, what is wrong with it, and who counts its calls."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.counters: list[CallCounter] = []
        self._callees: list[Callee[object]] = []

    @property
    def callees(self) -> Sequence[Callee[object]]:
        """In the order of the settings."""
        return tuple(self._callees)

    def add(self, kind: Kind, part: P, *, name: str, model: str = "") -> Callee[P]:
        """A model that will be called."""
        callee = Callee(kind, part, name, model, Breaker(clock=self.clock), self.clock, self.counters)
        self._callees.append(callee)
        return callee

    def troubles(self) -> list[str]:
        """What is wrong with models, one line each for an admin."""
        return [callee.trouble for callee in self._callees if callee.trouble]
