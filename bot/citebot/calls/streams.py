"""One call of a generator in a task of its own: it can be waited for beside others, and left whatever it does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TypeVar

import structlog

from citebot.calls.callee import Call, Callee, Outcome
from citebot.errors import ModelUnavailable
from citebot.model import Status
from citebot.ports import Draft, GenerationRequest, Generator

log = structlog.get_logger("citebot.calls")

AHEAD = 64
"""Pieces a model may be ahead of whoever reads."""

T = TypeVar("T")


@asynccontextmanager
async def closed_after(pieces: AsyncIterator[T]) -> AsyncIterator[AsyncIterator[T]]:
    """Protocols promise an iterator only; what can be closed is closed."""
    try:
        yield pieces
    finally:
        close = getattr(pieces, "aclose", None)
        if close is not None:
            await close()


class Stream:
    """Text of one model as it comes."""

    def __init__(self, callee: Callee[Generator], call: Call, request: GenerationRequest) -> None:
        self.callee = callee
        self.call = call
        self.error: ModelUnavailable | None = None
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done when there is text, or an end."""
        self._begun = False
        self._left_as: Outcome | None = None
        self._pieces: asyncio.Queue[Draft | Status | None] = asyncio.Queue(AHEAD)
        self.task = asyncio.create_task(self._run(replace(request, used=call.used)), name=f"call of {callee}")

    @property
    def failed(self) -> bool:
        """Ended by an error before there was text."""
        return self.error is not None and not self._begun

    async def next(self) -> Draft | Status | None:
        """The next piece, or None at the end; raises `ModelUnavailable`."""
        piece = await self._pieces.get()
        if piece is None and self.error is not None:
            raise self.error
        return piece

    def leave(self, outcome: Outcome) -> None:
        """Do not wait for it any more; `outcome` is what that says about the model. Only the first time counts."""
        if self._left_as is None and not self.task.done():
            self._left_as = outcome
            self.task.cancel()

    def end(self) -> None:
        """For a call that was left and does not heed it."""
        self.call.end(self._left_as or "left")

    async def _run(self, request: GenerationRequest) -> None:
        try:
            await self._pull(request)
            self.call.end("ok")
        except asyncio.CancelledError:
            self.end()
            raise
        except ModelUnavailable as error:
            self._fail(error)
        except Exception as error:
            log.exception("the generator raises what it should not", model=str(self.callee))
            self._fail(ModelUnavailable(f"{self.callee} raises {type(error).__name__}."))
        self._be_ready()
        await self._pieces.put(None)

    async def _pull(self, request: GenerationRequest) -> None:
        async with closed_after(self.callee.part.generate(request)) as pieces:
            async for piece in pieces:
                text = isinstance(piece, Draft) and bool(piece.text.strip() or piece.cut_off)
                if text and not self._begun:
                    self._begun = True
                    self.call.text()
                    self._be_ready()
                if self._begun:  # nothing before it is worth keeping, or a race being decided
                    await self._pieces.put(piece)

    def _fail(self, error: ModelUnavailable) -> None:
        self.error = error
        self.call.fail(error)

    def _be_ready(self) -> None:
        if not self.ready.done():
            self.ready.set_result(None)
