"""A generator over the chosen model and its fallbacks."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from typing import ClassVar

from pydantic import BaseModel

from citebot.calls.callee import Callee
from citebot.calls.race import Patience, Race
from citebot.calls.single import ask
from citebot.errors import ModelUnavailable
from citebot.model import Status, Turn
from citebot.ports import (
    Draft,
    GenerationRequest,
    Generator,
    Limited,
    NoSettings,
    PartContext,
    Rewrites,
    Usage,
    Used,
    unmetered,
)

GRACE_SECONDS = 0.25
"""Whoever reads ends at the deadline and says so; this is for whoever does not."""
REWRITE_SECONDS = 3.0


def full_jitter(most: float) -> float:
    """Any moment from now on."""
    return random.uniform(0.0, most)


class CarefulGenerator:
    """A `Generator`. It is `Limited` and `Rewrites` where one of its models is."""

    name: ClassVar[str] = "careful"
    summary: ClassVar[str] = "Stands for the generators of the settings"
    Settings: ClassVar[type[BaseModel]] = NoSettings

    def __init__(
        self,
        callees: Sequence[Callee[Generator]],
        context: PartContext | None = None,
        *,
        patience: Patience = Patience(),  # noqa: B008 - frozen
        jitter: Callable[[float], float] = full_jitter,
    ) -> None:
        self._callees = callees
        self._patience = patience
        self._jitter = jitter
        # Whoever looks for an ability must not find it where nobody has it.
        if any(isinstance(callee.part, Limited) for callee in callees):
            self.most = self._most
        if any(isinstance(callee.part, Rewrites) for callee in callees):
            self.rewrite = self._rewrite

    async def open(self) -> None:
        """Nothing: each is opened when it is called."""

    async def close(self) -> None:
        for callee in self._callees:
            await callee.part.close()

    async def generate(self, request: GenerationRequest) -> AsyncIterator[Draft | Status]:
        clock = self._callees[0].clock
        until = clock() + request.deadline + GRACE_SECONDS
        race = Race(self._callees, request, patience=self._patience, clock=clock, jitter=self._jitter)
        try:
            while (stream := await race.step()) is None:
                if (seconds := race.take_busy()) is not None:
                    yield Status("queued", f"Busy: about {max(1.0, seconds):.0f} s.")
            while True:
                try:
                    async with asyncio.timeout(until - clock()):
                        piece = await stream.next()
                except TimeoutError:
                    raise ModelUnavailable("The model was too slow.") from None
                if piece is None:
                    return
                yield piece
        finally:
            await race.close()

    def _most(self) -> Usage:
        """Every model once, and the dearest once more: one retry, and a call for each that has failed."""
        each = [callee.part.most() for callee in self._callees if isinstance(callee.part, Limited)]
        each.append(max(each, key=lambda usage: (usage.cost, usage.input_tokens + usage.output_tokens)))
        return Usage(
            each[0].model,
            sum(usage.input_tokens for usage in each),
            sum(usage.output_tokens for usage in each),
            sum(usage.cost for usage in each),
            sum(usage.calls for usage in each),
        )

    async def _rewrite(self, question: str, history: Sequence[Turn], *, used: Used = unmetered) -> str:
        """One call of the first model that can and may."""
        for callee in self._callees:
            if isinstance(callee.part, Rewrites) and (call := callee.begin(used)):
                return await ask(call, partial(callee.part.rewrite, question, history), seconds=REWRITE_SECONDS)
        raise ModelUnavailable("No model is asked now: all have failed too often.")
