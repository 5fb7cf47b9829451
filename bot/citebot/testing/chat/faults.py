"""What can go wrong between a platform and an app, when a test asks for it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Literal

FaultKind = Literal["drop", "refuse", "stall", "stall_after", "status", "limit", "error"]


@dataclass(slots=True)
class Fault:
    """One arranged fault: the next `times` calls of `method` (empty: of any) meet it."""

    kind: FaultKind
    method: str
    times: int
    status: int = 503
    error: str = "internal_error"
    retry_after: float = 1
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    met: int = 0


class Faults:
    """Arranges faults of the API; every method returns the fault, whose `met` counts."""

    def __init__(self) -> None:
        self._arranged: list[Fault] = []

    def drop_response(self, method: str, *, times: int = 1) -> Fault:
        """Do what is asked, then cut the connection without an answer."""
        return self._arrange(Fault("drop", method, times))

    def refuse(self, method: str, *, times: int = 1) -> Fault:
        """Cut the connection before anything is done."""
        return self._arrange(Fault("refuse", method, times))

    def stall(self, method: str, *, times: int = 1, after: bool = False) -> Fault:
        """Wait for `fault.gate.set()` before the call is done, or after it and before the answer."""
        return self._arrange(Fault("stall_after" if after else "stall", method, times))

    def fail(self, method: str = "", *, status: int = 503, times: int = 1) -> Fault:
        """Answer with an HTTP error and do nothing."""
        return self._arrange(Fault("status", method, times, status=status))

    def error(self, method: str, error: str, *, times: int = 1) -> Fault:
        """Answer with an error in the platform's own words and do nothing."""
        return self._arrange(Fault("error", method, times, error=error))

    def storm(self, method: str = "", *, times: int = 1, retry_after: float = 1) -> Fault:
        """Answer 429 however few calls were made."""
        return self._arrange(Fault("limit", method, times, retry_after=retry_after))

    def clear(self) -> None:
        """Let everything go well again; what stalls goes on."""
        for fault in self._arranged:
            fault.times = 0
            fault.gate.set()
        self._arranged.clear()

    def next(self, method: str) -> Fault | None:
        """The fault that a call meets."""
        for fault in self._arranged:
            if fault.times > 0 and fault.method in ("", method):
                fault.times -= 1
                fault.met += 1
                return fault
        return None

    def _arrange(self, fault: Fault) -> Fault:
        self._arranged.append(fault)
        return fault
