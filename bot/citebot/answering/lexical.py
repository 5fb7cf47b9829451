"""How the loaded passages look to the question's words. Made once per question, used by every later stage."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Sequence

from citebot.answering.reading import stems_of
from citebot.answering.words import identifiers
from citebot.model import Passage, ScoredPassage

CANDIDATES = 24
"""Passages that the weights are taken from."""


def heading_of(passage: Passage) -> str:
    """Title and heading path in one line."""
    return " › ".join([passage.title, *passage.headings])


class Lexical:
    """Stems of passages, and how much each word of the question weighs among them.

    The weight is an inverse document frequency over the candidates alone: what all of them have is the topic, what few
    have tells them apart, and what none has is missing.
    """

    def __init__(self, terms: Sequence[str], candidates: Sequence[ScoredPassage]) -> None:
        self.terms = tuple(terms)
        self._stems: dict[int, frozenset[str]] = {}
        sets = [self.stems(hit.passage) for hit in candidates[:CANDIDATES]]
        found = Counter(term for one in sets for term in self.terms if term in one)
        count = len(sets)
        self._weights = {
            term: math.log(1 + (count - found[term] + 0.5) / (found[term] + 0.5)) if count else 1.0
            for term in self.terms
        }

    def stems(self, passage: Passage) -> frozenset[str]:
        """All stems of a passage and its headings."""
        if passage.id not in self._stems:
            self._stems[passage.id] = stems_of(heading_of(passage)) | stems_of(passage.text)
        return self._stems[passage.id]

    def coverage(self, found: Collection[str]) -> float:
        """Share of the question's weighted words that are in `found`, 0..1."""
        total = sum(self._weights.values())
        return sum(weight for term, weight in self._weights.items() if term in found) / total if total else 0.0


def exact_names(question: str) -> frozenset[str]:
    """What the question names exactly: identifiers with a digit in them, such as ticket keys, error codes, versions."""
    return frozenset(name for name in identifiers(question) if any(c.isdigit() for c in name) and not name.isdigit())


def similarity(one: frozenset[str], other: frozenset[str]) -> float:
    """Jaccard index."""
    together = len(one | other)
    return len(one & other) / together if together else 1.0
