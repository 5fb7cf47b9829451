"""What is remembered for a while, in one process."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar
from weakref import WeakValueDictionary

K = TypeVar("K")
V = TypeVar("V")
FRESH = 900.0
"""Seconds for which an answer of a platform's counts."""
KEPT = 20_000
ASKED_MOST = 3


class Lately(dict[K, V]):
    """The last so many that were set; the oldest goes first. Only item assignment keeps the bound."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most

    def __setitem__(self, key: K, value: V) -> None:
        self.pop(key, None)
        super().__setitem__(key, value)
        while len(self) > self._most:
            del self[next(iter(self))]


class Known(Generic[K, V]):
    """What a platform said lately."""

    def __init__(self, clock: Callable[[], float], *, fresh: float = FRESH) -> None:
        self._clock = clock
        self._fresh = fresh
        self._values: Lately[K, tuple[float, V]] = Lately(KEPT)
        self._dropped = 0
        self._turns: WeakValueDictionary[K, asyncio.Lock] = WeakValueDictionary()

    def get(self, key: K) -> V | None:
        """What was said about a key, unless it is too old."""
        until, value = self._values.get(key, (0.0, None))
        return value if self._clock() < until else None

    def keep(self, key: K, value: V) -> V:
        """Remember it."""
        self._values[key] = (self._clock() + self._fresh, value)
        return value

    async def fetch(self, key: K, ask: Callable[[], Awaitable[V]]) -> V:
        """What is known, else what is said now; asked again where something changed while it was answered."""
        turn = self._turns.get(key)
        if turn is None:
            turn = self._turns[key] = asyncio.Lock()
        async with turn:  # many want to know the same at once
            for _ in range(ASKED_MOST):
                if (known := self.get(key)) is not None:
                    return known
                dropped = self._dropped
                value = await ask()
                if dropped == self._dropped:
                    return self.keep(key, value)
            return value

    def clear(self) -> None:
        """Ask again for everything."""
        self._values.clear()
        self._dropped += 1

    def drop(self, key: K) -> None:
        """Ask again the next time."""
        self._values.pop(key, None)
        self._dropped += 1
