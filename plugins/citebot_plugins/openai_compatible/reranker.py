"""The reranker `openai_compatible`."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, ClassVar

from pydantic import BaseModel

from citebot.errors import ModelUnavailable
from citebot.model import Finding, ScoredPassage
from citebot.ports import PartContext, Usage, Used, unmetered
from citebot.prompting import tokens
from citebot_plugins.openai_compatible.cutting import pieces
from citebot_plugins.openai_compatible.examining import examined
from citebot_plugins.openai_compatible.reply import Prices
from citebot_plugins.openai_compatible.server import Server
from citebot_plugins.openai_compatible.settings import RerankerSettings

_LEAST = 16  # tokens of a text, however many there are


class OpenAICompatibleReranker:
    """Sends a question and its passages to `/rerank`, `batch_size` at a time."""

    name: ClassVar[str] = "openai_compatible"
    summary: ClassVar[str] = "Any server with /rerank as Cohere and Jina have it: vLLM, TEI, llama.cpp, LiteLLM"
    Settings: ClassVar[type[BaseModel]] = RerankerSettings

    def __init__(self, settings: RerankerSettings, context: PartContext) -> None:
        self._settings = settings
        self._server = Server("reranker", settings, limit="max_prompt_tokens")
        self._prices = Prices(settings.price_input, settings.price_search * 1000)

    async def open(self) -> None:
        await self._server.open()

    async def close(self) -> None:
        await self._server.close()

    def most(self) -> Usage:
        """By `max_prompt_tokens`, and one search."""
        read = self._settings.max_prompt_tokens
        return Usage(self._settings.model, read, cost=self._prices.of(read, 1))

    async def rerank(self, question: str, passages: Sequence[ScoredPassage], *, used: Used = unmetered) -> list[float]:
        """One score per passage; passages share the tokens there may be."""
        if not passages:
            return []
        texts = await asyncio.to_thread(self._texts, question, [_whole(hit) for hit in passages])
        scores: list[float] = []
        for start in range(1, len(texts), self._settings.batch_size):
            scores += await self._scores(texts[0], texts[start : start + self._settings.batch_size], used)
        return scores

    async def examine(self) -> AsyncIterator[Finding]:
        """Rank two texts."""

        async def call() -> str:
            await self._scores("Are you there?", ["Yes.", "No."], unmetered)
            return "ranks"

        async for finding in examined(self._server, call):
            yield finding

    def _texts(self, question: str, passages: Sequence[str]) -> list[str]:
        """The question, then the passages, cut so that all of them fit; none is empty, which servers refuse."""
        share = max(2 * _LEAST, self._settings.max_prompt_tokens // len(passages))
        [asked, *_] = pieces(question, limit=share // 2, most=1)
        limit = share - tokens(asked)
        return [asked.strip() or "-", *(pieces(text, limit=limit, most=1)[0].strip() or "-" for text in passages)]

    async def _scores(self, question: str, texts: Sequence[str], used: Used) -> list[float]:
        declined = False

        def decline() -> None:
            nonlocal declined
            declined = True

        settings, answer = self._settings, None
        body: dict[str, Any] = {**settings.extra_body, "query": question, settings.shape: list(texts)}
        if settings.shape == "documents":
            body |= {"model": settings.model, "top_n": len(texts)}
        else:
            body.setdefault("truncate", True)
        try:
            answer = await self._server.ask(settings.path, body, declined=decline)
            return self._read(answer, len(texts))
        finally:
            if not declined:
                used(self._usage(answer, sum(map(tokens, texts)) + len(texts) * tokens(question)))

    def _read(self, answer: Any, count: int) -> list[float]:
        """The scores in the order of the texts."""
        items = answer.get("results", answer.get("data")) if isinstance(answer, dict) else answer
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            raise self._server.malformed()
        scores: dict[int, float] = {}
        for item in items:
            place, score = item.get("index"), item.get("relevance_score", item.get("score"))
            if type(place) is not int or not 0 <= place < count or place in scores:
                raise ModelUnavailable(f"{self._server.place.url} ranked what it was not asked, or the same twice.")
            if not isinstance(score, int | float) or not math.isfinite(score):
                raise self._server.malformed()
            scores[place] = float(score)
        if len(scores) < count:
            raise ModelUnavailable(f"{self._server.place.url} ranked {len(scores)} of {count} passages.")
        return [scores[place] for place in range(count)]

    def _usage(self, answer: Any, estimate: int) -> Usage:
        told = answer if isinstance(answer, dict) else {}
        counts = _table(told.get("usage"))
        billed = _table(_table(told.get("meta")).get("billed_units"))
        read = _first(counts.get("total_tokens"), counts.get("prompt_tokens"), billed.get("input_tokens"), estimate)
        searches = _first(billed.get("search_units"), 1)
        return Usage(self._settings.model, read, cost=self._prices.of(read, searches))


def _whole(hit: ScoredPassage) -> str:
    passage = hit.passage
    return "\n".join(filter(None, [" › ".join([passage.title, *passage.headings]), passage.text]))


def _table(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _first(*values: Any) -> int:
    """The first that is a number of something."""
    for value in values:
        if isinstance(value, int | float) and 0 < value < 1e12:
            return math.ceil(value)
    return 0
