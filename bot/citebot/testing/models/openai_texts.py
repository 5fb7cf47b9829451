"""`/embeddings` and `/rerank`: texts that share words are near, and rank high."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from citebot.testing.models import openai_errors
from citebot.testing.models.openai_chat import split
from citebot.testing.models.openai_errors import Refused

_WORD = re.compile(r"\w+")
_MOST_TEXTS = 2048


def embedded(body: Mapping[str, Any], *, dimensions: int, context: int) -> dict[str, Any]:
    """The answer of `/embeddings`."""
    texts = body.get("input")
    texts = [texts] if isinstance(texts, str) else texts
    if not isinstance(texts, list) or not 0 < len(texts) <= _MOST_TEXTS or not all(texts):
        raise Refused(openai_errors.error(400, "'$.input' is invalid. Please check the API reference.", param=None))
    asked = body.get("dimensions", dimensions)
    if not isinstance(asked, int) or not 0 < asked <= dimensions:
        message = f"Invalid value for 'dimensions' = {asked}. Must be less than or equal to {dimensions}."
        raise Refused(openai_errors.error(400, message, param=None))
    counts = [len(split(text)) for text in texts]
    if max(counts) > context:
        message = (
            f"This model's maximum context length is {context} tokens, however you requested {max(counts)} tokens "
            f"({max(counts)} in your prompt; 0 for the completion). Please reduce your prompt; or completion length."
        )
        raise Refused(openai_errors.error(400, message))
    items = [
        {"object": "embedding", "index": place, "embedding": vector(text, asked)} for place, text in enumerate(texts)
    ]
    usage = {"prompt_tokens": sum(counts), "total_tokens": sum(counts)}
    return {"object": "list", "data": items, "model": body["model"], "usage": usage}


def vector(text: str, dimensions: int) -> list[float]:
    """Hashed words, of length 1."""
    row = [0.0] * dimensions
    for word in _words(text) or {""}:
        digest = hashlib.sha256(word.encode(errors="replace")).digest()
        row[int.from_bytes(digest[:4], "big") % dimensions] += 1.0
        row[int.from_bytes(digest[4:8], "big") % dimensions] += 0.5 if digest[8] % 2 else -0.5
    length = math.hypot(*row) or 1.0
    return [value / length for value in row]


def ranked(body: Mapping[str, Any]) -> Any:
    """The answer of `/rerank`: as TEI has it for `texts`, as vLLM, Jina and Cohere have it for `documents`."""
    query = body.get("query")
    if isinstance(texts := body.get("texts"), list):
        return [{"index": place, "score": score} for place, score in _scores(query, texts)]
    documents = body.get("documents")
    if not isinstance(documents, list) or not documents:
        raise Refused(openai_errors.error(400, "documents must not be empty", kind="BadRequestError"))
    best = _scores(query, documents)[: body.get("top_n") or len(documents)]
    used = sum(len(split(text)) for text in documents) + len(documents) * len(split(str(query)))
    return {
        "id": "rerank-fake",
        "model": body.get("model"),
        "results": [{"index": place, "relevance_score": score} for place, score in best],
        "usage": {"total_tokens": used},
    }


def _scores(query: Any, texts: Sequence[Any]) -> list[tuple[int, float]]:
    if not isinstance(query, str) or not query or not all(isinstance(text, str) and text for text in texts):
        raise Refused(openai_errors.error(422, "query and documents must be texts that are not empty"))
    asked = _words(query)
    scores = [len(asked & _words(text)) / (len(asked) or 1) for text in texts]
    return sorted(enumerate(scores), key=lambda scored: -scored[1])


def _words(text: str) -> set[str]:
    return set(_WORD.findall(text.casefold()))
