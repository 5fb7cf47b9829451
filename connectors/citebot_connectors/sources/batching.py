"""Pieces of a stream; `itertools.batched` begins with Python 3.12."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

T = TypeVar("T")


def batched(items: Iterable[T], size: int) -> Iterator[tuple[T, ...]]:
    """Tuples of `size` items, the last one shorter."""
    stream = iter(items)
    while some := tuple(islice(stream, size)):
        yield some
