"""Calls that are made once and not tried again: the next question will be."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import ClassVar, TypeVar

import structlog
from pydantic import BaseModel

from citebot.calls.callee import Call, Callee
from citebot.errors import ModelUnavailable
from citebot.model import Embedding, ScoredPassage
from citebot.ports import Embedder, Limited, NoSettings, PartContext, Reranker, Used, unmetered

log = structlog.get_logger("citebot.calls")

RERANK_SECONDS = 1.5
EMBED_SECONDS = 1.0
FIRST_EMBED_SECONDS = 15.0
"""The first question may have to wait for the model to be loaded."""
NEARLY = 0.05
"""Whoever asks may have the same limit, and stop waiting a moment earlier."""

T = TypeVar("T")


async def ask(call: Call, make: Callable[..., Awaitable[T]], *, seconds: float) -> T:
    """What the model says, within a time; raises `ModelUnavailable`."""
    try:
        async with asyncio.timeout(seconds):
            said = await make(used=call.used)
    except ModelUnavailable as error:
        call.fail(error)
        raise
    except TimeoutError:
        slow = ModelUnavailable(f"No answer within {seconds:g} seconds.")
        call.end("slow", slow)
        raise slow from None
    except asyncio.CancelledError:
        call.end("slow" if call.age >= seconds - NEARLY else "left")
        raise
    except Exception as error:
        log.exception("a model raises what it should not")
        raised = ModelUnavailable(f"It raises {type(error).__name__}.")
        call.fail(raised)
        raise raised from error
    call.end("ok")
    return said


class _Careful:
    name: ClassVar[str] = "careful"
    summary: ClassVar[str] = "Stands for a part whose calls may fail"
    Settings: ClassVar[type[BaseModel]] = NoSettings

    async def _ask(
        self,
        callee: Callee[object],
        make: Callable[..., Awaitable[T]],
        *,
        seconds: float,
        used: Used = unmetered,
    ) -> T:
        call = callee.begin(used)
        if call is None:
            raise ModelUnavailable(f"{callee} is not asked now: it has failed too often.")
        return await ask(call, make, seconds=seconds)


class CarefulReranker(_Careful):
    """A `Reranker`; `Limited` where its part is."""

    def __init__(self, callee: Callee[Reranker], context: PartContext | None = None) -> None:
        self._callee = callee
        if isinstance(callee.part, Limited):
            self.most = callee.part.most

    async def open(self) -> None:
        await self._callee.part.open()

    async def close(self) -> None:
        await self._callee.part.close()

    async def rerank(self, question: str, passages: Sequence[ScoredPassage], *, used: Used = unmetered) -> list[float]:
        return await self._ask(
            self._callee,
            partial(self._callee.part.rerank, question, passages),
            seconds=RERANK_SECONDS,
            used=used,
        )


class CarefulEmbedder(_Careful):
    """An `Embedder`; only questions are not asked of one that fails, for the documents are not in a hurry."""

    def __init__(self, callee: Callee[Embedder], context: PartContext | None = None) -> None:
        self._callee = callee
        self._warm = False

    @property
    def model_id(self) -> str:
        return self._callee.part.model_id

    @property
    def dimensions(self) -> int:
        return self._callee.part.dimensions

    async def open(self) -> None:
        await self._callee.part.open()

    async def close(self) -> None:
        await self._callee.part.close()

    async def embed_passages(self, texts: Sequence[str]) -> list[Embedding]:
        return await self._callee.part.embed_passages(texts)

    async def embed_query(self, text: str) -> Embedding:
        part = self._callee.part
        seconds = EMBED_SECONDS if self._warm else FIRST_EMBED_SECONDS
        made = await self._ask(self._callee, lambda used: part.embed_query(text), seconds=seconds)
        self._warm = True
        return made
