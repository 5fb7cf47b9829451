"""`/v2/rerank` of the fake Cohere: the more of the question's words, the better."""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import ceil
from typing import Any

from citebot.testing.models.cohere_rules import FakeModel, Refused, count, listed

MOST_DOCUMENTS = 1000
"""Cohere advises against more."""
CHUNK = 500
_WORD = re.compile(r"\w{3,}")


def rerank(body: Mapping[str, Any], model: FakeModel, *, identity: str) -> dict[str, Any]:
    """Scores from 0 to 1, best first."""
    query, documents = body.get("query"), listed(body, "documents")
    if not isinstance(query, str) or not query.strip():
        raise Refused(400, "invalid request: query must not be empty or be only whitespace")
    if not documents:
        raise Refused(400, "invalid request: list of documents must not be empty")
    if len(documents) > MOST_DOCUMENTS:
        raise Refused(
            400, f"invalid request: number of documents must be at most {MOST_DOCUMENTS} - received {len(documents)}"
        )
    if (empty := next((n for n, text in enumerate(documents) if not text.strip()), None)) is not None:
        raise Refused(400, f"invalid request: document at index {empty} cannot be empty")
    most = body.get("max_tokens_per_doc") or model.context
    scores = [_score(query, " ".join(text.split()[:most])) for text in documents]
    order = sorted(range(len(scores)), key=lambda place: -scores[place])[: body.get("top_n") or len(scores)]
    chunks = sum(max(1, ceil((min(count(text), most) + count(query)) / CHUNK)) for text in documents)
    return {
        "id": identity,
        "results": [{"index": place, "relevance_score": scores[place]} for place in order],
        "meta": {"api_version": {"version": "2"}, "billed_units": {"search_units": ceil(chunks / 100)}},
    }


def _score(query: str, document: str) -> float:
    asked, found = set(_WORD.findall(query.casefold())), set(_WORD.findall(document.casefold()))
    return round(0.02 + 0.96 * len(asked & found) / max(1, len(asked)) - 0.0001 * min(100, len(found)), 6)
