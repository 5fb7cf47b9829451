"""Our own share of the time to the first text: question to first streamed sentence, without index and models.

    python tests/benchmarks/overhead.py [--questions 1000] [--json FILE]

Asks the questions of the sample company, each as its person, over and over, and reads the figures from the traces.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
from contextlib import aclosing
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from citebot.app import Citebot, open_citebot
from citebot.app.sources import add_source
from citebot.cli.demo import OWN_RULES, SAMPLE
from citebot.evaluation import EvalQuestion, load_questions
from citebot.model import Answer
from citebot.pluginmanager import PluginManager
from citebot.settings import Settings, load_settings


async def measure(settings: Settings, count: int) -> dict[str, Any]:
    """Index the sample company and ask."""
    plugins = PluginManager.load(settings)
    async with open_citebot(settings, plugins, owner=True) as bot:
        values = {"path": str(SAMPLE), "exclude": ["README.md"], **OWN_RULES}
        add_source(bot.database, plugins, settings, kind="files", name="company", values=values)
        await bot.sync("company")
        assert bot.embedding is not None
        await bot.embedding.run_once()
        await bot.feeder.catch_up()
        traces = [await ask(bot, asked) for asked in islice(cycle(load_questions(SAMPLE / "questions.jsonl")), count)]
    shown = [trace for trace in traces if "own_ms" in trace]
    return {
        "questions": len(traces),
        "with_text": len(shown),
        "own_ms": spread([trace["own_ms"] for trace in shown]),
        "first_text_ms": spread([trace["first_text_ms"] for trace in shown]),
        "total_ms": spread([trace["total_ms"] for trace in traces]),
    }


async def ask(bot: Citebot, asked: EvalQuestion) -> dict[str, Any]:
    """The trace of one answer, which is not stored."""
    traces: list[dict[str, Any]] = []

    async def keep(answer: Answer, trace: dict[str, Any]) -> None:
        traces.append(trace)

    question = await bot.question(asked.question, history=asked.history, person=asked.person)
    async with aclosing(bot.path.answer(question, keep=keep)) as events:
        async for _ in events:
            pass
    return traces[-1]


def spread(values: list[float]) -> dict[str, float]:
    """Median, 95th percentile and maximum."""
    cuts = statistics.quantiles(values, n=100, method="inclusive")
    return {"p50": round(cuts[49], 2), "p95": round(cuts[94], 2), "max": round(max(values), 2)}


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--questions", type=int, default=1000)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        settings = load_settings(None, overrides={"data_dir": Path(folder)})
        result = asyncio.run(measure(settings, options.questions))
    text = json.dumps(result, indent=2)
    if options.json:
        options.json.write_text(text + "\n", "utf-8")
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    main()
