"""Stage 7: an optional reranker orders the short list; without it, or when it fails, the fused order stands."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from citebot.answering import texts
from citebot.budgets import Grant
from citebot.calls import RERANK_SECONDS
from citebot.errors import ModelUnavailable
from citebot.model import ScoredPassage
from citebot.ports import Reranker, unmetered

log = structlog.get_logger("citebot.answering")


@dataclass(frozen=True, slots=True)
class Ranked:
    """The short list, best first."""

    passages: tuple[ScoredPassage, ...]
    notes: tuple[str, ...] = ()
    ms: float = 0.0


class Reranking:
    """Asks the reranker about the best `depth` passages."""

    def __init__(self, reranker: Reranker | None, *, depth: int = 30) -> None:
        self._reranker = reranker
        self._depth = depth

    async def run(self, question: str, hits: Sequence[ScoredPassage], *, grant: Grant | None = None) -> Ranked:
        """Order by the reranker's scores, which join the legs as `rerank`."""
        if self._reranker is None or len(hits) < 2:
            return Ranked(tuple(hits))
        if grant is not None and not grant.pays_for(self._reranker):
            return Ranked(tuple(hits), (texts.SIMPLE_RANKING,))
        clock = asyncio.get_running_loop().time
        begun = clock()
        short, rest = hits[: self._depth], hits[self._depth :]
        try:
            used = await grant.call(self._reranker) if grant is not None else unmetered
            scores = await asyncio.wait_for(self._reranker.rerank(question, short, used=used), RERANK_SECONDS)
        except (ModelUnavailable, TimeoutError) as error:
            log.warning("reranking failed", error=type(error).__name__)
            return Ranked(tuple(hits), (texts.SIMPLE_RANKING,), (clock() - begun) * 1000)
        if len(scores) != len(short) or not all(map(math.isfinite, scores)):
            log.warning("the reranker's scores do not fit", asked=len(short), got=len(scores))
            return Ranked(tuple(hits), (texts.SIMPLE_RANKING,), (clock() - begun) * 1000)
        order = sorted(range(len(short)), key=lambda place: (-scores[place], place))
        ranked = [
            ScoredPassage(short[n].passage, short[n].score, {**short[n].legs, "rerank": scores[n]}) for n in order
        ]
        return Ranked((*ranked, *rest), (), (clock() - begun) * 1000)
