"""Retrieval on pooled MTRAG Cloud through the product's own path: last turn and history, never the rewrites.

python tests/benchmarks/quality_mtrag.py [--data ../shared/data] [--work /tmp/citebot-quality]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import lzma
from collections.abc import Mapping, Sequence
from pathlib import Path

from quality_world import Text, World, heading_line, open_world, question, table

from citebot.answering.contextualise import Contextualiser
from citebot.answering.fuse import Fusion, Weights
from citebot.answering.retrieve import Retriever
from citebot.evaluation import Metric, paired, read_qrels, score_run
from citebot.ports import IndexHits
from citebot.settings import AnsweringSettings
from citebot_plugins.local.embedder import LocalSettings

METRICS = tuple(Metric.parse(name) for name in ("ndcg@5", "ndcg@10", "recall@10", "mrr@10"))
BASELINES = ("words only", "vectors only", "RRF 60")
Run = dict[str, dict[str, float]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--work", type=Path, default=Path("/tmp/citebot-quality"))
    parser.add_argument("--index", default="citebot_plugins.embedded:EmbeddedIndex")
    parser.add_argument("--index-settings", type=json.loads, default={}, help="JSON, such as the url of a server")
    parser.add_argument("--json", type=Path, help="write the figures here as well")
    arguments = parser.parse_args()
    folder = arguments.data / "mtrag-cloud"
    if not folder.is_dir():
        raise SystemExit(f"{folder} is not there: the data is public, see docs/answering.md for where it comes from.")
    asyncio.run(run(folder, arguments))


async def run(folder: Path, arguments: argparse.Namespace) -> None:
    world = await open_world(
        arguments.work / "mtrag",
        mtrag_passages(folder),
        index=arguments.index,
        embedder=LocalSettings(),
        index_settings=arguments.index_settings,
    )
    try:
        covered = set((folder / "covered_queries.txt").read_text().split())
        turns = mtrag_turns(folder)
        qrels = {query: grades for query, grades in read_qrels(folder / "qrels.tsv").items() if query in covered}
        runs = await system_runs(world, {query: turns[query] for query in qrels})
    finally:
        await world.index.close()
        await world.embedder.close()
        world.database.close()
    report = _report(runs, qrels)
    print(report["text"])
    if arguments.json:
        arguments.json.write_text(json.dumps(report["figures"], indent=2))


async def system_runs(world: World, asked: dict[str, list[str]]) -> dict[str, Run]:
    """Each system's scores per question, from one search per question."""
    names = {number: name for name, number in world.ids.items()}
    settings = AnsweringSettings()
    contextualiser = Contextualiser(context_weight=settings.context_weight)
    retriever = Retriever(world.index, world.embedder, candidates=settings.candidates)
    path = world.path()
    runs: dict[str, Run] = {name: {} for name in ("words only", "words + headings", "vectors only", "RRF 60", "hybrid")}
    for query, (*history, last) in asked.items():
        asking = question(last, history)
        retrieved = await retriever.run(asking, await contextualiser.run(asking))
        legs = retrieved.hits.legs
        words = {name: legs[name] for name in ("words", "headings") if name in legs}
        runs["words only"][query] = _named(legs.get("words", {}), names)
        runs["words + headings"][query] = _fused(IndexHits(words), names)
        runs["vectors only"][query] = _named(_top(legs.get("vectors", {}), settings.candidates), names)
        runs["RRF 60"][query] = _named(_rrf([legs.get("words", {}), legs.get("vectors", {})]), names)
        hits, _ = await path.search(asking, limit=40)
        runs["hybrid"][query] = {names[hit.passage.id]: hit.score for hit in hits}
    return runs


def _fused(hits: IndexHits, names: dict[int, str]) -> dict[str, float]:
    return {names[hit.id]: hit.score for hit in Fusion(Weights()).fuse(hits)[:100]}


def _rrf(legs: Sequence[Mapping[int, float]]) -> dict[int, float]:
    scores: dict[int, float] = {}
    for leg in legs:
        for rank, number in enumerate(sorted(leg, key=lambda n: (-leg[n], n)), start=1):
            scores[number] = scores.get(number, 0.0) + 1 / (60 + rank)
    return scores


def _top(leg: Mapping[int, float], limit: int) -> dict[int, float]:
    return {number: leg[number] for number in sorted(leg, key=lambda n: (-leg[n], n))[:limit]}


def _named(leg: Mapping[int, float], names: Mapping[int, str]) -> dict[str, float]:
    return {names[number]: score for number, score in leg.items()}


def _report(runs: dict[str, Run], qrels: dict[str, dict[str, int]]) -> dict[str, object]:
    scored = {name: score_run(run, qrels, metrics=METRICS) for name, run in runs.items()}
    means = {
        name: {metric: sum(values.values()) / len(values) for metric, values in found.items()}
        for name, found in scored.items()
    }
    rows = [[name, *(f"{value:.3f}" for value in found.values())] for name, found in means.items()]
    lines = [f"pooled MTRAG Cloud, {len(qrels)} covered questions", "", table(["system", *map(str, METRICS)], rows), ""]
    gains = {}
    for name in BASELINES:
        gain = paired(scored["hybrid"]["ndcg@5"], scored[name]["ndcg@5"])
        gains[name] = [gain.mean, gain.low, gain.high]
        lines.append(f"hybrid over {name}, nDCG@5: {gain.mean:+.3f} [{gain.low:+.3f}, {gain.high:+.3f}]")
    return {"text": "\n".join(lines), "figures": {"means": means, "gains in nDCG@5": gains, "questions": len(qrels)}}


def mtrag_passages(folder: Path) -> list[Text]:
    with lzma.open(folder / "passages.jsonl.xz", "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    return [Text(row["_id"], row["title"] or heading_line(row["text"]), row["text"]) for row in rows]


def mtrag_turns(folder: Path) -> dict[str, list[str]]:
    """The user turns of each question, oldest first."""
    return {row["_id"]: _turns(row["text"]) for row in _lines(folder / "cloud_questions.jsonl")}


def _lines(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _turns(text: str) -> list[str]:
    """User turns as the data set marks them; a turn may run over several lines."""
    return [turn.strip() for turn in text.split("|user|:") if turn.strip()]


if __name__ == "__main__":
    main()
