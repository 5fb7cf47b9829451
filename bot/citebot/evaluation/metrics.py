"""Ranking measures, as trec_eval computes them."""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from citebot.errors import WrongUse

Grades = Mapping[str, int]
"""How relevant a document is to one question: 0 or less is not at all; documents not named are not relevant."""


def ranked(scores: Mapping[str, float]) -> list[str]:
    """Document ids, best first. Equal scores (in single precision) stand by id in descending order, as in trec_eval."""
    return sorted(scores, key=lambda document: (_single(scores[document]), document), reverse=True)


def ndcg(ranking: Sequence[str], grades: Grades, k: int) -> float:
    """Discounted gain of the first k, relative to the best possible; the gain is the grade itself."""
    ideal = _discounted(sorted((max(grade, 0) for grade in grades.values()), reverse=True)[:k])
    return _discounted([max(grades.get(document, 0), 0) for document in ranking[:k]]) / ideal if ideal else 0.0


def recall(ranking: Sequence[str], grades: Grades, k: int) -> float:
    """Share of the relevant documents that are among the first k."""
    relevant = _relevant(grades)
    return len(relevant.intersection(ranking[:k])) / len(relevant) if relevant else 0.0


def mrr(ranking: Sequence[str], grades: Grades, k: int) -> float:
    """One divided by the rank of the first relevant document, 0 when it is not among the first k."""
    relevant = _relevant(grades)
    return next((1 / rank for rank, document in enumerate(ranking[:k], start=1) if document in relevant), 0.0)


def hit(ranking: Sequence[str], grades: Grades, k: int) -> float:
    """1 when a relevant document is among the first k."""
    return float(not _relevant(grades).isdisjoint(ranking[:k]))


@dataclass(frozen=True, slots=True)
class Metric:
    """A measure and its cut-off, written `ndcg@10`."""

    measure: str
    k: int

    @classmethod
    def parse(cls, text: str) -> Metric:
        """From its name; raises `WrongUse` naming the measures there are."""
        match = re.fullmatch(r"([a-z]+)@([1-9]\d*)", text.strip().lower())
        if not match or match[1] not in _MEASURES:
            raise WrongUse(f"Unknown metric {text!r}: write one of {', '.join(_MEASURES)} with a cut-off, like ndcg@10")
        return cls(match[1], int(match[2]))

    def __str__(self) -> str:
        return f"{self.measure}@{self.k}"

    def of(self, ranking: Sequence[str], grades: Grades) -> float:
        """The value for one question."""
        return _MEASURES[self.measure](ranking, grades, self.k)


_MEASURES: dict[str, Callable[[Sequence[str], Grades, int], float]] = {
    "ndcg": ndcg,
    "recall": recall,
    "mrr": mrr,
    "hit": hit,
}
DEFAULT_METRICS = tuple(
    Metric.parse(text) for text in ("ndcg@5", "ndcg@10", "recall@10", "recall@100", "mrr@10", "hit@10")
)


def _relevant(grades: Grades) -> set[str]:
    return {document for document, grade in grades.items() if grade > 0}


def _discounted(gains: Sequence[int]) -> float:
    return sum(gain / math.log2(rank + 1) for rank, gain in enumerate(gains, start=1))


def _single(score: float) -> float:
    try:
        value: float = struct.unpack("f", struct.pack("f", score))[0]
    except OverflowError:
        return math.copysign(math.inf, score)
    return value
