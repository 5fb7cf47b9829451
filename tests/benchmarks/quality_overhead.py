"""Our own share of the time from a question to its first text: everything but index, models and generator.

    python tests/benchmarks/quality_overhead.py [--data ../shared/data] [--work /tmp/citebot-quality]

1,000 different questions (ClapNQ and MTRAG) are asked over the 11,702 passages of MTRAG Cloud, below any threshold.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
from pathlib import Path
from typing import Any

from quality_mtrag import mtrag_passages, mtrag_turns
from quality_world import open_world, question, table

from citebot.model import Answer
from citebot_plugins.local.embedder import LocalSettings

QUESTIONS = 1_000
STAGES = ("contextualise", "fuse", "load", "collapse")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--work", type=Path, default=Path("/tmp/citebot-quality"))
    parser.add_argument("--index", default="citebot_plugins.embedded:EmbeddedIndex")
    parser.add_argument("--json", type=Path, help="write the figures here as well")
    arguments = parser.parse_args()
    if not arguments.data.is_dir():
        raise SystemExit(f"{arguments.data} is not there: the data is public, see docs/answering.md for its origin.")
    asyncio.run(run(arguments))


async def run(arguments: argparse.Namespace) -> None:
    passages = mtrag_passages(arguments.data / "mtrag-cloud")
    world = await open_world(arguments.work / "mtrag", passages, index=arguments.index, embedder=LocalSettings())
    path = world.path(threshold=0.0)
    traces: list[dict[str, Any]] = []

    async def keep(answer: Answer, trace: dict[str, Any]) -> None:
        traces.append(trace)

    try:
        for history, last in _questions(arguments.data)[: QUESTIONS + 1]:
            async for _ in path.answer(question(last, history), keep=keep):
                pass
    finally:
        await world.index.close()
        await world.embedder.close()
        world.database.close()
    figures = _figures(traces[1:])  # the first one loads the model
    print(table(["stage", "p50 ms", "p95 ms"], [[n, f"{m:.1f}", f"{high:.1f}"] for n, (m, high) in figures.items()]))
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2))


def _figures(traces: list[dict[str, Any]]) -> dict[str, tuple[float, float]]:
    spent: dict[str, list[float]] = {"own, to the first text": [t["own_ms"] for t in traces if "own_ms" in t]}
    for name in STAGES:
        spent[name] = [entry["ms"] for trace in traces for entry in trace["stages"] if entry["stage"] == name]
    print(f"{len(traces)} questions, {len(spent['own, to the first text'])} with text")
    return {name: (statistics.median(values), _p95(values)) for name, values in spent.items()}


def _p95(values: list[float]) -> float:
    return sorted(values)[int(0.95 * len(values))]


def _questions(data: Path) -> list[tuple[list[str], str]]:
    """History and last turn; the same question never twice in a row."""
    asked = [(turns[:-1], turns[-1]) for turns in mtrag_turns(data / "mtrag-cloud").values()]
    for name in ("answerable", "unanswerable"):
        lines = (data / "clapnq-dev" / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
        asked += [([], json.loads(line)["input"]) for line in lines]
    again = [([], f"Tell me more: {last}") for _, last in asked]
    return asked + again


if __name__ == "__main__":
    main()
