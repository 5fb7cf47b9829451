"""Counting a large database takes a second: it is done for a small part of the time, however often somebody asks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")

READING_SHARE = 0.05
"""Of the time, at most, for reading …"""
OLDEST = 60.0
"""… but what is told is never older than this, in seconds."""


class Sparing(Generic[T]):
    """Gives what was read last until it is old enough to be read again. Not for several threads at once."""

    def __init__(self, read: Callable[[], T], *, clock: Callable[[], float]) -> None:
        self._read = read
        self._clock = clock
        self._kept: T | None = None
        self._until = 0.0

    def __call__(self) -> T:
        began = self._clock()
        if self._kept is not None and began < self._until:
            return self._kept
        self._kept = None
        self._kept = self._read()
        now = self._clock()
        self._until = now + min(OLDEST, (now - began) * (1 / READING_SHARE - 1))
        return self._kept
