"""The reranker `cohere`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from math import isfinite
from typing import Any, ClassVar

from pydantic import BaseModel

from citebot.answering.lexical import heading_of
from citebot.errors import ModelRefused, ModelUnavailable
from citebot.model import Finding, ScoredPassage
from citebot.ports import PartContext, Usage, Used, unmetered
from citebot_plugins.cohere.client import ONCE, Client, Silent
from citebot_plugins.cohere.examining import examine
from citebot_plugins.cohere.settings import RerankerSettings
from citebot_plugins.cohere.streaming import whole
from citebot_plugins.cohere.wording import sendable


class CohereReranker:
    """Scores a short list with a Rerank model."""

    name: ClassVar[str] = "cohere"
    summary: ClassVar[str] = "Rerank models of Cohere"
    Settings: ClassVar[type[BaseModel]] = RerankerSettings

    def __init__(self, settings: RerankerSettings, context: PartContext) -> None:
        self._settings = settings
        self._client = Client(settings, at="reranker.cohere")

    async def open(self) -> None:
        """Load the SDK; nothing is sent."""
        await self._client.open()

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    def most(self) -> Usage:
        """As many passages as are sent at once, all as long as they may be."""
        return Usage(self._settings.model, cost=self._settings.cost(self._settings.most_searches))

    async def rerank(self, question: str, passages: Sequence[ScoredPassage], *, used: Used = unmetered) -> list[float]:
        """One request."""
        if not passages:
            return []
        settings = self._settings
        if len(passages) > settings.max_documents:
            raise ModelRefused(
                f"{len(passages)} passages are more than reranker.cohere.max_documents = {settings.max_documents}.",
                why="too_long",
            )
        searches = settings.most_searches
        answered = False
        try:
            with self._client.told():
                answer = await self._client.api.rerank(
                    model=settings.model,
                    query=sendable(question),
                    documents=[sendable(f"{heading_of(hit.passage)}\n{hit.passage.text}") for hit in passages],
                    max_tokens_per_doc=settings.max_tokens_per_doc,
                    request_options=ONCE,
                )
                answered = True
                searches = _searches(answer) or 1
                return self._scores(answer.results, len(passages))
        except ModelUnavailable as error:
            searches = searches if answered or isinstance(error, Silent) else 0
            raise
        finally:
            if searches:
                used(Usage(settings.model, cost=settings.cost(searches)))

    async def examine(self) -> AsyncIterator[Finding]:
        """Whether the key and the model are good."""
        async for finding in examine(Client(self._settings, at="reranker.cohere"), endpoint="rerank"):
            yield finding

    def _scores(self, results: Any, count: int) -> list[float]:
        """In the order of the passages, whatever the order of the answer."""
        scores = {result.index: float(result.relevance_score) for result in results}
        if len(results) != count or set(scores) != set(range(count)) or not all(map(isfinite, scores.values())):
            raise ModelUnavailable(
                f"{self._settings.host} was to score {count} passages, and sent {len(results)} scores that do not fit."
            )
        return [scores[place] for place in range(count)]


def _searches(answer: Any) -> int | None:
    units = answer.meta and answer.meta.billed_units and answer.meta.billed_units.search_units
    return whole(units)
