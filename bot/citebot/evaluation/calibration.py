"""Turns scores into probabilities, and says how well a score separates what it should."""

from __future__ import annotations

import bisect
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Literal, Protocol

from citebot.errors import WrongUse

Method = Literal["platt", "isotonic"]


class Calibration(Protocol):
    """A rising function from a score to a probability."""

    def probability(self, score: float) -> float:
        """Between 0 and 1."""

    def to_json(self) -> dict[str, Any]:
        """For a file; `read_calibration` takes it back."""


@dataclass(frozen=True, slots=True)
class Platt:
    """A logistic curve: two numbers, safe with few examples."""

    slope: float
    offset: float

    def probability(self, score: float) -> float:
        """Between 0 and 1."""
        return _sigmoid(self.slope * score + self.offset)

    def to_json(self) -> dict[str, Any]:
        """For a file."""
        return {"method": "platt", "slope": self.slope, "offset": self.offset}


@dataclass(frozen=True, slots=True)
class Isotonic:
    """A rising step function, drawn as lines between its points: for some hundred examples and more."""

    scores: tuple[float, ...]
    probabilities: tuple[float, ...]

    def probability(self, score: float) -> float:
        """Between 0 and 1; outside the seen scores the nearest."""
        right = bisect.bisect_left(self.scores, score)
        if right == 0 or right == len(self.scores):
            return self.probabilities[min(right, len(self.scores) - 1)]
        share = (score - self.scores[right - 1]) / (self.scores[right] - self.scores[right - 1])
        return self.probabilities[right - 1] + share * (self.probabilities[right] - self.probabilities[right - 1])

    def to_json(self) -> dict[str, Any]:
        """For a file."""
        return {"method": "isotonic", "scores": list(self.scores), "probabilities": list(self.probabilities)}


def auroc(scores: Sequence[float], labels: Sequence[bool]) -> float:
    """Probability that a true one scores above a false one, ties counting half; 0.5 when one kind is missing."""
    positives = sum(labels)
    negatives = len(labels) - positives
    if not positives or not negatives:
        return 0.5
    wins, below = 0.0, 0
    for _, tied in groupby(sorted(zip(scores, labels, strict=True)), key=lambda pair: pair[0]):
        group = [label for _, label in tied]
        true = sum(group)
        wins += true * (below + (len(group) - true) / 2)
        below += len(group) - true
    return wins / (positives * negatives)


def brier(probabilities: Sequence[float], labels: Sequence[bool]) -> float:
    """Mean squared error of probabilities; 0 is perfect, 0.25 is always saying one half."""
    return sum((p - label) ** 2 for p, label in zip(probabilities, labels, strict=True)) / max(len(labels), 1)


def fit_calibration(scores: Sequence[float], labels: Sequence[bool], *, method: Method = "platt") -> Calibration:
    """Fit a calibration to labelled scores; both kinds of label must be there."""
    if len(set(labels)) < 2:
        raise WrongUse("A calibration needs examples of both kinds: questions with an answer and questions without")
    return _fit_platt(scores, labels) if method == "platt" else _fit_isotonic(scores, labels)


def read_calibration(value: Mapping[str, Any]) -> Calibration:
    """What `to_json` wrote."""
    try:
        if value["method"] == "platt":
            return Platt(float(value["slope"]), float(value["offset"]))
        if value["method"] == "isotonic":
            return Isotonic(tuple(map(float, value["scores"])), tuple(map(float, value["probabilities"])))
    except (KeyError, TypeError, ValueError) as error:
        raise WrongUse(f"This is not a calibration: {error}") from error
    raise WrongUse(f"Unknown calibration method {value['method']!r}: use platt or isotonic")


def _fit_platt(scores: Sequence[float], labels: Sequence[bool]) -> Platt:
    """Newton's method on standardised scores, with Platt's softened targets so that perfect separation stays finite."""
    count, positives = len(labels), sum(labels)
    mean = sum(scores) / count
    spread = math.sqrt(sum((score - mean) ** 2 for score in scores) / count) or 1.0
    inputs = [(score - mean) / spread for score in scores]
    high, low = (positives + 1) / (positives + 2), 1 / (count - positives + 2)
    targets = [high if label else low for label in labels]
    slope, offset = 0.0, math.log(positives / (count - positives))
    for _ in range(100):
        step = _newton_step(inputs, targets, slope, offset)
        slope, offset = slope - step[0], offset - step[1]
        if max(map(abs, step)) < 1e-10:
            break
    return Platt(slope / spread, offset - slope * mean / spread)


def _newton_step(inputs: Sequence[float], targets: Sequence[float], slope: float, offset: float) -> tuple[float, float]:
    ridge = 1e-9
    g_slope = g_offset = h_mixed = 0.0
    h_slope = h_offset = ridge
    for value, target in zip(inputs, targets, strict=True):
        p = _sigmoid(slope * value + offset)
        error, weight = p - target, p * (1 - p)
        g_slope += error * value
        g_offset += error
        h_slope += weight * value * value
        h_mixed += weight * value
        h_offset += weight
    determinant = h_slope * h_offset - h_mixed * h_mixed
    step = (
        (h_offset * g_slope - h_mixed * g_offset) / determinant,
        (h_slope * g_offset - h_mixed * g_slope) / determinant,
    )
    largest = max(map(abs, step))
    # A full step far from the optimum may overshoot to where the curvature is zero.
    return (step[0] * 2 / largest, step[1] * 2 / largest) if largest > 2 else step


def _fit_isotonic(scores: Sequence[float], labels: Sequence[bool]) -> Isotonic:
    """Pool adjacent violators; each block keeps its two ends so that lines run only between blocks."""
    blocks: list[tuple[float, float, float, int]] = []  # first score, last score, sum of labels, count
    for score, tied in groupby(sorted(zip(scores, labels, strict=True)), key=lambda pair: pair[0]):
        group = [label for _, label in tied]
        blocks.append((score, score, float(sum(group)), len(group)))
        while len(blocks) > 1 and blocks[-2][2] / blocks[-2][3] >= blocks[-1][2] / blocks[-1][3]:
            _, last, total, count = blocks.pop()
            first, _, more, others = blocks.pop()
            blocks.append((first, last, more + total, others + count))
    points: list[tuple[float, float]] = []
    for first, last, total, count in blocks:
        points += [(first, total / count)] if first == last else [(first, total / count), (last, total / count)]
    return Isotonic(tuple(score for score, _ in points), tuple(probability for _, probability in points))


def _sigmoid(value: float) -> float:
    if value >= 0:
        return 1 / (1 + math.exp(-value))
    power = math.exp(value)
    return power / (1 + power)
