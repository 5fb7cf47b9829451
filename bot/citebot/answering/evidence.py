"""Vectors of single sentences, made at most once per question and shared by the decision and the generator.

Making them is what an answer costs most of, and people ask about the same documents again and again.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence

import structlog

from citebot.errors import ModelUnavailable
from citebot.model import Embedding
from citebot.ports import Embedder

log = structlog.get_logger("citebot.answering")

SECONDS = 1.5
"""For all sentences of one question; after that words alone must do."""


RECENT = 5_000
"""Sentences whose vectors are remembered; a few megabytes."""


class RecentVectors:
    """Vectors of the sentences that were looked at last, whichever question it was for; not the sentences."""

    def __init__(self, most: int = RECENT) -> None:
        self._most = most
        self._vectors: dict[bytes, Embedding] = {}

    def get(self, text: str) -> Embedding | None:
        """The vector of a text, if it is remembered."""
        key = _digest(text)
        found = self._vectors.pop(key, None)
        if found is not None:
            self._vectors[key] = found
        return found

    def keep(self, text: str, vector: Embedding) -> None:
        """Remember it; what was not looked at for longest is forgotten."""
        self._vectors[_digest(text)] = vector
        while len(self._vectors) > self._most:
            self._vectors.pop(next(iter(self._vectors)))


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=16).digest()


class SentenceVectors:
    """Embeds texts with the model of the question's vector."""

    def __init__(self, embedder: Embedder | None, recent: RecentVectors | None = None, *, keep: bool = True) -> None:
        self._embedder = embedder
        self._recent = recent or RecentVectors()
        self._keep = keep
        """Whether `recent` may get new ones."""
        self._known: dict[str, Embedding] = {}
        self.ms = 0.0
        """Time spent in the model."""

    async def embed(self, sentences: Sequence[str]) -> list[Embedding]:
        """One embedding per text; raises `ModelUnavailable`."""
        if self._embedder is None:
            raise ModelUnavailable("There is no embedder")
        for text in dict.fromkeys(sentences):
            if text not in self._known and (vector := self._recent.get(text)) is not None:
                self._known[text] = vector
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
            for text, vector in zip(new, made, strict=True):
                self._known[text] = vector
                if self._keep:
                    self._recent.keep(text, vector)
        return [self._known[text] for text in sentences]

    async def try_embed(self, sentences: Sequence[str]) -> list[Embedding] | None:
        """None when it does not work."""
        try:
            return await self.embed(sentences)
        except ModelUnavailable as error:
            log.debug("no sentence vectors", error=str(error))
            return None
