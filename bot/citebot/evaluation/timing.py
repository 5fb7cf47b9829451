"""How long things took."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Latency:
    """Seconds per question."""

    count: int = 0
    p50: float = 0.0
    p95: float = 0.0

    @classmethod
    def of(cls, seconds: Sequence[float]) -> Latency:
        """From measured seconds; nearest-rank percentiles."""
        ordered = sorted(seconds)
        return cls(len(ordered), _percentile(ordered, 0.50), _percentile(ordered, 0.95))

    def to_json(self) -> dict[str, float]:
        """For reports."""
        return {"count": self.count, "p50_seconds": round(self.p50, 5), "p95_seconds": round(self.p95, 5)}


def _percentile(ordered: Sequence[float], share: float) -> float:
    return ordered[max(math.ceil(share * len(ordered)) - 1, 0)] if ordered else 0.0
