"""Elasticsearch beside the embedded index: the same passages and vectors, the same questions, the same readers.

    python tests/benchmarks/elasticsearch_ranking.py [--url URL] [--data DIR] [--work DIR] [--json FILE]

The 170 questions of pooled MTRAG Cloud and the 300 answerable ones of ClapNQ development (among all 600 passages, where
its own one is right) through the product's own path, on each index; then every question of MTRAG under audiences of
known size, where what each index lets through is compared with what it should.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
from collections.abc import Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from quality_clapnq import clapnq_rows
from quality_mtrag import METRICS, mtrag_passages, mtrag_turns, system_runs
from quality_world import Text, World, make_index, open_world
from search_scale import SELECTIVITIES, readers_of

from citebot.evaluation import paired, read_qrels, score_run
from citebot.model import Audience, Embedding, group_principal
from citebot.ports import Index, IndexChanges, IndexEntry, IndexQuery
from citebot.storage import passages
from citebot_plugins.local.embedder import LocalSettings

EMBEDDED = "citebot_plugins.embedded:EmbeddedIndex"
ELASTICSEARCH = "citebot_plugins.elasticsearch:ElasticsearchIndex"
COMPARED = ("words only", "vectors only", "hybrid")
MEASURES = ("ndcg@5", "ndcg@10")
LIMIT = 200


@dataclass(frozen=True)
class Set:
    """Passages, the user turns of each question, and which passages are right."""

    folder: str
    texts: Sequence[Text]
    turns: Mapping[str, list[str]]
    qrels: Mapping[str, dict[str, int]]


def mtrag(data: Path) -> Set:
    """Pooled MTRAG Cloud, the questions whose right passages are all there."""
    folder = data / "mtrag-cloud"
    covered = set((folder / "covered_queries.txt").read_text().split())
    qrels = {query: grades for query, grades in read_qrels(folder / "qrels.tsv").items() if query in covered}
    return Set("mtrag", mtrag_passages(folder), mtrag_turns(folder), qrels)


def clapnq(data: Path) -> Set:
    """ClapNQ development: passages of unanswerable questions stand in between."""
    rows = clapnq_rows(data / "clapnq-dev")
    asked = [row for row in rows if row.answerable]
    return Set(
        "clapnq",
        [Text(row.id, row.title, row.passage) for row in rows],
        {row.id: [row.text] for row in asked},
        {row.id: {row.id: 1} for row in asked},
    )


SETS = {"pooled MTRAG Cloud": mtrag, "ClapNQ development": clapnq}


def options_of(doc: str | None) -> argparse.Namespace:
    """What these benchmarks are told."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", default=os.environ.get("CITEBOT_TEST_ELASTICSEARCH_URL", "http://127.0.0.1:9200"))
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--work", type=Path, default=Path("/tmp/citebot-quality"))
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    options.folder = options.data / "mtrag-cloud"
    if not options.folder.is_dir():
        raise SystemExit(f"{options.folder} is not there: the data is public, see docs/answering.md.")
    return options


def settings_of(url: str, name: str, **more: Any) -> dict[str, Any]:
    """Of an index for a benchmark: one node, and time enough."""
    return {"url": url, "name": f"benchmark-{name}", "replicas": 0, "search_seconds": 30.0, **more}


@asynccontextmanager
async def world_on(options: argparse.Namespace, index: str, data: Set | None = None, **settings: Any) -> Any:
    """The corpus in the database of the work folder, and an index that is filled anew."""
    data = data or mtrag(options.data)
    world = await open_world(
        options.work / data.folder,
        data.texts,
        index=index,
        embedder=LocalSettings(),
        index_settings=settings,
    )
    try:
        yield world
    finally:
        await world.index.close()
        await world.embedder.close()
        world.database.close()


