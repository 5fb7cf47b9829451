"""`/v2/embed` of the fake Cohere: texts that share words are near."""

from __future__ import annotations

import base64
import hashlib
import math
import re
import struct
from collections.abc import Callable, Mapping
from typing import Any

from citebot.testing.models.cohere_rules import FakeModel, Refused, count, listed, too_long

MOST_TEXTS = 96
_TYPES = {"float", "base64"}
_KINDS = {"search_document", "search_query", "classification", "clustering"}
_WORD = re.compile(r"\w+")


def embed(
    body: Mapping[str, Any], model: FakeModel, *, identity: str, vector: Callable[[str, int], list[float]]
) -> dict[str, Any]:
    """One vector per text."""
    texts = listed(body, "texts")
    size = _size(body, model)
    if len(texts) > MOST_TEXTS:
        raise Refused(
            400, f"invalid request: total number of texts must be at most {MOST_TEXTS} - received {len(texts)}"
        )
    if not texts or not all(texts):
        place = texts.index("") if texts else 0
        raise Refused(400, f"invalid request: inputs contains an element that is the empty string at index {place}")
    if body.get("input_type") not in _KINDS:
        raise Refused(400, "invalid request: valid input_type must be provided with the provided model")
    kinds = body.get("embedding_types") or ["float"]
    if not set(kinds) <= _TYPES:
        raise Refused(400, f"invalid request: this server makes {', '.join(sorted(_TYPES))} only")
    lengths = [count(text) for text in texts]
    if body.get("truncate", "END") == "NONE" and max(lengths) > model.context:
        raise too_long(max(lengths) - model.context, model.context)
    rows = [vector(text, size) for text in texts]
    made = {"float": rows, "base64": [base64.b64encode(struct.pack(f"<{len(r)}f", *r)).decode() for r in rows]}
    billed = sum(min(length, model.context) for length in lengths)
    return {
        "id": identity,
        "texts": texts,
        "embeddings": {kind: made[kind] for kind in kinds},
        "meta": {"api_version": {"version": "2"}, "billed_units": {"input_tokens": billed}},
        "response_type": "embeddings_by_type",
    }


def vector(text: str, size: int) -> list[float]:
    """Hashed words, of length 1."""
    row = [0.0] * size
    for word in _WORD.findall(text.casefold())[:2000] or [text]:
        digest = hashlib.sha256(word.encode()).digest()
        for place in range(0, 12, 3):
            spot = int.from_bytes(digest[place : place + 2]) % size
            row[spot] += 1.0 if digest[place + 2] % 2 else -1.0
    length = math.hypot(*row) or 1.0
    return [value / length for value in row]


def _size(body: Mapping[str, Any], model: FakeModel) -> int:
    asked = body.get("output_dimension")
    if asked is None:
        return model.dimensions[0]
    if len(model.dimensions) == 1:
        raise Refused(400, "invalid request: output_dimension is not supported by the provided model")
    if asked not in model.dimensions:
        allowed = ", ".join(map(str, sorted(model.dimensions)))
        raise Refused(400, f"invalid request: output_dimension must be one of {allowed}")
    return int(asked)
