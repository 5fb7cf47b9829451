"""What the core adds between a model's first piece of text and whoever reads: its guard alone, and the whole path.

    python tests/benchmarks/model_overhead.py [--streams 1000] [--json FILE]

The model is a stream of pieces with a moment before each, as a provider's; every piece notes when it was given out. Raw
and guarded streams take turns in one run, so that the machine is the same for both.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel

from citebot.calls import Calls, CarefulGenerator
from citebot.model import Status, TextDelta
from citebot.ports import Draft, GenerationRequest, Generator, NoSettings
from citebot.testing.contract_generator import passages
from citebot.testing.small_world import Page, SmallWorld, ask

TEXT = "Employees get 26 days of paid annual leave in a calendar year. [1]\n\nLeave is requested in Perch. [1]\n\n"
PAGE = "Employees get 26 days of paid annual leave in a calendar year. Leave is requested in Perch."
PAUSE = 0.002


class Model:
    """Gives out a word at a time."""

    name: ClassVar[str] = "model"
    summary: ClassVar[str] = "A stream of words"
    Settings: ClassVar[type[BaseModel]] = NoSettings

    def __init__(self) -> None:
        self.given: list[float] = []
        self.sentence = 0.0
        """When the last word of the first sentence was given out: before it there is nothing to check."""

    async def open(self) -> None:
        """Nothing to load."""

    async def close(self) -> None:
        """Nothing to free."""

    async def generate(self, request: GenerationRequest) -> AsyncIterator[Draft | Status]:
        """The words of `TEXT`."""
        self.given, self.sentence = [], 0.0
        for word in TEXT.split(" "):
            await asyncio.sleep(PAUSE)
            self.given.append(time.perf_counter())
            if not self.sentence and "\n\n" in word:
                self.sentence = self.given[-1]
            yield Draft(word + " ")


async def read(model: Model, generator: Generator) -> tuple[float, float]:
    """How long after they were given out the first piece and, on average, all pieces were read, in ms."""
    late = []
    async for piece in generator.generate(GenerationRequest("?", "?", passages(), deadline=30.0)):
        if isinstance(piece, Draft):
            late.append(time.perf_counter() - model.given[len(late)])
    return late[0] * 1000, statistics.fmean(late) * 1000


async def shown(model: Model, world: SmallWorld, generator: Generator) -> float:
    """How long after the model's first sentence was whole its text was given out, checked, in ms."""
    events = world.path(generator).answer(ask("How many days of paid annual leave do employees get?"))
    late = [time.perf_counter() - model.sentence async for event in events if isinstance(event, TextDelta)]
    return late[0] * 1000


async def measure(streams: int) -> dict[str, Any]:
    """Raw and guarded streams in turn, then the whole path with both."""
    model, calls = Model(), Calls()
    guarded = CarefulGenerator([calls.add("generator", model, name=model.name)])
    raw_reads, guarded_reads = [], []
    for _ in range(streams):
        raw_reads.append(await read(model, model))
        guarded_reads.append(await read(model, guarded))
    with tempfile.TemporaryDirectory() as folder:
        world = SmallWorld(Path(folder))
        await world.open()
        await world.add([Page(PAGE, title="Leave")])
        raw_path, guarded_path = [], []
        for _ in range(max(100, streams // 5)):
            raw_path.append(await shown(model, world, model))
            guarded_path.append(await shown(model, world, guarded))
        await world.close()
    first = {"raw": [one[0] for one in raw_reads], "guarded": [one[0] for one in guarded_reads]}
    each = {"raw": [one[1] for one in raw_reads], "guarded": [one[1] for one in guarded_reads]}
    path = {"raw": raw_path, "guarded": guarded_path}
    return {
        "streams": streams,
        "first_piece_ms": compared(first),
        "any_piece_ms": compared(each),
        "first_text_of_the_path_ms": compared(path),
    }


def compared(values: dict[str, list[float]]) -> dict[str, Any]:
    """Spreads, and what the guard adds."""
    spreads = {name: spread(numbers) for name, numbers in values.items()}
    return {**spreads, "p95_added": round(spreads["guarded"]["p95"] - spreads["raw"]["p95"], 3)}


def spread(values: list[float]) -> dict[str, float]:
    """Median, 95th percentile and maximum."""
    cuts = statistics.quantiles(values, n=100, method="inclusive")
    return {"p50": round(cuts[49], 3), "p95": round(cuts[94], 3), "max": round(max(values), 3)}


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--streams", type=int, default=1000)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    text = json.dumps(asyncio.run(measure(options.streams)), indent=2)
    if options.json:
        options.json.write_text(text + "\n", "utf-8")
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    main()
