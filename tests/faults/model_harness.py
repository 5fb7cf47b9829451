"""Generators over fakes of real providers, behind the core's own time limits, and a document to ask about."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from citebot.app.lazy import LazyGenerator
from citebot.calls import Calls, CarefulGenerator, Patience
from citebot.model import Answer, Done, TextDelta
from citebot.ports import Generator, PartContext
from citebot.testing.models.cohere import FakeCohere
from citebot.testing.models.openai import FakeOpenAI
from citebot.testing.models.server import ModelServer
from citebot.testing.small_world import Page, SmallWorld, ask
from citebot_plugins.cohere.generator import CohereGenerator
from citebot_plugins.openai_compatible.generator import OpenAICompatibleGenerator

LEAVE = "Employees get 26 days of paid annual leave in a calendar year. Leave is requested in Perch."
QUESTION = "How many days of paid annual leave do employees get?"
T = TypeVar("T")
PATIENT = 300.0  # seconds that a part itself would wait: ours are shorter


def fakes() -> list[ModelServer]:
    """One of each provider."""
    return [FakeOpenAI(), FakeCohere()]


def generator_for(server: ModelServer, *, url: str = "") -> Generator:
    """The provider's part, with limits of its own that never matter."""
    key = server.key  # type: ignore[attr-defined]  # all have one
    values: dict[str, Any] = {"api_key": key, "connect_seconds": PATIENT, "read_seconds": PATIENT}
    context = PartContext(data_dir=Path())
    if isinstance(server, FakeCohere):
        values["base_url"] = url or server.url
        return CohereGenerator(CohereGenerator.Settings(**values), context)
    values |= {"base_url": f"{url or server.url}/v1", "model": "chat-1"}
    return OpenAICompatibleGenerator(OpenAICompatibleGenerator.Settings(**values), context)


def careful(*parts: Generator, **patience: float) -> tuple[CarefulGenerator, Calls]:
    """As the core makes it from the settings."""
    calls = Calls()
    callees = [calls.add("generator", LazyGenerator(part), name=part.name) for part in parts]
    generator = CarefulGenerator(callees, patience=Patience(**patience), jitter=lambda most: 0.1 * most)
    return generator, calls


@asynccontextmanager
async def closing(made: tuple[CarefulGenerator, Calls]) -> AsyncIterator[tuple[CarefulGenerator, Calls]]:
    """Its parts leave no connection open."""
    try:
        yield made
    finally:
        await made[0].close()


@dataclass(frozen=True, slots=True)
class Said:
    """One answer."""

    answer: Answer
    seconds: float
    first: float | None
    """Seconds to its first text."""
    trace: dict[str, Any]


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[SmallWorld]:
    """One page about leave."""
    world = SmallWorld(folder)
    await world.open()
    await world.add([Page(LEAVE, title="Leave")])
    yield world
    await world.close()


async def say(world: SmallWorld, generator: Generator, *, deadline: float = 30.0) -> Said:
    """Ask the whole path."""
    began, first = time.monotonic(), None
    traces: list[dict[str, Any]] = []

    async def keep(answer: Answer, trace: dict[str, Any]) -> None:
        traces.append(trace)

    async for event in world.path(generator, deadline=deadline).answer(ask(QUESTION), keep=keep):
        if isinstance(event, TextDelta) and first is None:
            first = time.monotonic() - began
        if isinstance(event, Done):
            return Said(event.answer, time.monotonic() - began, first, traces[0])
    raise AssertionError("there was no end")


@contextmanager
def nobody_accepts() -> Iterator[str]:
    """The address of a server whose queue is full: whoever connects waits."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        waiting: Sequence[socket.socket] = [socket.socket() for _ in range(4)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(listening.getsockname())
        time.sleep(0.1)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        for each in waiting:
            each.close()


async def together(count: int, work: Callable[[], Awaitable[T]], *, lanes: int = 4) -> list[T]:
    """So many, a few at the same time; they do not begin or end in step."""
    left = iter(range(count))

    async def lane(number: int) -> list[T]:
        await asyncio.sleep(0.25 * number)
        return [await work() for _ in left]

    return [each for made in await asyncio.gather(*map(lane, range(lanes))) for each in made]
