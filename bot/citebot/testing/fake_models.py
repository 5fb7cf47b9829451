"""Models for tests: deterministic, instant, offline; and one that is as evil as a fooled model can be."""

from __future__ import annotations

import asyncio
import hashlib
import math
import re
import struct
from collections.abc import AsyncIterator, Callable, Sequence
from typing import ClassVar

from pydantic import BaseModel

from citebot.errors import ModelUnavailable
from citebot.model import Embedding, ScoredPassage, Status
from citebot.ports import Draft, GenerationRequest, NoSettings, PartContext, Used, unmetered

_WORD = re.compile(r"\w+")


class FakeEmbedder:
    """Hashes words into a vector: texts that share words are near. `fail` makes every call raise."""

    name: ClassVar[str] = "fake"
    summary: ClassVar[str] = "Hashed words, for tests"
    Settings: ClassVar[type[BaseModel]] = NoSettings

    def __init__(self, settings: object = None, context: PartContext | None = None, *, dimensions: int = 64) -> None:
        self._dimensions = dimensions
        self._open = False
        self.fail = False
        self.delay = 0.0
        """Seconds every call takes."""

    @property
    def model_id(self) -> str:
        """Names the size."""
        return f"fake-{self._dimensions}"

    @property
    def dimensions(self) -> int:
        """Length of a row."""
        return self._dimensions

    async def open(self) -> None:
        self._open = True

    async def close(self) -> None:
        self._open = False

    async def embed_passages(self, texts: Sequence[str]) -> list[Embedding]:
        """One row per text."""
        await self._usable()
        return [self._embed(text) for text in texts]

    async def embed_query(self, text: str) -> Embedding:
        """One row."""
        await self._usable()
        return self._embed(text)

    async def _usable(self) -> None:
        if self.delay:
            await asyncio.sleep(self.delay)
        if self.fail or not self._open:
            raise ModelUnavailable(
                "The fake embedder is not open" if not self.fail else "The fake embedder was told to fail"
            )

    def _embed(self, text: str) -> Embedding:
        row = [0.0] * self._dimensions
        for word in _WORD.findall(text.casefold()) or [""]:
            digest = hashlib.sha256(word.encode("utf-8", "replace")).digest()
            row[digest[0] % self._dimensions] += 1.0
            row[digest[1] % self._dimensions] += 0.5 if digest[2] % 2 else -0.5
        length = math.sqrt(sum(value * value for value in row)) or 1.0
        return Embedding(self._dimensions, struct.pack(f"<{self._dimensions}e", *(value / length for value in row)))


class FakeReranker:
    """Scores by a function of question and text; by default the number of shared words."""

    name: ClassVar[str] = "fake"
    summary: ClassVar[str] = "Shared words, for tests"
    Settings: ClassVar[type[BaseModel]] = NoSettings

    def __init__(
        self,
        settings: object = None,
        context: PartContext | None = None,
        *,
        score: Callable[[str, str], float] | None = None,
    ) -> None:
        self._score = score or _shared_words
        self.fail = False
        self.delay = 0.0
        self.seen: list[str] = []
        """Every text it was shown, for looking for what it should not have seen."""

    async def open(self) -> None:
        """Nothing to load."""

    async def close(self) -> None:
        """Nothing to free."""

    async def rerank(self, question: str, passages: Sequence[ScoredPassage], *, used: Used = unmetered) -> list[float]:
        """One score per passage."""
        if self.delay:
            await asyncio.sleep(self.delay)
        if self.fail:
            raise ModelUnavailable("The fake reranker was told to fail")
        self.seen += [hit.passage.text for hit in passages]
        return [self._score(question, hit.passage.text) for hit in passages]


def _shared_words(question: str, text: str) -> float:
    return float(len(set(_WORD.findall(question.casefold())) & set(_WORD.findall(text.casefold()))))


Script = Sequence[str] | Callable[[GenerationRequest], Sequence[str]]


class ScriptedGenerator:
    """Streams the pieces it was given, with an optional wait before each; then ends, or raises `error`."""

    name: ClassVar[str] = "scripted"
    summary: ClassVar[str] = "Says what the test wrote"
    Settings: ClassVar[type[BaseModel]] = NoSettings

    def __init__(
        self,
        settings: object = None,
        context: PartContext | None = None,
        *,
        script: Script = (),
        wait: float = 0.0,
        error: Exception | None = None,
    ) -> None:
        self._script = script
        self._wait = wait
        self._error = error
        self.requests: list[GenerationRequest] = []
        self.closed_early = False

    async def open(self) -> None:
        """Nothing to load."""

    async def close(self) -> None:
        """Nothing to free."""

    async def generate(self, request: GenerationRequest) -> AsyncIterator[Draft | Status]:
        """The script."""
        self.requests.append(request)
        pieces = self._script(request) if callable(self._script) else self._script
        try:
            for piece in pieces:
                await asyncio.sleep(self._wait)
                yield Draft(piece)
        except (GeneratorExit, asyncio.CancelledError):
            self.closed_early = True
            raise
        if self._error is not None:
            raise self._error


class QuotingGenerator(ScriptedGenerator):
    """Quotes the beginning of each passage and cites it: the simplest honest generator."""

    name: ClassVar[str] = "quoting"

    def __init__(self, settings: object = None, context: PartContext | None = None) -> None:
        super().__init__(script=_quote)


def _quote(request: GenerationRequest) -> list[str]:
    return [
        f"{hit.passage.text.strip().splitlines()[0]} [{number}]\n\n"
        for number, hit in enumerate(request.passages, start=1)
    ]


__all__ = ["FakeEmbedder", "FakeReranker", "QuotingGenerator", "ScriptedGenerator"]
