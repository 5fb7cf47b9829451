"""Stage 8: do these passages answer the question? A small logistic model, so that the threshold is a probability.

The coefficients are fitted on ClapNQ (development set) by `tests/benchmarks/quality_clapnq.py --fit`, half of the
questions held out; docs/answering.md has the figures. Two sets: one for questions with a vector, one for words only.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from citebot.answering.contextualise import Standalone
from citebot.answering.evidence import SentenceVectors
from citebot.answering.lexical import Lexical, exact_names, heading_of
from citebot.answering.reading import read, stems_of
from citebot.answering.vectors import cosine, rows
from citebot.model import Embedding, ScoredPassage
from citebot.ports import IndexHits

_READ = 3
"""Passages that are looked at sentence by sentence."""
_SENTENCES = 12
"""Sentences that get a vector: those that cover the question best."""
_HEADING_SHARE = 0.5
"""A word found only in the heading counts half for a sentence."""

WITH_VECTORS = {"bias": -4.25, "sentence_lift": 4.89, "passage_coverage": 1.49, "sentence_coverage": 1.43}
WORDS_ONLY = {"bias": -2.36, "passage_coverage": 1.12, "sentence_coverage": 3.07}
PRIOR = math.log(2)
"""Half of the fitting set has no answer; of what a team asks about its own documents, two in three have one."""
# By hand: the fitting set names nothing exactly. A question about ABC-123 is not answered by passages without ABC-123.
MISSING_NAME = -2.0
FOUND_NAME = 0.5


@dataclass(frozen=True, slots=True)
class _Sentence:
    """A unit and how much of the question it covers."""

    text: str
    coverage: float


@dataclass(frozen=True, slots=True)
class Decision:
    """The probability that the passages answer, and what it was made of."""

    confidence: float
    features: dict[str, float]


class Decider:
    """Looks at the best passages; reads only text the audience may read."""

    async def run(
        self,
        standalone: Standalone,
        hits: Sequence[ScoredPassage],
        *,
        lexical: Lexical,
        index_hits: IndexHits,
        vector: Embedding | None,
        sentence_vectors: SentenceVectors,
    ) -> Decision:
        """0.0 when there is nothing to look at."""
        if not hits:
            return Decision(0.0, {})
        sentences = _sentences(hits, lexical)
        found = _lexical_features(standalone, hits, lexical, sentences)
        if vector is not None:
            found |= await _vector_features(hits, sentences, index_hits, vector, sentence_vectors)
        return Decision(confidence(found), found)


def confidence(features: dict[str, float]) -> float:
    """The logistic model."""
    weights = WITH_VECTORS if "sentence_lift" in features else WORDS_ONLY
    logit = (
        PRIOR
        + weights["bias"]
        + sum(weight * features.get(name, 0.0) for name, weight in weights.items() if name != "bias")
    )
    logit += MISSING_NAME * features["names_missing"] + FOUND_NAME * features["names_found"]
    return 1 / (1 + math.exp(-max(-30.0, min(30.0, logit))))


def _lexical_features(
    standalone: Standalone, hits: Sequence[ScoredPassage], lexical: Lexical, sentences: Sequence[_Sentence]
) -> dict[str, float]:
    names = exact_names(standalone.text)
    text = "\n".join(f"{heading_of(hit.passage)}\n{hit.passage.text}" for hit in hits).casefold() if names else ""
    present = sum(name in text for name in names)
    return {
        "passage_coverage": max(lexical.coverage(lexical.stems(hit.passage)) for hit in hits[:_READ]),
        "sentence_coverage": max((one.coverage for one in sentences), default=0.0),
        "names_missing": (len(names) - present) / len(names) if names else 0.0,
        "names_found": present / len(names) if names else 0.0,
    }


async def _vector_features(
    hits: Sequence[ScoredPassage],
    sentences: Sequence[_Sentence],
    index_hits: IndexHits,
    vector: Embedding,
    sentence_vectors: SentenceVectors,
) -> dict[str, float]:
    known = index_hits.legs.get("vectors", {})
    cosines = [known[hit.passage.id] for hit in hits if hit.passage.id in known]
    if not cosines:
        return {}
    made = await sentence_vectors.try_embed([one.text for one in sentences[:_SENTENCES]])
    query = rows(vector)[0]
    near = max((cosine(query, row) for one in made or () for row in rows(one)), default=max(cosines))
    usual = median(known.values())
    # Encoders differ in how near unrelated texts are; how far the best rises above the usual hardly does.
    return {"sentence_cosine": near, "sentence_lift": (near - usual) / max(1e-3, 1.0 - usual)}


def _sentences(hits: Sequence[ScoredPassage], lexical: Lexical) -> list[_Sentence]:
    """The units of the best passages, those that cover the question best first."""
    found = []
    for hit in hits[:_READ]:
        heading = stems_of(heading_of(hit.passage))
        for unit in read(hit.passage.text):
            cover = lexical.coverage(unit.stems)
            cover += _HEADING_SHARE * (lexical.coverage(unit.stems | heading) - cover)
            found.append(_Sentence(unit.text, cover))
    return sorted(found, key=lambda one: -one.coverage)
