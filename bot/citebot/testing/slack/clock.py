"""The one clock of the fake: stamps tell the truth, durations can be compressed."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable

# Slack's own durations, in its seconds.
ACK = 3.0
"""An app acknowledges within these."""
RETRIES = (0.0, 60.0, 300.0)
"""An event that was not acknowledged comes again after these."""
STREAM = 300.0
"""A stream that was not stopped by then can only be repaired."""
TRIGGER = 3.0
"""How long a modal can be opened after a click."""
RESPONSE_URL = 1800.0
RESPONSE_URL_USES = 5
ACTION_TOKEN = 600.0
THINKING = 120.0
"""A status goes away by itself."""
TICKET = 30.0
"""How long the address of a socket can be used."""
PING = 10.0
"""Between two pings on a socket."""
CLOSING = 10.0
"""Between the announcement and the end of a socket."""
ROTATION = 43_200.0
"""The life of a rotating token."""


class Clock:
    """A `speed` of 60 lets a minute of Slack's pass in a second.

    What is written on messages, signatures and tokens is the wall clock, because clients compare it with their own.
    Durations are divided by `speed`, with one exception: time that an app has to react in never falls below
    `least_patience` real seconds, or a busy machine would look like a silent app.
    """

    def __init__(
        self,
        speed: float = 1.0,
        *,
        least_patience: float = ACK,
        wall: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self.speed = speed
        self.least_patience = least_patience
        self.wall = wall
        self.steady = steady
        self._skipped = 0.0

    def now(self) -> float:
        """Slack's seconds on a scale that only durations are read from."""
        return self.steady() * self.speed + self._skipped

    def skip(self, seconds: float) -> None:
        """Let Slack's `seconds` be over at once, for all that ends at some time; who sleeps sleeps on."""
        self._skipped += seconds

    def deadline(self, seconds: float) -> float:
        """When, by `now`, an app's `seconds` to react are over."""
        return self.now() + self.patience(seconds) * self.speed

    def real(self, seconds: float) -> float:
        """How long Slack's `seconds` take."""
        return seconds / self.speed

    def whole(self, seconds: float) -> int:
        """The same for a header or field that clients wait by: whole seconds, at least one."""
        return max(1, math.ceil(self.real(seconds)))

    def patience(self, seconds: float) -> float:
        """Real seconds an app has to react where Slack gives it `seconds`."""
        return max(self.real(seconds), min(seconds, self.least_patience))

    async def sleep(self, seconds: float) -> None:
        """Let Slack's `seconds` pass."""
        await asyncio.sleep(self.real(seconds))
