"""The one clock of a fake: stamps tell the truth, durations can be compressed."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable


class Clock:
    """A `speed` of 60 lets a minute of the platform's pass in a second.

    What is written on messages, signatures and tokens is the wall clock, because clients compare it with their own.
    Durations are divided by `speed`, with one exception: time that an app has to react in never falls below
    `least_patience` real seconds, or a busy machine would look like a silent app.
    """

    def __init__(
        self,
        speed: float = 1.0,
        *,
        least_patience: float = 3.0,
        wall: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self.speed = speed
        self.least_patience = least_patience
        self.wall = wall
        self.steady = steady
        self._skipped = 0.0

    def now(self) -> float:
        """The platform's seconds on a scale that only durations are read from."""
        return self.steady() * self.speed + self._skipped

    def skip(self, seconds: float) -> None:
        """Let the platform's `seconds` be over at once, for all that ends at some time; who sleeps sleeps on."""
        self._skipped += seconds

    def go_at(self, speed: float) -> None:
        """Compress what begins from now on by another `speed`; the scale of `now` goes on where it is."""
        self._skipped += self.steady() * (self.speed - speed)
        self.speed = speed

    def deadline(self, seconds: float) -> float:
        """When, by `now`, an app's `seconds` to react are over."""
        return self.now() + self.patience(seconds) * self.speed

    def real(self, seconds: float) -> float:
        """How long the platform's `seconds` take."""
        return seconds / self.speed

    def whole(self, seconds: float) -> int:
        """The same for a header or field that clients wait by: whole seconds, at least one."""
        return max(1, math.ceil(self.real(seconds)))

    def patience(self, seconds: float) -> float:
        """Real seconds an app has to react where the platform gives it `seconds`."""
        return max(self.real(seconds), min(seconds, self.least_patience))

    async def sleep(self, seconds: float) -> None:
        """Let the platform's `seconds` pass."""
        await asyncio.sleep(self.real(seconds))
