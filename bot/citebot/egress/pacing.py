"""How fast: one token bucket per host, and pauses that a server asks for."""

from __future__ import annotations

from collections.abc import Callable


class TokenBucket:
    """Lets `rate` requests a second through, `burst` of them at once after a pause. Not for several threads."""

    def __init__(self, rate: float, *, burst: float, clock: Callable[[], float]) -> None:
        self._rate = rate
        self._burst = burst
        self._clock = clock
        self._tokens = burst
        self._filled = clock()
        self._closed_until = 0.0

    def delay(self) -> float:
        """Take a token; the seconds to wait before it may be used."""
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + (now - self._filled) * self._rate) - 1
        self._filled = now
        return max(0.0, -self._tokens / self._rate, self._closed_until - now)

    def close_for(self, seconds: float) -> None:
        """Let nothing through for so long."""
        self._closed_until = max(self._closed_until, self._clock() + seconds)