async def ranking(options: argparse.Namespace, data: Set) -> dict[str, Any]:
    """The measures on both, and their paired differences."""
    scored = {}
    for name, index, settings in (
        ("embedded", EMBEDDED, {}),
        ("elasticsearch", ELASTICSEARCH, settings_of(options.url, f"ranking-{data.folder}")),
    ):
        async with world_on(options, index, data, **settings) as world:
            runs = await system_runs(world, {query: data.turns[query] for query in data.qrels})
        scored[name] = {system: score_run(runs[system], data.qrels, metrics=METRICS) for system in COMPARED}
    result: dict[str, Any] = {"questions": len(data.qrels)}
    for system in COMPARED:
        means = {
            name: {metric: round(fmean(values.values()), 4) for metric, values in found[system].items()}
            for name, found in scored.items()
        }
        changes = {
            measure: paired(scored["elasticsearch"][system][measure], scored["embedded"][system][measure])
            for measure in MEASURES
        }
        result[system] = {
            **means,
            **{
                f"difference in {measure}": [round(v, 4) for v in (change.mean, change.low, change.high)]
                for measure, change in changes.items()
            },
        }
    return result


def with_readers(world: World) -> tuple[list[IndexEntry], list[tuple[int, Embedding]]]:
    """All passages, every tenth also for `tenth`, and so on; and their vectors."""
    with world.database.read() as tx:
        entries = passages.scan(tx, after=0, limit=1_000_000)
        vectors = passages.embeddings(tx, world.embedder.model_id, [entry.id for entry in entries])
    return [
        IndexEntry(each.id, each.source, each.text, each.heading, readers_of(each.id), each.language)
        for each in entries
    ], vectors


async def fill(
    index: Index, entries: Sequence[IndexEntry], vectors: Sequence[tuple[int, Embedding]], model: str
) -> None:
    """From nothing."""
    await index.reset()
    for at in range(0, len(entries), 1_000):
        some = tuple(entries[at : at + 1_000])
        ids = {entry.id for entry in some}
        rows = tuple(pair for pair in vectors if pair[0] in ids)
        await index.apply(IndexChanges(at + 1, some, (), rows, model if rows else ""))


async def audiences(options: argparse.Namespace) -> dict[str, Any]:
    """What both indexes let through for the same audience."""
    async with world_on(options, EMBEDDED) as world:
        entries, vectors = with_readers(world)
        model = world.embedder.model_id
        asked = [turns[-1] for turns in mtrag_turns(options.folder).values()][:170]
        questions = [(text, await world.embedder.embed_query(text)) for text in asked]
    both = [
        make_index(EMBEDDED, options.work / "audiences"),
        make_index(ELASTICSEARCH, options.work, settings_of(options.url, "audiences")),
    ]
    for index in both:
        await index.open()
        await fill(index, entries, vectors, model)
    try:
        return {name: await _compared(both, questions, model, name, entries) for name in SELECTIVITIES}
    finally:
        for index in both:
            await index.reset()
            await index.close()


async def _compared(
    both: Sequence[Index],
    questions: Sequence[tuple[str, Embedding]],
    model: str,
    name: str,
    entries: Sequence[IndexEntry],
) -> dict[str, Any]:
    audience = Audience(frozenset({group_principal(name)}))
    allowed = {entry.id for entry in entries if audience.may_read(entry.readers)}
    forbidden, shares = 0, {"words": [], "headings": [], "vectors": []}  # type: ignore[var-annotated]
    for text, vector in questions:
        query = IndexQuery(audience, text, vector=vector, vector_model=model, limit=LIMIT)
        legs = [(await index.search(query)).legs for index in both]
        forbidden += sum(len(found.keys() - allowed) for each in legs for found in each.values())
        for leg, known in shares.items():
            # The embedded index also scores what only its words found; the nearest are compared.
            one, other = (set(sorted(each[leg], key=lambda key: -each[leg][key])[:LIMIT]) for each in legs)
            known.append((one == other, len(one & other) / len(one | other) if one | other else 1.0))
    return {
        "allowed": len(allowed),
        "forbidden": forbidden,
        **{f"{leg} identical": round(fmean(same for same, _ in known), 4) for leg, known in shares.items()},
        **{f"{leg} in common": round(fmean(share for _, share in known), 4) for leg, known in shares.items()},
    }


async def run(options: argparse.Namespace) -> dict[str, Any]:
    load = round(os.getloadavg()[0], 1)
    ranked = {name: await ranking(options, read(options.data)) for name, read in SETS.items()}
    return {"load": load, "ranking": ranked, "audiences": await audiences(options)}


def main() -> None:
    options = options_of(__doc__)
    text = json.dumps(asyncio.run(run(options)), indent=2)
    if options.json:
        options.json.write_text(text + "\n", "utf-8")
    print(text)


if __name__ == "__main__":
    main()
