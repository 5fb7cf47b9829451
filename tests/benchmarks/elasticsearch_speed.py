"""What our code costs on top of Elasticsearch: searches and bulk writes beside the same by hand; and bytes a passage.

    python tests/benchmarks/elasticsearch_speed.py [--url URL] [--data DIR] [--work DIR] [--json FILE]

Raw is the client of Elastic with requests made beforehand: BM25 and the nearest vectors as two searches, under the same
filter, one after the other or both at once; `helpers.async_bulk` with packed vectors. Everything in one run, in turns.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from statistics import median
from typing import Any

from elasticsearch import AsyncElasticsearch
from elasticsearch.helpers import async_bulk
from elasticsearch_ranking import ELASTICSEARCH, EMBEDDED, fill, options_of, settings_of, with_readers, world_on
from quality_mtrag import mtrag_turns
from quality_world import make_index
from search_scale import spread

from citebot.model import Audience, Embedding, group_principal
from citebot.ports import IndexEntry, IndexQuery
from citebot_plugins.elasticsearch import shape
from citebot_plugins.elasticsearch.index import ElasticsearchIndex
from citebot_plugins.elasticsearch.searching import searches
from citebot_plugins.elasticsearch.settings import ElasticsearchSettings
from citebot_plugins.elasticsearch.writing import document, windows

AUDIENCES = ("all", "tenth", "hundredth")
ROUNDS = 3


class Corpus:
    """Passages with readers, their vectors, and questions with theirs."""

    entries: Sequence[IndexEntry]
    vectors: Sequence[tuple[int, Embedding]]
    questions: Sequence[tuple[str, Embedding]]
    model: str

    @classmethod
    async def read(cls, options: argparse.Namespace) -> Corpus:
        """From the database of the work folder."""
        made = cls()
        async with world_on(options, EMBEDDED) as world:
            made.entries, made.vectors = with_readers(world)
            made.model = world.embedder.model_id
            asked = [turns[-1] for turns in mtrag_turns(options.folder).values()][:170]
            made.questions = [(text, await world.embedder.embed_query(text)) for text in asked]
        return made


async def opened(options: argparse.Namespace, name: str, **more: Any) -> ElasticsearchIndex:
    index = make_index(ELASTICSEARCH, options.work, settings_of(options.url, name, **more))
    await index.open()
    assert isinstance(index, ElasticsearchIndex)
    return index


async def measure_searches(options: argparse.Namespace, corpus: Corpus) -> dict[str, Any]:
    """Milliseconds per question, ours and by hand, in turns."""
    index = await opened(options, "speed")
    await fill(index, corpus.entries, corpus.vectors, corpus.model)
    await index.purge()
    results = {}
    async with AsyncElasticsearch(options.url) as client:
        for name in AUDIENCES:
            times: dict[str, list[float]] = {"ours": [], "after one another": [], "at once": [], "same request": []}
            for text, vector in (*corpus.questions[:20], *corpus.questions):  # the first ones warm the caches
                query = IndexQuery(
                    Audience(frozenset({group_principal(name)})), text, vector=vector, vector_model=corpus.model
                )
                for way, search in _ways(index, client, query).items():
                    began = time.perf_counter()
                    await search()
                    times[way].append((time.perf_counter() - began) * 1000)
            kept = {way: values[20:] for way, values in times.items()}
            middle = {way: median(values) for way, values in kept.items()}
            results[name] = {
                **{f"{way} ms": spread(values) for way, values in kept.items()},
                **{f"ours to {way}": round(middle["ours"] / middle[way], 3) for way in kept if way != "ours"},
            }
    await index.reset()
    await index.close()
    return results


def _ways(
    index: ElasticsearchIndex, client: AsyncElasticsearch, query: IndexQuery
) -> Mapping[str, Callable[[], Awaitable[Any]]]:
    name = index._settings.name
    bodies = searches(query, languages=["en"], vectors=True, oversample=index._settings.oversample)
    common = {"size": query.limit, "source": False, "track_total_hits": False}
    words, vectors = bodies["words"]["query"], bodies["vectors"]["knn"]
    lines = [line for body in bodies.values() for line in ({"index": name}, body)]

    async def one_by_one() -> None:
        await client.search(index=name, query=words, **common)
        await client.search(index=name, knn=vectors, **common)

    async def at_once() -> None:
        await asyncio.gather(
            client.search(index=name, query=words, **common), client.search(index=name, knn=vectors, **common)
        )

    return {
        "ours": lambda: index.search(query),
        "after one another": one_by_one,
        "at once": at_once,
        "same request": lambda: client.msearch(searches=lines),
    }


async def measure_bulk(options: argparse.Namespace, corpus: Corpus) -> dict[str, Any]:
    """Passages a second, with vectors; the best of some rounds in turns."""
    seconds: dict[str, list[float]] = {"ours": [], "raw": []}
    settings = ElasticsearchSettings(**settings_of(options.url, "bulk"))
    for _ in range(ROUNDS):
        seconds["raw"].append(await _raw_bulk(options, corpus, settings))
        index = await opened(options, "bulk-ours")
        await index.reset()
        began = time.perf_counter()
        await fill(index, corpus.entries, corpus.vectors, corpus.model)
        seconds["ours"].append(time.perf_counter() - began)
        await index.reset()
        await index.close()
    rates = {way: round(len(corpus.entries) / min(taken)) for way, taken in seconds.items()}
    return {**{f"{way} passages/s": rate for way, rate in rates.items()}, "share of raw": rates["ours"] / rates["raw"]}


async def _raw_bulk(options: argparse.Namespace, corpus: Corpus, settings: ElasticsearchSettings) -> float:
    name = settings.name
    fields = shape.fields_of("en") | shape.vectors_of(settings, corpus.vectors[0][1].dimensions)
    mappings = shape.mappings()
    mappings["properties"] |= fields
    async with AsyncElasticsearch(options.url, request_timeout=60) as client:
        await client.options(ignore_status=404).indices.delete(index=name)
        await client.indices.create(index=name, settings=shape.settings_of(settings), mappings=mappings)
        began = time.perf_counter()
        await async_bulk(client, _documents(corpus, name))
        took = time.perf_counter() - began
        await client.indices.delete(index=name)
    return took


def _documents(corpus: Corpus, index: str) -> Iterator[dict[str, Any]]:
    vectors = dict(corpus.vectors)
    for entry in corpus.entries:
        body = document(entry, language="en") | windows(vectors[entry.id])
        yield {"_index": index, "_id": str(entry.id), "_source": body}


async def measure_bytes(options: argparse.Namespace, corpus: Corpus) -> dict[str, Any]:
    """Of the disk, after a merge: what a passage takes without vectors, and each vector by how it is kept."""
    count = sum(len(embedding.data) // (2 * embedding.dimensions) for _, embedding in corpus.vectors)
    sizes = {}
    for kind in ("", "int8_hnsw", "bbq_hnsw", "hnsw"):
        index = await opened(options, "bytes", vectors=kind or "int8_hnsw")
        await fill(index, corpus.entries, corpus.vectors if kind else (), corpus.model)
        await index.purge()
        client = index._open_client()
        await client.options(request_timeout=60).indices.flush(index=index._settings.name)
        sizes[kind] = (await index.stats()).bytes
        await index.reset()
        await index.close()
    return {
        "passages": len(corpus.entries),
        "characters a passage": round(sum(len(entry.text) for entry in corpus.entries) / len(corpus.entries)),
        "vectors": count,
        "bytes a passage without vectors": round(sizes[""] / len(corpus.entries)),
        **{f"bytes a vector, {kind}": round((size - sizes[""]) / count) for kind, size in sizes.items() if kind},
    }


async def run(options: argparse.Namespace) -> dict[str, Any]:
    load = round(os.getloadavg()[0], 1)
    corpus = await Corpus.read(options)
    return {
        "load": load,
        "search": await measure_searches(options, corpus),
        "bulk": await measure_bulk(options, corpus),
        "disk": await measure_bytes(options, corpus),
    }


def main() -> None:
    options = options_of(__doc__)
    text = json.dumps(asyncio.run(run(options)), indent=2)
    if options.json:
        options.json.write_text(text + "\n", "utf-8")
    print(text)


if __name__ == "__main__":
    main()
