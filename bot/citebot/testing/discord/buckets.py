"""How often operations may be called: Discord's buckets, its limit over all, and the ban for invalid requests."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from hashlib import md5

from citebot.testing.chat.clock import Clock
from citebot.testing.discord.clock import BAN, STRIKES

STRIKES_MOST = 10_000
GLOBAL = 50
"""Calls a second of one bot, interactions aside."""


@dataclass(frozen=True, slots=True)
class Rate:
    """So many calls in so many seconds, for each channel, guild, or interaction token."""

    limit: int
    seconds: float


@dataclass(slots=True)
class Window:
    """The calls since a window began."""

    ends: float
    used: int = 0


@dataclass(frozen=True, slots=True)
class Taken:
    """How a bucket stands after a call."""

    key: str
    limit: int
    remaining: int
    reset_after: float
    """Real seconds."""
    allowed: bool


class Buckets:
    """Counts calls in windows."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._windows: dict[tuple[str, ...], Window] = {}
        self._strikes: deque[float] = deque()
        self._banned_until = 0.0
        self.strikes = 0

    def take(self, name: str, major: str, caller: str, rate: Rate) -> Taken:
        """Take one call of an operation's bucket."""
        window = self._window((name, major, caller), rate.seconds)
        allowed = window.used < rate.limit
        window.used += allowed
        left = self._clock.real(window.ends - self._clock.now())
        key = md5(name.encode(), usedforsecurity=False).hexdigest()
        return Taken(key, rate.limit, rate.limit - window.used, max(left, 0.001), allowed)

    def take_global(self, caller: str) -> float:
        """Take one of the calls a bot has in a second; 0, or the real seconds until there is one."""
        window = self._window(("", "", caller), 1.0)
        if window.used >= GLOBAL:
            return max(self._clock.real(window.ends - self._clock.now()), 0.001)
        window.used += 1
        return 0.0

    def _window(self, key: tuple[str, ...], seconds: float) -> Window:
        now = self._clock.now()
        window = self._windows.get(key)
        if window is None or now >= window.ends:
            window = self._windows[key] = Window(now + seconds)
        return window

    def strike(self) -> None:
        """Count an invalid request."""
        now = self._clock.now()
        self.strikes += 1
        self._strikes.append(now)
        while self._strikes[0] < now - STRIKES:
            self._strikes.popleft()
        if len(self._strikes) >= STRIKES_MOST:
            self._banned_until = now + BAN
            self._strikes.clear()

    @property
    def banned(self) -> float:
        """Real seconds until the address may call again."""
        return max(0.0, self._clock.real(self._banned_until - self._clock.now()))
