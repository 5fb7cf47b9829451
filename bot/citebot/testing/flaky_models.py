"""A generator that does what it is told, call after call: waits, text, errors."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import ClassVar

from pydantic import BaseModel

from citebot.model import Status
from citebot.ports import Draft, GenerationRequest, NoSettings, PartContext, Usage

Step = float | str | Exception | Usage
"""Seconds to wait, a piece of text, an error to raise, what it says it has used."""
FOR_EVER = 1e9


class FlakyGenerator:
    """Each call takes the next of `calls`; the last one goes on for all that follow."""

    name: ClassVar[str] = "flaky"
    summary: ClassVar[str] = "Fails as the test says"
    Settings: ClassVar[type[BaseModel]] = NoSettings

    def __init__(self, *calls: Sequence[Step], stubborn: float = 0.0, context: PartContext | None = None) -> None:
        self._calls = list(calls)
        self._stubborn = stubborn
        self.asked: list[float] = []
        """When it was called, by the loop's clock."""
        self.requests: list[GenerationRequest] = []
        self.closed = 0
        """Calls that were left before their end."""
        self.mended = 0
        """Of those, the ones that had the time they needed for it."""

    async def open(self) -> None:
        """Nothing to load."""

    async def close(self) -> None:
        """Nothing to free."""

    async def generate(self, request: GenerationRequest) -> AsyncIterator[Draft | Status]:
        """One call. When it is left, a stubborn one goes on for so many seconds."""
        self.asked.append(asyncio.get_running_loop().time())
        self.requests.append(request)
        steps = self._calls[0] if len(self._calls) == 1 else self._calls.pop(0)
        try:
            for step in steps:
                match step:
                    case str():
                        yield Draft(step)
                    case Usage():
                        request.used(step)
                    case Exception():
                        raise step
                    case _:
                        await asyncio.sleep(step)
        except (GeneratorExit, asyncio.CancelledError):
            self.closed += 1
            if self._stubborn:
                await asyncio.sleep(self._stubborn)
            self.mended += 1
            raise


class CostlyGenerator(FlakyGenerator):
    """One that is `Limited`."""

    name: ClassVar[str] = "costly"

    def most(self) -> Usage:
        """Ten tokens of each kind."""
        return Usage("costly-1", 10, 10, 5)
