"""Citebot at work on a fake, in this process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Protocol

from citebot.delivery import Delivery


class Delivers(Protocol):
    """The desk of a bot."""

    delivery: Delivery


class Listening(Protocol):
    """A platform that says whether questions come in."""

    @property
    def trouble(self) -> str:
        """Why they do not; empty while they do."""

    async def run(self, desk: Any) -> None:
        """Until cancelled."""


class Waits(Protocol):
    """A fake, of which only this is needed."""

    async def until(self, condition: Callable[[], Any]) -> Any:
        """Wait until a condition is true."""


@asynccontextmanager
async def at_work(desk: Delivers, platform: Listening, fake: Waits) -> AsyncIterator[None]:
    """While it is connected, listens, answers and shows; at the end it is cut off as by a crash."""
    tasks = [asyncio.create_task(desk.delivery.run()), asyncio.create_task(platform.run(desk))]
    try:
        await fake.until(lambda: platform.trouble == "" or any(task.done() for task in tasks))
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        desk.delivery.close()
