"""What a search over chunks is worth, in units that do not change with the size of the chunks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache

from chunk_sets import Asked, ChunkSet, Unit, document_of

from citebot.evaluation import Metric, score_run
from citebot.evaluation.overlap import words
from citebot.ingest.tokens import estimate
from citebot.model import Passage, ScoredPassage

METRICS = tuple(Metric.parse(name) for name in ("ndcg@5", "ndcg@10", "recall@10", "mrr@10"))
PASSAGES = 6
"""Passages that an answer is written from."""
BUDGET = 1_500
"""Tokens that every size may show."""
_GRAM = 4
_WHOLE, _HALF = 0.8, 0.5

Values = dict[str, dict[str, float]]
"""Measure to question to value."""


def scores(found: ChunkSet, hits: Mapping[str, Sequence[ScoredPassage]]) -> Values:
    """All measures of a run: the chunks of each question, best first."""
    units: dict[str, list[Unit]] = {}
    for unit in found.units:
        units.setdefault(unit.document, []).append(unit)
    graded = [asked for asked in found.asked if asked.units]
    documents = {asked.id: _ranks(document_of(hit.passage.document_id) for hit in hits[asked.id]) for asked in graded}
    parts = {asked.id: _ranks(_projected(hits[asked.id], units, whole=found.whole)) for asked in graded}
    by_document = score_run(documents, {asked.id: asked.documents for asked in graded}, metrics=METRICS)
    by_text = score_run(parts, {asked.id: dict.fromkeys(asked.units, 1) for asked in graded}, metrics=METRICS)
    known = {unit.id: unit for unit in found.units}
    return {
        **{f"document {name}": values for name, values in by_document.items()},
        **{f"text {name}": values for name, values in by_text.items()},
        "read in 6 passages": {asked.id: _read(asked, known, hits[asked.id][:PASSAGES]) for asked in graded},
        "read in 1500 tokens": {asked.id: _read(asked, known, _within(hits[asked.id], BUDGET)) for asked in graded},
    }


def _ranks(names: Iterable[str]) -> dict[str, float]:
    """Scores that keep the order; of several places of one name the first counts."""
    return {name: -float(rank) for rank, name in enumerate(dict.fromkeys(names))}


def _projected(hits: Sequence[ScoredPassage], units: Mapping[str, Sequence[Unit]], *, whole: bool) -> Iterable[str]:
    """The units that the chunks hold, in the order of the chunks; a chunk without any stands for itself."""
    for hit in hits:
        there = [(_held(hit.passage, unit), unit.id) for unit in units.get(hit.passage.document_id, ())]
        least = _WHOLE if whole else _HALF
        held = sorted(
            ((max(of_unit, 0.0 if whole else of_chunk), name) for (of_unit, of_chunk), name in there), reverse=True
        )
        names = [name for share, name in held if share >= least]
        yield from names or [f"chunk {hit.passage.id}"]


def _held(passage: Passage, unit: Unit) -> tuple[float, float]:
    """Shares of the unit and of the chunk that they have in common."""
    mine, theirs = _grams(passage.text), _grams(unit.text)
    common = len(mine & theirs)
    return common / max(1, len(theirs)), common / max(1, len(mine))


def _read(
    asked: Asked, units: Mapping[str, Unit], shown: Sequence[tuple[Passage, str]] | Sequence[ScoredPassage]
) -> float:
    """Share of the gold text that is in what is shown."""
    pieces = [(hit.passage, hit.passage.text) if isinstance(hit, ScoredPassage) else hit for hit in shown]
    shares = []
    for unit in (units[name] for name in asked.units):
        own = sorted((p.position, text) for p, text in pieces if p.document_id == unit.document)
        # Joined in reading order: a cut between two shown chunks loses nothing.
        seen, wanted = _grams(" ".join(text for _, text in own)), _grams(unit.text)
        shares.append(len(seen & wanted) / max(1, len(wanted)))
    return sum(shares) / len(shares)


def _within(hits: Sequence[ScoredPassage], budget: int) -> list[tuple[Passage, str]]:
    """The first chunks up to `budget` tokens; the last one is cut."""
    shown, left = [], budget
    for hit in hits:
        size = estimate(hit.passage.text)
        text = hit.passage.text if size <= left else hit.passage.text[: len(hit.passage.text) * left // size]
        shown.append((hit.passage, text))
        left -= size
        if left <= 0:
            break
    return shown


@cache
def _grams(text: str) -> frozenset[tuple[str, ...]]:
    """Runs of words inside a line: what stands above or below it does not matter."""
    return frozenset(gram for line in text.splitlines() for gram in _runs(words(line)))


def _runs(found: Sequence[str]) -> Iterable[tuple[str, ...]]:
    size = min(_GRAM, len(found))
    return (tuple(found[at : at + size]) for at in range(len(found) - size + 1) if size)
