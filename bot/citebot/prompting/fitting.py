"""Which passages go into a prompt when not all of them do."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

from citebot.model import ScoredPassage


def fit(passages: Sequence[ScoredPassage], costs: Sequence[int], *, room: int) -> list[int]:
    """Places of those that stay, in their order: the least useful go until the rest fits, each of them whole."""
    kept = [place for place in range(len(passages)) if costs[place] <= room]
    # Of two that are equally useful the one that was named later goes first.
    for place in sorted(kept, key=lambda place: (*_use(passages[place]), -place)):
        if sum(costs[left] for left in kept) <= room:
            break
        kept.remove(place)
    return kept


def _use(hit: ScoredPassage) -> tuple[float, float]:
    """By the reranker where it gave a score, else by the search."""
    return hit.legs.get("rerank", -inf), hit.score
