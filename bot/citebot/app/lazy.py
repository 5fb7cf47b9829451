"""Models opened on first use: a bot that has not been asked anything holds no weights in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any, ClassVar

from pydantic import BaseModel

from citebot.model import Embedding, ScoredPassage, Status
from citebot.ports import Draft, Embedder, GenerationRequest, Generator, NoSettings, PartContext, Reranker


class _Lazy:
    """Opens the part it stands for once, however many ask at the same time; a failed opening is tried again."""

    name: ClassVar[str] = "lazy"
    summary: ClassVar[str] = "Stands for a part until it is used"
    Settings: ClassVar[type[BaseModel]] = NoSettings

    def __init__(self, part: Any, context: PartContext | None = None) -> None:
        self._part = part
        self._open = False
        self._opening = asyncio.Lock()

    async def open(self) -> None:
        async with self._opening:
            if not self._open:
                await self._part.open()
                self._open = True

    async def close(self) -> None:
        if self._open:
            self._open = False
            await self._part.close()


class LazyEmbedder(_Lazy):
    """An `Embedder`; `model_id` and `dimensions` are known once it is open."""

    _part: Embedder

    @property
    def model_id(self) -> str:
        return self._part.model_id

    @property
    def dimensions(self) -> int:
        return self._part.dimensions

    async def embed_passages(self, texts: Sequence[str]) -> list[Embedding]:
        await self.open()
        return await self._part.embed_passages(texts)

    async def embed_query(self, text: str) -> Embedding:
        await self.open()
        return await self._part.embed_query(text)


class LazyReranker(_Lazy):
    """A `Reranker`."""

    _part: Reranker

    async def rerank(self, question: str, passages: Sequence[ScoredPassage]) -> list[float]:
        await self.open()
        return await self._part.rerank(question, passages)


class LazyGenerator(_Lazy):
    """A `Generator`."""

    _part: Generator

    async def generate(self, request: GenerationRequest) -> AsyncIterator[Draft | Status]:
        await self.open()
        async for piece in self._part.generate(request):
            yield piece
