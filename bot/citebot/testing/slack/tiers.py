"""How often methods may be called: Slack's tiers, per method, app and workspace."""

from __future__ import annotations

from dataclasses import dataclass

from citebot.testing.chat.clock import Clock


@dataclass(frozen=True, slots=True)
class Rate:
    """So many calls a minute, `burst` of them at once."""

    per_minute: float
    burst: float


TIER_1 = Rate(1, 1)
TIER_2 = Rate(20, 20)
TIER_3 = Rate(50, 50)
TIER_4 = Rate(100, 100)
SPECIAL = Rate(600, 600)
"""Methods that Slack gives hundreds of calls a minute, without a number."""
CONNECTIONS = Rate(1, 30)
"""Tier 1, but ten sockets may open and come back after a bad night."""
CHANNEL_POSTS = Rate(60, 10)
"""One message a second in a channel; short bursts are let through."""
UNLISTED_HISTORY = Rate(1, 1)
"""Reading messages, for a distributed app outside the Marketplace."""
UNLISTED_PAGE = 15


class Meter:
    """Counts calls in buckets that fill again."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._buckets: dict[tuple[str, ...], tuple[float, float]] = {}

    def wait(self, key: tuple[str, ...], rate: Rate) -> float:
        """Take one call; 0, or Slack's seconds until there is one."""
        now = self._clock.now()
        left, at = self._buckets.get(key, (rate.burst, now))
        left = min(rate.burst, left + (now - at) * rate.per_minute / 60)
        if left < 1:
            self._buckets[key] = (left, now)
            return (1 - left) * 60 / rate.per_minute
        self._buckets[key] = (left - 1, now)
        return 0.0
