"""What a platform wants fewer calls of: how long it is left alone, and how seldom it is called afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

AT_ONCE = 5
"""Calls of one method at the same time: so many are refused at most before the first refusal is heard."""
REMEMBERED = 60.0
"""Most count by the minute."""


class Lane:
    """The calls of one method, or of one method in one channel."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.turn = asyncio.Semaphore(AT_ONCE)
        self._until = 0.0
        self._gap = 0.0
        self._refused = float("-inf")
        self._spared = float("-inf")

    @property
    def idle(self) -> bool:
        """Whether there is nothing to remember of it."""
        return self.left == 0 and not self.turn.locked()

    @property
    def left(self) -> float:
        """Seconds for which it is not called."""
        return max(0.0, self._until - self._clock())

    def refused(self, after: float) -> None:
        """The platform named the seconds until the next call."""
        self._refused = self._clock()
        self._until, self._gap = self._refused + after, after

    def spare(self) -> bool:
        """Whether a call that we can do without is in order: for a while only as often as it said."""
        now = self._clock()
        if self.left or (now - self._refused < REMEMBERED and now - self._spared < self._gap):
            return False
        self._spared = now
        return True
