"""A folder of 100,000 files: listing, first sync, sync without change, a renamed folder, and the memory of all that.

    python tests/benchmarks/files_scale.py [--files 100000] [--json FILE]

Small files in folders of a hundred, words alone: what is measured is the source and the runner, not a model. Memory is
measured in processes of their own: of the runner alone, of the runner and the index as they are used, and of both with
an allocator that gives back at once what is free. What the first two differ in is the index; what the last two differ
in is free memory that the process keeps.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog

from citebot.app import open_citebot
from citebot.app.core import Citebot
from citebot.ingest import SyncProgress, SyncRunner
from citebot.logging_setup import configure_logging
from citebot.pluginmanager import PluginManager
from citebot.ports import PartContext, SourceContext
from citebot.settings import IngestSettings, LogSettings, load_settings
from citebot.storage import Database, schema, sources
from citebot_connectors.sources.files import FilesSource

IN_A_FOLDER, IN_A_TEAM = 100, 10_000
WORDS = [f"{word}{number}" for word in ("leave", "travel", "invoice", "printer", "badge") for number in range(200)]
EAGER = {"MALLOC_ARENA_MAX": "1", "MALLOC_TRIM_THRESHOLD_": "65536"}


def make(folder: Path, count: int) -> None:
    """The files: `team-3/topic-312/page-31207.md`, of eighty words each."""
    chance = random.Random(7)
    for number in range(count):
        home = folder / f"team-{number // IN_A_TEAM}" / f"topic-{number // IN_A_FOLDER}"
        if number % IN_A_FOLDER == 0:
            home.mkdir(parents=True)
        text = " ".join(chance.choices(WORDS, k=80))
        (home / f"page-{number}.md").write_text(f"# Page {number}\n\n{text}\n")


def own_mb() -> float:
    """Resident memory without the pages of files, which the system may take back."""
    status = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in status if line.startswith("RssAnon:"))


def walked(folder: str) -> int:
    """What the system itself takes: the names and the facts of every file."""
    found = 0
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir():
                found += walked(entry.path)
            else:
                entry.stat()
                found += 1
    return found


class Samples:
    """Memory while a first sync goes on."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._taken: list[tuple[int, float]] = []

    def note(self, state: SyncProgress) -> None:
        if not self._taken or state.saved - self._taken[-1][0] >= self._count // 100:
            self._taken.append((state.saved, own_mb()))

    def figures(self) -> dict[str, float]:
        fifth = max(mb for saved, mb in self._taken if saved <= self._count // 5)
        peak = max(mb for _, mb in self._taken)
        return {
            "own_mb_at_first": round(self._taken[0][1]),
            "own_mb_after_a_fifth": round(fifth),
            "own_mb_in_all": round(peak),
        }


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds, and what came of it."""
    began = time.perf_counter()
    result = work()
    return time.perf_counter() - began, result


def listing(docs: Path, ctx: SourceContext) -> dict[str, Any]:
    """The source's part of a poll."""
    source = files(docs)
    raw, found = timed(lambda: walked(str(docs)))
    seconds, refs = timed(lambda: sum(len(batch.items) for batch in source.list(ctx, None)))
    watching, _ = timed(lambda: source.stamp(ctx))
    assert refs == found
    tracemalloc.start()
    for _ in source.list(ctx, None):
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return {
        "seconds": round(seconds, 2),
        "raw_seconds": round(raw, 2),
        "stamp_seconds": round(watching, 2),
        "peak_mb": round(peak / 1e6, 1),
    }


def files(docs: Path) -> FilesSource:
    settings = FilesSource.Settings.model_validate({"path": docs, "watch": True})
    return FilesSource(settings, PartContext(docs))  # type: ignore[arg-type]


def context(folder: Path) -> SourceContext:
    return SourceContext(folder, structlog.get_logger(), lambda: False, lambda: datetime.now(UTC))


def alone(docs: Path, count: int, folder: Path) -> dict[str, Any]:
    """The runner with a database and nothing else."""
    database = Database(f"sqlite:///{folder / 'citebot.db'}")
    schema.upgrade(database)
    with database.write() as tx:
        sources.add(tx, name="docs", type="files", settings={})
    samples = Samples(count)
    runner = SyncRunner(
        database,
        files(docs),
        source="docs",
        context=context(folder),
        settings=IngestSettings(),
        progress=samples.note,
    )
    seconds, _ = timed(runner.run)
    database.close()
    return {"seconds": round(seconds, 1), "files_per_second": round(count / seconds), **samples.figures()}


async def together(docs: Path, count: int, folder: Path) -> dict[str, Any]:
    """As it is used: the index follows while the runner reads; then polls, after which nothing or something changed."""
    settings = load_settings(overrides={"data_dir": str(folder), "embedder.use": "none", "reranker.use": ""})
    samples = Samples(count)
    async with open_citebot(settings, PluginManager.load(settings), owner=True) as bot:
        with bot.database.write() as tx:
            sources.add(tx, name="docs", type="files", settings={"path": str(docs)})
        began = time.perf_counter()
        await bot.sync("docs", progress=samples.note)
        first = time.perf_counter() - began
        return {
            "seconds": round(first, 1),
            "files_per_second": round(count / first),
            **samples.figures(),
            "without_change": await poll(bot, first),
            "renamed": await poll(bot, first, rename(docs)),
            "edited": await poll(bot, first, edit(docs, count)),
        }


async def poll(bot: Citebot, first: float, changed: int = 0) -> dict[str, Any]:
    """A sync, after so many files have changed."""
    began = time.perf_counter()
    counts = await bot.sync("docs")
    seconds = time.perf_counter() - began
    return {
        "files": changed,
        "seconds": round(seconds, 2),
        "share_of_first": round(seconds / first, 3),
        "fetched": counts.done,
        "removed": counts.removed,
        "new_passages": counts.chunks,
    }


def rename(docs: Path) -> int:
    """Give most of the folders another name; how many files are in them."""
    teams = sorted(docs.iterdir())
    for team in teams[: max(1, len(teams) * 6 // 10)]:
        team.rename(docs / f"renamed-{team.name}")
    return sum(1 for _ in docs.glob("renamed-*/*/*"))


def edit(docs: Path, count: int) -> int:
    """Edit one file in a hundred."""
    chosen = sorted(docs.rglob("*.md"))[::100]
    for path in chosen:
        path.write_text(path.read_text() + "\nOne more line.\n")
    return len(chosen)


def in_a_process(part: str, docs: Path, count: int, **environment: str) -> dict[str, Any]:
    """The figures of one part, from a fresh process."""
    command = [sys.executable, __file__, "--files", str(count), "--part", part, "--docs", str(docs)]
    done = subprocess.run(command, env={**os.environ, **environment}, stdout=subprocess.PIPE, check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def parts(count: int) -> Iterator[tuple[str, dict[str, Any]]]:
    with tempfile.TemporaryDirectory() as folder:
        docs = Path(folder) / "docs"
        make(docs, count)
        yield "listing", listing(docs, context(docs))
        yield "runner alone", in_a_process("alone", docs, count)
        free = in_a_process("together", docs, count, **EAGER)
        memory = ("own_mb_at_first", "own_mb_after_a_fifth", "own_mb_in_all")
        yield "with the index, freeing at once", {key: free[key] for key in memory}
    with tempfile.TemporaryDirectory() as folder:
        docs = Path(folder) / "docs"
        make(docs, count)
        yield "with the index", in_a_process("together", docs, count)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--part", choices=["alone", "together"], help=argparse.SUPPRESS)
    parser.add_argument("--docs", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    configure_logging(LogSettings())
    if options.part:
        with tempfile.TemporaryDirectory() as made:
            folder = Path(made)
            work = alone(options.docs, options.files, folder) if options.part == "alone" else None
            print(json.dumps(work or asyncio.run(together(options.docs, options.files, folder))))
        return
    found = {"files": options.files, **dict(parts(options.files))}
    print(json.dumps(found, indent=2))
    if options.json:
        options.json.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
