"""Waiting for what happens in a fake, without looking again and again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from citebot.testing.chat.clock import Clock

T = TypeVar("T")


class Changes:
    """Says when something changed and whether something is under way."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.under_way = 0
        """Calls and deliveries that have not ended."""
        self.last_change = 0.0
        self._changed = asyncio.Event()

    def touch(self) -> None:
        """Something changed: wake those who wait."""
        self.last_change = self.clock.steady()
        self._changed.set()
        self._changed = asyncio.Event()

    async def change(self, timeout: float) -> None:
        """Wait for the next change, or until the real seconds are over."""
        try:
            async with asyncio.timeout(timeout):
                await self._changed.wait()
        except TimeoutError:
            return

    async def until(self, condition: Callable[[], T], *, timeout: float, report: Callable[[], str]) -> T:
        """Wait until a condition is true; its value. `report` says how things stood when it never was."""
        end = self.clock.steady() + timeout
        while not (value := condition()):
            left = end - self.clock.steady()
            if left <= 0:
                raise TimeoutError(f"not within {timeout} s; {report()}")
            await self.change(min(left, 0.05))
        return value

    async def settled(self, *, quiet: float, timeout: float, report: Callable[[], str]) -> None:
        """Wait until nothing is under way and nothing has happened for `quiet` seconds."""
        end = self.clock.steady() + timeout
        while self.under_way > 0 or self.clock.steady() < self.last_change + quiet:
            if self.clock.steady() > end:
                raise TimeoutError(f"still busy after {timeout} s: {self.under_way} under way, {report()}")
            await self.change(quiet / 2)
        await asyncio.sleep(0)
