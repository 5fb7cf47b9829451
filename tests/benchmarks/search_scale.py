"""The embedded index at scale: build, memory, latency and recall at several selectivities of the readers' filter.

    python tests/benchmarks/search_scale.py --chunks 200000 [--queries 200] [--folder DIR] [--json FILE]

Texts are made of a Zipf vocabulary of made-up words, four chunks a document. Vectors are a mixture: a common direction,
domains, topics, documents and chunks, with a spectrum that decays as those of a real sentence encoder do; queries lie
near a document. Recall is measured against comparing every allowed vector; "raw" is the same search by tantivy and
faiss or numpy alone, with the same filter, in the same run.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from citebot.model import Audience, Embedding, Readers, group_principal
from citebot.ports import IndexChanges, IndexEntry, IndexQuery, PartContext
from citebot_plugins.embedded.index import EmbeddedIndex
from citebot_plugins.embedded.settings import EmbeddedSettings

Floats = NDArray[np.float32]
DIMENSIONS = 384
BATCH = 5_000
WORDS_PER_CHUNK = 120
SELECTIVITIES = {"all": 1.0, "tenth": 0.1, "hundredth": 0.01, "thousandth": 0.001}
COMMONEST = 150
MODEL = "synthetic"


class Corpus:
    """The same chunks for the same seed, block by block."""

    def __init__(self, chunks: int, seed: int = 7) -> None:
        self.chunks = chunks
        self._seed = seed
        rng = np.random.default_rng(seed)
        spread = (np.arange(DIMENSIONS) + 6) ** -0.55
        self._spread = (spread / np.sqrt((spread**2).sum())).astype(np.float32)
        self._topics = max(40, chunks // 200)
        domains = max(6, self._topics // 50)
        self._common = self._noise(rng, 1)
        self._domain = self._noise(rng, domains)
        self._topic = self._noise(rng, self._topics)
        self._domain_of = rng.integers(0, domains, self._topics)
        syllables = ["ka", "lo", "mi", "tu", "re", "san", "vel", "dor", "nex", "pri", "qua", "bel"]
        self.words = np.array(
            [
                " ".join(syllables[d] for d in np.unravel_index(n, (12, 12, 12, 12))).replace(" ", "")
                for n in rng.permutation(20_000)
            ]
        )
        weight = 1.0 / np.arange(1, len(self.words) + 1) ** 0.9
        self._zipf = weight / weight.sum()

    def batches(self) -> Iterator[tuple[int, list[str], Floats]]:
        """(first id, texts, vectors) of each block."""
        for first in range(1, self.chunks + 1, BATCH):
            size = min(BATCH, self.chunks + 1 - first)
            rng = np.random.default_rng((self._seed, first))
            picks = self.words[rng.choice(len(self.words), (size, WORDS_PER_CHUNK), p=self._zipf)]
            yield first, [" ".join(row) for row in picks], self._vectors(rng, size)

    def queries(self, count: int) -> tuple[list[str], Floats]:
        """Questions of five content words, and vectors as near to a topic as a chunk is."""
        rng = np.random.default_rng((self._seed, 0))
        # The commonest words stand for stop words, which a question loses before it gets here.
        content = self._zipf[COMMONEST:] / self._zipf[COMMONEST:].sum()
        picks = self.words[COMMONEST:][rng.choice(len(content), (count, 5), p=content)]
        return [" ".join(row) for row in picks], self._vectors(rng, count)

    def _vectors(self, rng: np.random.Generator, size: int) -> Floats:
        documents = -(-size // 4)
        topic, other = rng.integers(0, self._topics, (2, documents))
        share = rng.uniform(0.5, 1.0, (documents, 1)).astype(np.float32)
        base = 0.42 * self._common + 0.35 * self._domain[self._domain_of[topic]]
        base = base + 0.45 * (share * self._topic[topic] + (1 - share) * self._topic[other])
        base = base + 0.40 * self._noise(rng, documents)
        rows = np.repeat(base, 4, axis=0)[:size] + 0.50 * self._noise(rng, size)
        unit: Floats = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
        return unit

    def _noise(self, rng: np.random.Generator, count: int) -> Floats:
        noise: Floats = rng.standard_normal((count, DIMENSIONS), dtype=np.float32) * self._spread
        return noise


def readers_of(key: int) -> Readers:
    """Every chunk for all, every tenth also for `tenth`, and so on."""
    groups = [name for name, share in SELECTIVITIES.items() if key % round(1 / share) == 0]
    return Readers.of(groups=groups)


async def build(index: EmbeddedIndex, corpus: Corpus) -> dict[str, Any]:
    """Feed everything through the port, then wait for the approximate index."""
    words = vectors = 0.0
    rss: list[float] = []
    for first, texts, rows in corpus.batches():
        entries = tuple(
            IndexEntry(first + n, "bench", text, text[:60], readers_of(first + n)) for n, text in enumerate(texts)
        )
        began = time.perf_counter()
        await index.apply(IndexChanges(seq=2 * first, puts=entries))
        words += time.perf_counter() - began
        made = tuple((first + n, Embedding(DIMENSIONS, row.tobytes())) for n, row in enumerate(rows.astype("<f2")))
        began = time.perf_counter()
        await index.apply(IndexChanges(seq=2 * first + 1, vectors=made, vector_model=MODEL))
        vectors += time.perf_counter() - began
        rss.append(anonymous_mb())
    began = time.perf_counter()
    if index._builder is not None:
        await index._builder
    return {
        "words_per_second": round(corpus.chunks / words),
        "vectors_per_second": round(corpus.chunks / vectors),
        "approximate_seconds": round(time.perf_counter() - began, 1),
        "anonymous_mb_first_tenth": round(max(rss[: max(1, len(rss) // 10)])),
        "anonymous_mb_end": round(rss[-1]),
        "disk_mb": round((await index.stats()).bytes / 1e6),
    }


async def measure(index: EmbeddedIndex, corpus: Corpus, count: int) -> dict[str, Any]:
    """Latency and recall per selectivity."""
    texts, rows = corpus.queries(count)
    results: dict[str, Any] = {}
    for name in SELECTIVITIES:
        audience = Audience(frozenset({group_principal(name)}))
        legs: dict[str, list[float]] = {"words": [], "hybrid": []}
        found: list[list[int]] = []
        for text, row in zip(texts, rows, strict=True):
            vector = Embedding(DIMENSIONS, row.astype("<f2").tobytes())
            for leg, query in (
                ("words", IndexQuery(audience, text)),
                ("hybrid", IndexQuery(audience, text, vector=vector, vector_model=MODEL)),
            ):
                began = time.perf_counter()
                hits = await index.search(query)
                legs[leg].append((time.perf_counter() - began) * 1000)
            scores = hits.legs["vectors"]
            found.append(sorted(scores, key=lambda key: -scores[key])[:10])
        results[name] = {
            **{f"{leg}_ms": spread(values[count // 10 :]) for leg, values in legs.items()},
            "raw_ms": measure_raw(index, corpus, count, name),
            "recall_at_10": round(recall(index, name, rows, found), 4),
        }
    return results


def recall(index: EmbeddedIndex, name: str, rows: Floats, found: list[list[int]]) -> float:
    """Share of the true ten nearest allowed chunks that were found."""
    view = index._opened()._vectors.view  # type: ignore[union-attr]  # built above
    matrix, keys = view.matrix, view.keys
    allowed = np.flatnonzero(keys % round(1 / SELECTIVITIES[name]) == 0)
    shares = []
    for row, got in zip(rows, found, strict=True):
        scores = (matrix @ row)[allowed] if len(allowed) > len(keys) // 4 else matrix[allowed] @ row
        wanted = min(10, len(allowed))
        top = allowed[np.argpartition(-scores, wanted - 1)[:wanted]]
        shares.append(len(set(keys[top].tolist()) & set(got)) / wanted)
    return statistics.fmean(shares)


def measure_raw(index: EmbeddedIndex, corpus: Corpus, count: int, name: str) -> dict[str, Any]:
    """The engines alone: tantivy over text and heading, and faiss over the same lists or numpy over all rows.

    Filtered like the index, with the bitmap made beforehand, and without looking at what comes back.
    """
    legs = index._opened()
    view, near = legs._vectors.view, legs._vectors._near  # type: ignore[union-attr]  # built above
    allowed = view.keys % round(1 / SELECTIVITIES[name]) == 0
    rows_allowed = np.flatnonzero(allowed)
    audience = Audience(frozenset({group_principal(name)}))
    times = []
    for text, row in zip(*corpus.queries(count), strict=True):
        began = time.perf_counter()
        words = legs._words
        searcher = words._index.searcher()
        for field in ("text", "heading"):
            words._run(searcher, words._words(field, text, 1.0), words._filter(audience, ()), 200)
        if near.ready and len(rows_allowed) > 0.02 * view.rows:
            near.search(row, allowed, 400)
        else:
            scores = view.matrix[rows_allowed] @ row
            np.argpartition(-scores, min(400, len(scores)) - 1)
        times.append((time.perf_counter() - began) * 1000)
    return spread(times[count // 10 :])


def spread(values: list[float]) -> dict[str, float]:
    """Median and 95th percentile."""
    cuts = statistics.quantiles(values, n=100, method="inclusive")
    return {"p50": round(cuts[49], 2), "p95": round(cuts[94], 2)}


def anonymous_mb() -> float:
    """Memory of our own, without the mapped files that the kernel may drop at any time."""
    lines = Path("/proc/self/status").read_text("utf-8").splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) / 1000


async def run(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    index = EmbeddedIndex(EmbeddedSettings(), PartContext(folder / "index"))
    await index.open()
    corpus = Corpus(options.chunks)
    try:
        result: dict[str, Any] = {"chunks": options.chunks, "build": await build(index, corpus)}
        result["search"] = await measure(index, corpus, options.queries)
        result["peak_rss_mb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000)
        began = time.perf_counter()
        await index.close()
        await index.open()
        result["open_seconds"] = round(time.perf_counter() - began, 2)
    finally:
        await index.close()
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chunks", type=int, default=200_000)
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--folder", type=Path, default=None, help="where to build (default: a temporary folder)")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(dir=options.folder))
    try:
        text = json.dumps(asyncio.run(run(options, folder)), indent=2)
    finally:
        shutil.rmtree(folder)
    if options.json:
        options.json.write_text(text + "\n", "utf-8")
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    main()
