"""Stage 9: a streamed draft becomes whole units, whatever pieces the generator cut it into."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass

from citebot.answering.sentences import Unit, units
from citebot.errors import ModelBusy, ModelRefused, ModelUnavailable
from citebot.model import Status
from citebot.ports import Draft, GenerationRequest, Generator

MAX_DRAFT = 24_000
"""Characters after which a draft is cut off; nobody reads more, and a broken model may never stop."""
_MAY_END = re.compile(r"[.!?…。！？\n\]]")


class UnitBuffer:
    """Collects text and gives out the units that cannot change any more."""

    def __init__(self) -> None:
        self._text = ""
        self._given = 0
        self._paragraphs = 0

    def feed(self, text: str) -> list[Unit]:
        """Add text; the units that are complete now."""
        self._text += text
        if not _MAY_END.search(text):
            return []
        found = units(self._text)
        # A blank line ends a sentence or an item for good; a code block may go on behind it.
        if self._text.endswith("\n\n") and found and found[-1].kind in {"sentence", "item"}:
            return self._all(found)
        return self._new(found[:-1])

    def end(self) -> list[Unit]:
        """What is left."""
        return self._all(units(self._text))

    def _all(self, found: list[Unit]) -> list[Unit]:
        """Give out everything and forget the text: reading it again and again would take ever longer."""
        new = self._new(found)
        self._paragraphs += found[-1].paragraph + 1 if found else 0
        self._text, self._given = "", 0
        return new

    def _new(self, found: list[Unit]) -> list[Unit]:
        new = found[self._given :]
        self._given = max(self._given, len(found))
        return [Unit(unit.kind, unit.text, unit.paragraph + self._paragraphs) for unit in new]


@dataclass(slots=True)
class Ending:
    """Why a draft ended before its time, if it did."""

    cut_off: bool = False
    too_slow: bool = False
    stopped: bool = False
    model_failed: bool = False
    refused: bool = False
    """It failed for good: asked the same again, it would fail again."""
    busy_for: float | None = None
    """Seconds it asked us to wait."""
    waited: float = 0.0
    """Seconds spent waiting for the generator."""


class Drafting:
    """Runs the generator with a deadline, a limit of length and a way to stop it."""

    def __init__(self, generator: Generator) -> None:
        self._generator = generator

    async def run(
        self, request: GenerationRequest, *, stop: asyncio.Event | None, ending: Ending
    ) -> AsyncGenerator[Unit | Status, None]:
        """Units as soon as they are complete; `ending` says at the end what went wrong."""
        buffer = UnitBuffer()
        clock = asyncio.get_running_loop().time
        until = clock() + request.deadline
        length = 0
        async with aclosing(_closable(self._generator.generate(request))) as pieces:
            while not (ending.stopped or ending.too_slow or ending.model_failed or ending.cut_off):
                asked = clock()
                piece = await _next(pieces.__anext__, seconds=until - asked, stop=stop, ending=ending)
                ending.waited += clock() - asked
                if piece is None:
                    break
                if isinstance(piece, Status):
                    yield piece
                    continue
                room = MAX_DRAFT - length
                length += len(piece.text)
                ending.cut_off = piece.cut_off or length > MAX_DRAFT
                for unit in buffer.feed(piece.text[:room]):
                    yield unit
        # A unit that was cut in the middle may say the opposite of what it was going to say.
        if not (ending.stopped or ending.too_slow or ending.model_failed or ending.cut_off):
            for unit in buffer.end():
                yield unit


async def _closable(pieces: AsyncIterator[Draft | Status]) -> AsyncGenerator[Draft | Status, None]:
    """Protocols promise an iterator only; ours can be closed, and closes theirs where that is possible."""
    try:
        async for piece in pieces:
            yield piece
    finally:
        close = getattr(pieces, "aclose", None)
        if close is not None:
            await close()


async def _next(
    pull: Callable[[], Awaitable[Draft | Status]], *, seconds: float, stop: asyncio.Event | None, ending: Ending
) -> Draft | Status | None:
    """The next piece, or None at the end, on a stop, a failure or the deadline."""
    if stop is not None and stop.is_set():
        ending.stopped = True
        return None
    pulling = asyncio.ensure_future(pull())
    waiting: set[asyncio.Future[object]] = {pulling}  # type: ignore[arg-type]  # futures are invariant; only awaited
    stopping = asyncio.ensure_future(stop.wait()) if stop is not None else None
    if stopping is not None:
        waiting.add(stopping)  # type: ignore[arg-type]  # as above
    try:
        await asyncio.wait(waiting, timeout=max(0.0, seconds), return_when=asyncio.FIRST_COMPLETED)
        if pulling.done():
            return pulling.result()
        ending.stopped = stopping is not None and stopping.done()
        ending.too_slow = not ending.stopped
    except StopAsyncIteration:
        return None
    except ModelUnavailable as error:
        ending.model_failed, ending.refused = True, isinstance(error, ModelRefused)
        ending.busy_for = error.after if isinstance(error, ModelBusy) else None
    finally:
        for task in (pulling, stopping):
            if task is not None and not task.done():
                task.cancel()
                await asyncio.wait({task})
    return None
