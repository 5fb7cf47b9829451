"""How well a sentence answers the question: weighted words, nearness by vector, and where it stands."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from citebot.answering.reading import ReadUnit, stems_of
from citebot.answering.reading import read as read_text
from citebot.answering.sentences import Unit
from citebot.answering.vectors import cosine, rows
from citebot.answering.words import content_stems, stems
from citebot.model import Embedding, Passage
from citebot.ports import GenerationRequest

WORDS, VECTORS, PLACE, NEWER = 0.3, 0.7, 0.2, 0.05
"""Weights of the parts of a score."""
_HEADING = 0.5
"""A question word that only the heading has counts half."""
FRAGMENT = 0.3
"""What a line that says nothing loses."""
_STATEMENT = re.compile(r"[.!?:;…。]\W*$")
_FOOTNOTE = re.compile(r"\s?\[\d{1,3}\]")
_LONG = 160
"""Characters from which a code block or table is compared by its beginning."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A sentence, list item, code block or table of a passage."""

    place: int
    """Citation number of its passage."""
    number: int
    """Position in its passage."""
    unit: Unit
    stems: frozenset[str]

    @property
    def text(self) -> str:
        """As it will be quoted; marks that look like our citations are not kept."""
        return self.unit.text if self.unit.kind == "code" else _FOOTNOTE.sub("", self.unit.text)

    @property
    def is_fragment(self) -> bool:
        """A title or label rather than a statement."""
        return self.unit.kind == "sentence" and len(self.stems) <= 8 and not _STATEMENT.search(self.unit.text)

    @property
    def plain(self) -> str:
        """For the encoder."""
        return self.unit.text if self.unit.kind in {"sentence", "item"} else self.unit.text[:_LONG]


def read(request: GenerationRequest) -> list[Candidate]:
    """Everything that could be quoted, in order."""
    found: list[Candidate] = []
    for place, hit in enumerate(request.passages, start=1):
        found += [Candidate(place, number, one.unit, one.stems) for number, one in enumerate(_units_of(hit.passage))]
    return [candidate for candidate in found if candidate.stems and candidate.unit.kind != "heading"]


def _units_of(passage: Passage) -> Sequence[ReadUnit]:
    """A passage that is code or a table as a whole stays whole."""
    if passage.kind == "code":
        fenced = passage.text.lstrip().startswith(("```", "~~~"))
        return [ReadUnit(Unit("code", passage.text if fenced else f"```\n{passage.text.strip()}\n```"))]
    if passage.kind == "table":
        return [ReadUnit(Unit("table", passage.text))]
    return read_text(passage.text)


class Scoring:
    """Scores of all candidates for one question."""

    def __init__(self, request: GenerationRequest, candidates: Sequence[Candidate]) -> None:
        self._query = rows(request.query_vector)[0] if request.query_vector else ()
        self._terms = content_stems(request.question) or stems(request.question)
        common = Counter(term for candidate in candidates for term in self._terms if term in candidate.stems)
        count = len(candidates)
        self._weights = {t: math.log(1 + (count - common[t] + 0.5) / (common[t] + 0.5)) for t in self._terms}
        self._total = sum(self._weights.values()) or 1.0
        self._headings = {
            place: stems_of(" ".join([hit.passage.title, *hit.passage.headings]))
            for place, hit in enumerate(request.passages, start=1)
        }
        self._scores = [hit.score for hit in request.passages]
        dates = sorted({_day(hit.passage) for hit in request.passages})
        self._newness = {
            place: dates.index(_day(hit.passage)) / max(1, len(dates) - 1)
            for place, hit in enumerate(request.passages, start=1)
        }
        self._cosines: dict[Candidate, float] = {}

    def by_words(self, candidate: Candidate) -> float:
        """Without vectors."""
        place = PLACE * self._standing(candidate.place) + NEWER * self._newness[candidate.place]
        return WORDS * self._coverage(candidate) + place - (FRAGMENT if candidate.is_fragment else 0.0)

    def score(self, candidate: Candidate) -> float:
        """With the vector where there is one; the scale is the same for all candidates of one question."""
        if not self._cosines:
            return self.by_words(candidate)
        return self.by_words(candidate) + VECTORS * max(0.0, self._cosines.get(candidate, 0.0))

    def add_vectors(self, candidates: Sequence[Candidate], made: Sequence[Embedding] | None) -> None:
        """Compare these with the question by vector."""
        for candidate, embedding in zip(candidates, made or (), strict=False):
            self._cosines[candidate] = max((cosine(self._query, row) for row in rows(embedding)), default=0.0)

    def _coverage(self, candidate: Candidate) -> float:
        heading = self._headings[candidate.place]
        return (
            sum(
                weight * (1.0 if term in candidate.stems else _HEADING if term in heading else 0.0)
                for term, weight in self._weights.items()
            )
            / self._total
        )

    def _standing(self, place: int) -> float:
        """1 for the best passage, falling with the fused score to 0 for the last."""
        best, worst = max(self._scores), min(self._scores)
        return (self._scores[place - 1] - worst) / (best - worst) if best > worst else 1.0


def best_first(candidates: Sequence[Candidate], score: Callable[[Candidate], float]) -> list[Candidate]:
    """By score, then by place, so that equal sentences never change order by chance."""
    return sorted(candidates, key=lambda one: (-score(one), one.place, one.number))


def _day(passage: Passage) -> datetime:
    return passage.updated.replace(tzinfo=None) if passage.updated else datetime.min
