"""Measures the document's path: how fast a corpus becomes findable by words, and how memory grows.

    python tests/benchmarks/ingest_speed.py                     # pooled MTRAG Cloud passages, against tantivy alone
    python tests/benchmarks/ingest_speed.py --chunks 1000000    # synthetic documents, memory sampled

The passages are in $CITEBOT_EVAL_DATA/mtrag-cloud (default ../shared/data). Both print one JSON object.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import lzma
import os
import random
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog

from citebot.app.core import FEED_SECONDS
from citebot.ingest import Feeder, SyncProgress, SyncRunner
from citebot.ports import IndexEntry, PartContext, SourceContext
from citebot.settings import IngestSettings
from citebot.storage import Database, schema, sources
from citebot_connectors.sources.jsonl import JsonlSource
from citebot_plugins.embedded.index import EmbeddedIndex
from citebot_plugins.embedded.words import WordIndex

DATA = Path(os.environ.get("CITEBOT_EVAL_DATA", "../shared/data")) / "mtrag-cloud"


def memory_mb() -> tuple[int, int]:
    """Resident memory: our own, and pages of the index's and the database's files, which the system may take back."""
    lines = (line.split() for line in Path("/proc/self/status").read_text().splitlines())
    sizes = {words[0]: int(words[1]) // 1000 for words in lines if words[0] in ("RssAnon:", "RssFile:")}
    return sizes["RssAnon:"], sizes["RssFile:"]


class Line:
    """Source, database and index in a folder of their own."""

    def __init__(self, folder: Path, file: Path) -> None:
        self.database = Database(f"sqlite:///{folder / 'citebot.db'}")
        schema.upgrade(self.database)
        with self.database.write() as tx:
            sources.add(tx, name="corpus", type="jsonl", settings={})
        self.index = EmbeddedIndex(EmbeddedIndex.Settings(), PartContext(folder / "index" / "embedded"))  # type: ignore[arg-type]
        self.feeder = Feeder(self.database, self.index)
        settings = JsonlSource.Settings.model_validate({"path": file, "default_readers": ["everyone"]})
        self._source = JsonlSource(settings, PartContext(folder / "state"))  # type: ignore[arg-type]
        self._context = SourceContext(
            folder / "state", structlog.get_logger(), lambda: False, lambda: datetime.now(UTC)
        )

    async def sync(self, progress: Callable[[SyncProgress], None] | None = None) -> tuple[float, SyncProgress]:
        """One sync with the feeder beside it, as the bot does; seconds until every word is findable."""
        began = time.perf_counter()
        runner = SyncRunner(
            self.database,
            self._source,
            source="corpus",
            context=self._context,
            settings=IngestSettings(),
            progress=progress,
        )
        work = asyncio.create_task(asyncio.to_thread(runner.run))
        while not work.done():
            await asyncio.wait({work}, timeout=FEED_SECONDS)
            await self.feeder.catch_up()
        await self.feeder.catch_up()
        return time.perf_counter() - began, work.result()


def raw_seconds(folder: Path, rows: list[dict[str, Any]]) -> float:
    """The engine's own indexing of the same texts, by its own writer and nothing else."""
    words = WordIndex(folder / "raw", language="en", memory_mb=100)
    entries = [_entry(number, row) for number, row in enumerate(rows)]
    began = time.perf_counter()
    words.apply(entries, [])
    seconds = time.perf_counter() - began
    words.close()
    return seconds


def _entry(number: int, row: dict[str, Any]) -> IndexEntry:
    from citebot.model import Readers

    return IndexEntry(number, "corpus", row["text"], row["title"], Readers.everyone(), "en")


async def corpus(folder: Path) -> dict[str, Any]:
    file = folder / "passages.jsonl"
    file.write_bytes(lzma.decompress((DATA / "passages.jsonl.xz").read_bytes()))
    rows = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    raw = raw_seconds(folder, rows)
    path = Line(folder, file)
    await path.index.open()
    before = time.process_time()
    first, counts = await path.sync()
    processor = time.process_time() - before
    again, same = await path.sync()
    stats = await path.index.stats()
    await path.index.close()
    path.database.close()
    assert stats.passages == counts.chunks
    assert (same.saved, same.chunks) == (0, 0)
    return {
        "documents": len(rows),
        "chunks": counts.chunks,
        "seconds": round(first, 2),
        "documents_per_second": round(len(rows) / first),
        "processor_seconds": round(processor, 2),
        "raw_seconds": round(raw, 2),
        "raw_documents_per_second": round(len(rows) / raw),
        "share_of_raw": round(raw / first, 2),
        "resync_seconds": round(again, 3),
        "resync_share": round(again / first, 3),
    }


def synthetic(chunks: int) -> Iterator[str]:
    """Documents of about one chunk: 120 words drawn as they are in English, most of them rare."""
    chance = random.Random(7)
    words = ["".join(chance.choices("etaoinshrdlucm", k=chance.randint(2, 10))) for _ in range(50_000)]
    weights = [1 / (rank + 10) for rank in range(len(words))]
    pool = chance.choices(words, weights, k=1_000_000)
    for number in range(chunks):
        start = chance.randrange(len(pool) - 120)
        text = " ".join(pool[start : start + 120])
        yield json.dumps({"id": f"doc-{number}", "title": f"Document {number}", "text": text}) + "\n"


async def memory(folder: Path, chunks: int) -> dict[str, Any]:
    file = folder / "synthetic.jsonl"
    with file.open("w", encoding="utf-8") as out:
        out.writelines(synthetic(chunks))
    path = Line(folder, file)
    await path.index.open()
    samples: list[tuple[int, int, int, int]] = []

    def show(state: SyncProgress) -> None:
        done = state.saved
        if (
            not samples
            or done - samples[-1][1] >= chunks // 20
            or (not done and state.listed - samples[-1][0] >= chunks // 4)
        ):
            samples.append((state.listed, done, *memory_mb()))

    seconds, counts = await path.sync(show)
    again, _ = await path.sync()
    samples.append((counts.listed, counts.saved, *memory_mb()))
    await path.index.close()
    path.database.close()
    own = [size for _, done, size, _ in samples if done > chunks // 5]
    return {
        "documents": chunks,
        "chunks": counts.chunks,
        "seconds": round(seconds),
        "documents_per_second": round(chunks / seconds),
        "resync_seconds": round(again, 1),
        "listed_saved_own_mb_files_mb": samples,
        "own_growth_after_a_fifth_mb": max(own) - min(own),
    }


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chunks", type=int, help="measure memory with as many synthetic documents")
    chosen = parser.parse_args()
    if not chosen.chunks and not DATA.exists():
        parser.error(f"{DATA} is absent; set CITEBOT_EVAL_DATA to the folder that holds mtrag-cloud")
    folder = Path(tempfile.mkdtemp(prefix="citebot-ingest-"))
    try:
        found = await (memory(folder, chosen.chunks) if chosen.chunks else corpus(folder))
    finally:
        shutil.rmtree(folder)
    print(json.dumps(found))


if __name__ == "__main__":
    asyncio.run(main())
