"""Stage 2: one search over all legs, filtered by the audience inside the index."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import structlog

from citebot.answering import texts
from citebot.answering.contextualise import Standalone
from citebot.answering.vectors import lean
from citebot.calls import EMBED_SECONDS, FIRST_EMBED_SECONDS
from citebot.errors import IndexUnavailable, ModelUnavailable
from citebot.model import Embedding, Question
from citebot.ports import Embedder, Index, IndexHits, IndexQuery

log = structlog.get_logger("citebot.answering")

SEARCH_SECONDS = 5.0
EARLIER_WEIGHT = 0.1
LEANING_WEIGHT = 0.6


@dataclass(frozen=True, slots=True)
class Retrieved:
    """What the index said."""

    hits: IndexHits
    vector: Embedding | None = None
    notes: tuple[str, ...] = ()
    embed_ms: float = 0.0
    search_ms: float = 0.0


class Retriever:
    """Embeds the question and searches; without a vector it searches by words and says so."""

    def __init__(self, index: Index, embedder: Embedder | None, *, candidates: int = 200) -> None:
        self._index = index
        self._embedder = embedder
        self._candidates = candidates
        self._warm = False

    async def run(self, question: Question, standalone: Standalone) -> Retrieved:
        """Search; raises `IndexUnavailable`."""
        clock = asyncio.get_running_loop().time
        begun = clock()
        vector = await self._embed(standalone) if question.audience.principals else None
        embedded = clock()
        query = IndexQuery(
            audience=question.audience,
            text=standalone.search_text,
            context_text=standalone.context_text,
            context_weight=standalone.context_weight,
            vector=vector,
            vector_model=self._embedder.model_id if vector and self._embedder else "",
            sources=question.sources,
            limit=self._candidates,
        )
        try:
            hits = await asyncio.wait_for(self._index.search(query), SEARCH_SECONDS)
        except TimeoutError as error:
            raise IndexUnavailable(f"The index did not answer within {SEARCH_SECONDS:.0f} seconds.") from error
        return Retrieved(
            hits=hits,
            vector=vector,
            notes=self._notes(hits, vector),
            embed_ms=(embedded - begun) * 1000,
            search_ms=(clock() - embedded) * 1000,
        )

    def _notes(self, hits: IndexHits, vector: Embedding | None) -> tuple[str, ...]:
        notes = [texts.PARTIAL_INDEX] if hits.partial else []
        if self._embedder is not None and (vector is None or hits.vectors_ready < 1.0):
            notes.append(texts.KEYWORDS_ONLY)
        return tuple(notes)

    async def _embed(self, standalone: Standalone) -> Embedding | None:
        if self._embedder is None:
            return None
        seconds = EMBED_SECONDS if self._warm else FIRST_EMBED_SECONDS
        try:
            async with asyncio.timeout(seconds):
                vector = await self._embedder.embed_query(standalone.last)
                if standalone.earlier:
                    earlier = await self._embedder.embed_query(standalone.earlier)
                    vector = lean(vector, earlier, weight=LEANING_WEIGHT if standalone.leans else EARLIER_WEIGHT)
        except (ModelUnavailable, TimeoutError) as error:
            log.warning("no vector for the question", error=type(error).__name__)
            return None
        self._warm = True
        return vector
