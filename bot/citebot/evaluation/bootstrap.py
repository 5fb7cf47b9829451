"""How sure a mean is: percentile bootstrap intervals over questions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from statistics import fmean

SAMPLES = 2000
LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean and the bounds between which it lies with 95 % confidence."""

    mean: float
    low: float
    high: float

    @property
    def decided(self) -> bool:
        """Whether the interval leaves zero out: of a difference, that it is real."""
        return self.low > 0 or self.high < 0


def interval(values: Sequence[float], *, seed: int = 0, samples: int = SAMPLES, level: float = LEVEL) -> Interval:
    """Mean of `values` with its interval; all zero when there are none."""
    if not values:
        return Interval(0.0, 0.0, 0.0)
    random = Random(seed)
    means = sorted(fmean(random.choices(values, k=len(values))) for _ in range(samples))
    return Interval(fmean(values), _quantile(means, (1 - level) / 2), _quantile(means, (1 + level) / 2))


def paired(ours: Mapping[str, float], theirs: Mapping[str, float], *, seed: int = 0) -> Interval:
    """Mean difference ours - theirs over the questions that both have, question by question."""
    return interval([ours[key] - theirs[key] for key in sorted(ours.keys() & theirs.keys())], seed=seed)


def _quantile(ordered: Sequence[float], share: float) -> float:
    position = share * (len(ordered) - 1)
    below = int(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (position - below)
