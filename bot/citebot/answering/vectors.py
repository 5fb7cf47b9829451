"""The little vector arithmetic the core needs, on half-precision bytes and without numpy."""

from __future__ import annotations

import math
import struct
from operator import mul

from citebot.model import Embedding


def rows(embedding: Embedding) -> list[tuple[float, ...]]:
    """The rows of an embedding as floats."""
    row = struct.Struct(f"<{embedding.dimensions}e")
    return list(row.iter_unpack(embedding.data))


def cosine(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    """Similarity of two rows that are already normalised."""
    return float(sum(map(mul, one, other)))


def lean(query: Embedding, towards: Embedding, *, weight: float) -> Embedding:
    """The first row of `query` moved a little towards another one, and normalised again."""
    mixed = [a + weight * b for a, b in zip(rows(query)[0], rows(towards)[0], strict=True)]
    length = math.sqrt(sum(value * value for value in mixed)) or 1.0
    return Embedding(query.dimensions, struct.pack(f"<{query.dimensions}e", *(value / length for value in mixed)))
