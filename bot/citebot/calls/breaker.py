"""A breaker: a model that fails is left alone for a while, and then tried with one call."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Literal

State = Literal["closed", "half_open", "open"]

FAILURES_IN_A_ROW = 5
WINDOW = 20
"""Last calls of which half may fail."""
OPEN_SECONDS = 15.0


class Breaker:
    """Knows how the last calls of one model ended. For one event loop, not for threads."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last: deque[bool] = deque(maxlen=WINDOW)
        self._opened: float | None = None
        self._trying = False
        self._era = 0
        self._busy_until = 0.0
        self.failures = 0
        """In a row, until now."""

    @property
    def state(self) -> State:
        """Closed: calls pass. Open: none does. Half-open: one may try."""
        if self._opened is None:
            return "closed"
        return "open" if self._clock() - self._opened < OPEN_SECONDS else "half_open"

    @property
    def busy_for(self) -> float:
        """Seconds for which the model itself wants no calls."""
        return max(0.0, self._busy_until - self._clock())

    def pause(self, seconds: float) -> None:
        """The model wants no calls for so long."""
        self._busy_until = max(self._busy_until, self._clock() + seconds)

    def admit(self) -> int | None:
        """What to `record` the end of a call with, or None when it must not be made."""
        state = self.state
        if self.busy_for or state == "open" or (state == "half_open" and self._trying):
            return None
        if state == "half_open":
            self._trying = True
            self._era += 1
        return self._era

    def record(self, era: int, *, well: bool | None) -> None:
        """The end of an admitted call; None when it was left and says nothing about the model."""
        if era != self._era:
            return  # begun before the last change, so it tells of another time
        if well is not None:
            self.failures = 0 if well else self.failures + 1
        if self._trying:
            self._trying = False
            if well is not None:
                self._change(self._clock() if not well else None)
        elif well is not None:
            self._last.append(well)
            half = len(self._last) == WINDOW and self._last.count(False) * 2 >= WINDOW
            if self.failures >= FAILURES_IN_A_ROW or half:
                self._change(self._clock())

    def _change(self, opened: float | None) -> None:
        self._opened = opened
        self._era += 1
        self._last.clear()
