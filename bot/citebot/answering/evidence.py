"""Vectors of single sentences, made at most once per question and shared by the decision and the generator."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import structlog

from citebot.errors import ModelUnavailable
from citebot.model import Embedding
from citebot.ports import Embedder

log = structlog.get_logger("citebot.answering")

SECONDS = 1.5
"""For all sentences of one question; after that words alone must do."""


class SentenceVectors:
    """Embeds texts with the model of the question's vector."""

    def __init__(self, embedder: Embedder | None) -> None:
        self._embedder = embedder
        self._known: dict[str, Embedding] = {}
        self.ms = 0.0
        """Time spent in the model."""

    async def embed(self, sentences: Sequence[str]) -> list[Embedding]:
        """One embedding per text; raises `ModelUnavailable`."""
        if self._embedder is None:
            raise ModelUnavailable("There is no embedder")
        new = [text for text in dict.fromkeys(sentences) if text not in self._known]
        if new:
            clock = asyncio.get_running_loop().time
            begun = clock()
            try:
                made = await asyncio.wait_for(self._embedder.embed_passages(new), SECONDS)
            except TimeoutError as error:
                self._embedder = None  # no second wait for the same question
                raise ModelUnavailable("The embedder was too slow") from error
            finally:
                self.ms += (clock() - begun) * 1000
            self._known.update(zip(new, made, strict=True))
        return [self._known[text] for text in sentences]

    async def try_embed(self, sentences: Sequence[str]) -> list[Embedding] | None:
        """None when it does not work."""
        try:
            return await self.embed(sentences)
        except ModelUnavailable as error:
            log.debug("no sentence vectors", error=str(error))
            return None
