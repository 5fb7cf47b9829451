"""Stage 2: one search over all legs, filtered by the audience inside the index."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass

import structlog

from citebot.answering import texts
from citebot.answering.contextualise import Standalone
from citebot.answering.vectors import lean
from citebot.calls import EMBED_SECONDS, FIRST_EMBED_SECONDS
from citebot.errors import IndexUnavailable, ModelUnavailable
from citebot.model import Embedding, Question
from citebot.ports import Embedder, IndexHits, IndexQuery, Searchable, TellsModel

log = structlog.get_logger("citebot.answering")

SEARCH_SECONDS = 5.0
EARLIER_WEIGHT = 0.1
LEANING_WEIGHT = 0.6


@dataclass(frozen=True, slots=True)
class Retrieved:
    """What the index said."""

    hits: IndexHits
    vector: Embedding | None = None
    embedder: Embedder | None = None
    """Which made the vector."""
    notes: tuple[str, ...] = ()
    embed_ms: float = 0.0
    search_ms: float = 0.0


class Retriever:
    """Embeds the question and searches; without a vector it searches by words and says so.

    The question is embedded by the model of the index that is asked, which is the one before (`previous`) as long as
    the index of another is being built.
    """

    def __init__(
        self,
        index: Searchable,
        embedder: Embedder | None,
        *,
        previous: Embedder | None = None,
        candidates: int = 200,
    ) -> None:
        self._index = index
        self._embedders = [one for one in (embedder, previous) if one is not None]
        self._candidates = candidates
        self._warm: set[str] = set()

    async def run(self, question: Question, standalone: Standalone) -> Retrieved:
        """Search; raises `IndexUnavailable`."""
        clock = asyncio.get_running_loop().time
        begun = clock()
        embedder, vector = await self._embed(standalone) if question.audience.principals else (None, None)
        embedded = clock()
        query = IndexQuery(
            audience=question.audience,
            text=standalone.search_text,
            context_text=standalone.context_text,
            context_weight=standalone.context_weight,
            vector=vector,
            vector_model=embedder.model_id if embedder else "",
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
            embedder=embedder,
            notes=self._notes(hits, vector),
            embed_ms=(embedded - begun) * 1000,
            search_ms=(clock() - embedded) * 1000,
        )

    def _notes(self, hits: IndexHits, vector: Embedding | None) -> tuple[str, ...]:
        notes = [texts.PARTIAL_INDEX] if hits.partial else []
        if hits.may_miss is not None:
            notes.append(texts.standby(hits.may_miss))
        if self._embedders and (vector is None or hits.vectors_ready < 1.0):
            notes.append(texts.KEYWORDS_ONLY)
        return tuple(notes)

    async def _embed(self, standalone: Standalone) -> tuple[Embedder | None, Embedding | None]:
        """The vector of the question and who made it; both are None without one."""
        if not self._embedders:
            return None, None
        try:
            embedder = await self._chosen()
            if embedder is None:
                return None, None
            async with asyncio.timeout(self._seconds(embedder)):
                vector = await embedder.embed_query(standalone.last)
                if standalone.earlier:
                    earlier = await embedder.embed_query(standalone.earlier)
                    vector = lean(vector, earlier, weight=LEANING_WEIGHT if standalone.leans else EARLIER_WEIGHT)
        except (ModelUnavailable, TimeoutError) as error:
            log.warning("no vector for the question", error=type(error).__name__)
            return None, None
        self._warm.add(embedder.model_id)
        return embedder, vector

    async def _chosen(self) -> Embedder | None:
        """The embedder whose vectors the index holds; without any yet, the one that makes them."""
        held = self._index.vector_model if isinstance(self._index, TellsModel) else ""
        if not held or len(self._embedders) == 1:
            return self._embedders[0]  # vectors of another model are left out by the index
        for embedder in self._embedders:
            if not embedder.model_id:
                # Known once it is open.
                with suppress(ModelUnavailable, TimeoutError):
                    await asyncio.wait_for(embedder.open(), FIRST_EMBED_SECONDS)
            if embedder.model_id == held:
                return embedder
        return None

    def _seconds(self, embedder: Embedder) -> float:
        return EMBED_SECONDS if embedder.model_id in self._warm else FIRST_EMBED_SECONDS
