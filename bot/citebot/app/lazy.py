"""Models opened on first use: a bot that has not been asked anything holds no weights in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any, ClassVar

from pydantic import BaseModel

from citebot.calls import closed_after
from citebot.model import Embedding, ScoredPassage, Status, Turn
from citebot.ports import (
    Draft,
    Embedder,
    GenerationRequest,
    Generator,
    Limited,
    NoSettings,
    PartContext,
    Reranker,
    Rewrites,
    Used,
    unmetered,
)


class _Lazy:
    """Opens the part it stands for once, however many ask at the same time; a failed opening is tried again."""

    name: ClassVar[str] = "lazy"
    summary: ClassVar[str] = "Stands for a part until it is used"
    Settings: ClassVar[type[BaseModel]] = NoSettings

    def __init__(self, part: Any, context: PartContext | None = None) -> None:
        self._part = part
        self._open = False
        self._opening = asyncio.Lock()
        # Whoever looks for an ability must not find it where the part has none.
        if isinstance(part, Limited):
            self.most = part.most

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

    async def rerank(self, question: str, passages: Sequence[ScoredPassage], *, used: Used = unmetered) -> list[float]:
        await self.open()
        return await self._part.rerank(question, passages, used=used)


class LazyGenerator(_Lazy):
    """A `Generator`."""

    _part: Generator

    def __init__(self, part: Generator, context: PartContext | None = None) -> None:
        super().__init__(part, context)
        if isinstance(part, Rewrites):
            self.rewrite = self._rewrite

    async def generate(self, request: GenerationRequest) -> AsyncIterator[Draft | Status]:
        await self.open()
        async with closed_after(self._part.generate(request)) as pieces:
            async for piece in pieces:
                yield piece

    async def _rewrite(self, question: str, history: Sequence[Turn], *, used: Used = unmetered) -> str:
        await self.open()
        assert isinstance(self._part, Rewrites), "asked only where the part can"
        return await self._part.rewrite(question, history, used=used)
