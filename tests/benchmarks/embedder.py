"""Measures the local embedder: seconds, memory, and ranking by vectors alone.

    python tests/benchmarks/embedder.py speed [--folder JAR --pooling cls]
    python tests/benchmarks/embedder.py quality [--folder JAR --pooling cls --query-prefix "Represent this sentence …"]

`quality` needs the pooled MTRAG Cloud passages in $CITEBOT_EVAL_DATA/mtrag-cloud (default ../shared/data). Both print
one JSON object.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import lzma
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from citebot.evaluation import Metric, interval, read_qrels, score_run, write_run
from citebot.model import Embedding
from citebot.ports import PartContext
from citebot_plugins.local.embedder import LocalEmbedder, LocalSettings

DATA = Path(os.environ.get("CITEBOT_EVAL_DATA", "../shared/data")) / "mtrag-cloud"
WORDS = ("storage", "keeps", "objects", "in", "several", "zones", "and", "bills", "each", "request")
METRICS = [Metric.parse(name) for name in ("ndcg@5", "ndcg@10", "recall@10", "mrr@10")]


def resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def rows_of(embedding: Embedding) -> Any:
    return np.frombuffer(embedding.data, "<f2").reshape(-1, embedding.dimensions).astype(np.float32)


async def speed(embedder: LocalEmbedder) -> dict[str, Any]:
    before = resident_mb()
    started = time.perf_counter()
    await embedder.open()
    found: dict[str, Any] = {"open_seconds": round(time.perf_counter() - started, 2), "rss_before_mb": round(before)}
    for tokens in (120, 230, 350):
        text = " ".join(WORDS[n % len(WORDS)] for n in range(tokens - 2))
        best = 0.0
        for _ in range(3):
            started = time.perf_counter()
            await embedder.embed_passages([text] * 60)
            best = max(best, 60 / (time.perf_counter() - started))
        found[f"texts_per_second_{tokens}_tokens"] = round(best, 1)
    seconds = []
    for number in range(200):
        started = time.perf_counter()
        await embedder.embed_query(f"how do I change the billing address of project {number}")
        seconds.append(time.perf_counter() - started)
    found["query_ms_p50"] = round(statistics.median(seconds) * 1000, 2)
    found["rss_mb"] = round(resident_mb())
    return found


async def quality(embedder: LocalEmbedder, run_file: Path | None) -> dict[str, Any]:
    await embedder.open()
    with lzma.open(DATA / "passages.jsonl.xz", "rt", encoding="utf-8") as file:
        passages = [json.loads(line) for line in file]
    started = time.perf_counter()
    embeddings = await embedder.embed_passages([passage["text"] for passage in passages])
    seconds = time.perf_counter() - started
    rows = np.concatenate([rows_of(embedding) for embedding in embeddings])
    firsts = np.cumsum([0, *(embedding.windows for embedding in embeddings)])[:-1]
    covered = set((DATA / "covered_queries.txt").read_text().split())
    queries = [json.loads(line) for line in (DATA / "cloud_lastturn.jsonl").read_text().splitlines()]
    run: dict[str, dict[str, float]] = {}
    for query in queries:
        if query["_id"] in covered:
            vector = rows_of(await embedder.embed_query(query["text"].replace("|user|:", "").strip()))[0]
            best = np.maximum.reduceat(rows @ vector, firsts)
            top = np.argsort(-best)[:100]
            run[query["_id"]] = {passages[n]["_id"]: float(best[n]) for n in top}
    if run_file:
        write_run(run_file, run, tag="vectors")
    grades = {query: graded for query, graded in read_qrels(DATA / "qrels.tsv").items() if query in covered}
    means = {name: interval(list(values.values())) for name, values in score_run(run, grades, metrics=METRICS).items()}
    return {
        "passages": len(passages),
        "vectors": len(rows),
        "embed_seconds": round(seconds),
        "questions": len(grades),
        **{name: [round(value.mean, 3), round(value.low, 3), round(value.high, 3)] for name, value in means.items()},
    }


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["speed", "quality"])
    for name in ("folder", "pooling", "query-prefix", "max-tokens", "window-tokens", "threads"):
        parser.add_argument(f"--{name}")
    parser.add_argument("--run-file", type=Path, help="also write the ranking in TREC's format")
    chosen = {name: value for name, value in vars(parser.parse_args()).items() if value is not None}
    what, run_file = chosen.pop("what"), chosen.pop("run_file", None)
    # Kept between runs, so that memory is that of every start but the very first, which builds the model.
    data_dir = Path(tempfile.gettempdir()) / "citebot-benchmark-embedder"
    embedder = LocalEmbedder(LocalSettings.model_validate(chosen), PartContext(data_dir))
    found = await (speed(embedder) if what == "speed" else quality(embedder, run_file))
    print(json.dumps({"model": embedder.model_id, **found}))
    await embedder.close()


if __name__ == "__main__":
    asyncio.run(main())
