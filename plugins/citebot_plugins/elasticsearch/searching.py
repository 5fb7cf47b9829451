"""The three legs as searches, all under one filter, and what they answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from citebot.ports import IndexQuery
from citebot_plugins.elasticsearch.shape import numbers
from citebot_plugins.elasticsearch.words import apart

MOST_WORDS = 128
"""Distinct words of one query; a question has a dozen, a pasted log thousands."""
LONGEST_WORD = 100


def searches(
    query: IndexQuery, *, languages: Sequence[str], vectors: bool, oversample: float
) -> dict[str, dict[str, Any]]:
    """One request body per leg."""
    allowed = _filter(query)
    found = {
        "words": _texts("text", [(query.text, 1.0), (query.context_text, query.context_weight)], languages, allowed),
        "headings": _texts("heading", [(query.text, 1.0)], languages, allowed),
    }
    bodies = {name: {"query": body} for name, body in found.items() if body}
    if vectors and query.vector is not None:
        knn = {
            "field": "windows.vector",
            "query_vector": list(numbers(query.vector.data)),
            "k": query.limit,
            "num_candidates": min(10_000, max(2 * query.limit, 100)),
            "filter": allowed,
            "rescore_vector": {"oversample": oversample},
        }
        bodies["vectors"] = {"knn": knn}
    common = {"size": query.limit, "_source": False, "track_total_hits": False}
    return {name: {**common, **body} for name, body in bodies.items()}


def header(index: str, body: Mapping[str, Any]) -> dict[str, str]:
    """What a search of `_msearch` begins with. How rare a word is must not depend on the shard that is asked."""
    return {"index": index} if "knn" in body else {"index": index, "search_type": "dfs_query_then_fetch"}


def scores(leg: str, response: Mapping[str, Any]) -> dict[int, float]:
    """Scores by passage id; of vectors the cosine, which Elasticsearch gives as (1 + cos) / 2."""
    hits = [(int(hit["_id"]), float(hit["_score"])) for hit in response["hits"]["hits"]]
    return {key: 2 * score - 1 if leg == "vectors" else score for key, score in hits}


def is_partial(response: Mapping[str, Any]) -> bool:
    """Whether some of the index did not answer, which is a success to Elasticsearch."""
    return bool(response.get("timed_out")) or bool(response.get("_shards", {}).get("failed"))


def _filter(query: IndexQuery) -> list[dict[str, Any]]:
    clauses: list[dict[str, Any]] = [{"terms": {"reader": sorted(query.audience.principals)}}]
    if query.sources:
        clauses.append({"terms": {"source": sorted(query.sources)}})
    return clauses


def _texts(
    field: str, weighted: Sequence[tuple[str, float]], languages: Sequence[str], allowed: list[dict[str, Any]]
) -> dict[str, Any] | None:
    """A passage is looked at in the language it was read in; who may read decides nothing about where it stands."""
    wanted = [
        {"match": {f"{field}_{language}": {"query": words, "boost": weight}}}
        for text, weight in weighted
        if weight > 0 and (words := _words(text))
        for language in languages
    ]
    if not wanted:
        return None
    return {"bool": {"must": [{"bool": {"should": wanted}}], "filter": allowed}}


def _words(text: str) -> str:
    distinct = dict.fromkeys(word[:LONGEST_WORD] for word in apart(text.lower()).split())
    return " ".join(list(distinct)[:MOST_WORDS])
