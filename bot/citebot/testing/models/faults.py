"""What can go wrong at a provider of models, for the next requests that fit."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Stall = Literal["", "headers", "first_event", "mid_stream"]
"""Before the status line, before the first event of a stream, after its first piece of text."""


@dataclass(slots=True)
class Fault:
    """One thing that goes wrong."""

    path: str = ""
    """The end of the paths it applies to, such as `/rerank`; empty means all."""
    status: int = 0
    """Answer with this status and the provider's own error body."""
    code: str = ""
    """What the error body says went wrong, in the provider's own words; empty is what fits the status."""
    retry_after: str = ""
    """The header, as it stands."""
    stall: Stall = ""
    seconds: float = 0.0
    """How long it stalls; 0 means for good."""
    cut_after: int | None = None
    """Close the connection after so many events of a stream."""
    malformed: bytes = b""
    """Sent in the place of an event, or of the body."""
    times: int | None = 1
    """How many requests; None means all from now on."""


@dataclass(slots=True)
class Faults:
    """Those that are still to come, in order."""

    waiting: list[Fault] = field(default_factory=list)

    def add(self, fault: Fault) -> None:
        """Let it happen to the next requests that fit."""
        self.waiting.append(fault)

    def clear(self) -> None:
        """All is well again."""
        self.waiting.clear()

    def take(self, path: str) -> Fault | None:
        """The fault for a request, which is used up by one."""
        for fault in self.waiting:
            if path.endswith(fault.path):
                if fault.times is not None:
                    fault.times -= 1
                    if fault.times <= 0:
                        self.waiting.remove(fault)
                return fault
        return None
