"""An event loop whose clock jumps to the next timer: hours of waiting take no time, and every wait is exact."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class QuickLoop(asyncio.SelectorEventLoop):
    """For coroutines that wait for timers and each other, not for threads or sockets."""

    def __init__(self) -> None:
        self._now = 0.0
        super().__init__(_Jumping(self))

    def time(self) -> float:
        """Seconds since the loop was made, as far as its timers are concerned."""
        return self._now

    def jump(self, seconds: float) -> None:
        """Let time pass."""
        self._now += seconds


class _Jumping(selectors.SelectSelector):
    def __init__(self, loop: QuickLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        found = super().select(0)
        if not found and timeout is None:
            raise RuntimeError("Nothing is left to wait for: the test would hang.")
        if not found and timeout:
            self._loop.jump(timeout)
        return found


def run_quickly(work: Coroutine[Any, Any, T]) -> T:
    """Run it on a loop of its own; inside, `asyncio.get_running_loop().time` is the clock."""
    with asyncio.Runner(loop_factory=QuickLoop) as runner:
        return runner.run(work)
