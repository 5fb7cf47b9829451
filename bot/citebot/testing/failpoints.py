"""Stop, stall or break Citebot at named points, to see what it loses. See `FAILPOINTS` for the points."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from citebot.storage.failpoints import NAMES as FAILPOINTS
from citebot.storage.failpoints import arm, disarm

__all__ = ["FAILPOINTS", "arm", "armed", "disarm", "kill_at", "stall_at"]


def kill_at(name: str, *, hit: int = 1) -> None:
    """Kill this process (SIGKILL, as a power cut would) when the point is passed for the `hit`-th time."""
    arm(name, _on_hit(hit, lambda: os.kill(os.getpid(), signal.SIGKILL)))


def stall_at(name: str, *, hit: int = 1) -> None:
    """Stop this process (SIGSTOP, as an overloaded machine would) at the point; somebody must send SIGCONT."""
    arm(name, _on_hit(hit, lambda: os.kill(os.getpid(), signal.SIGSTOP)))


@contextmanager
def armed(name: str, action: Callable[[], object]) -> Iterator[None]:
    """Run `action` at a point for the time of a `with` block."""
    arm(name, action)
    try:
        yield
    finally:
        disarm()


def _on_hit(hit: int, action: Callable[[], object]) -> Callable[[], None]:
    passed = 0

    def pass_by() -> None:
        nonlocal passed
        passed += 1
        if passed == hit:
            action()

    return pass_by
