"""Changes as bulk requests in which every item is looked at: what was refused for now is sent again, the rest told."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from citebot.errors import IndexUnavailable
from citebot.model import Embedding
from citebot.ports import IndexEntry
from citebot_plugins.elasticsearch.connecting import not_allowed
from citebot_plugins.elasticsearch.shape import language_of, numbers
from citebot_plugins.elasticsearch.words import apart
from citebot_plugins.index_text import heading_of, indexed_text

log = structlog.get_logger("citebot.index.elasticsearch")

BYTES_AT_ONCE = 5_000_000
ITEMS_AT_ONCE = 1_000
LONGEST_PAUSE = 5.0
GOOD = frozenset({200, 201, 404, 409})
"""Done; or deleted before; or overtaken by a later change."""


@dataclass(frozen=True, slots=True)
class Item:
    """One passage to write, or to delete where there is no body."""

    id: int
    body: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """A passage that Elasticsearch will never take, and its reason."""

    id: int
    why: str


def document(entry: IndexEntry, *, language: str) -> dict[str, Any]:
    """A passage as it is indexed, without vectors."""
    spoken = language_of(entry.language, language)
    return {
        "source": entry.source,
        "reader": sorted(entry.readers.principals),
        "language": spoken,
        f"text_{spoken}": apart(indexed_text(entry.text)),
        f"heading_{spoken}": apart(heading_of(entry)),
        "vectored": False,
    }


def windows(embedding: Embedding) -> dict[str, Any]:
    """The vectors of a passage, packed: as lists of numbers they would cost twice the time."""
    from elasticsearch.helpers import pack_dense_vector

    values, size = numbers(embedding.data), embedding.dimensions
    rows = [values[at : at + size] for at in range(0, len(values), size)]
    return {"vectored": True, "windows": [{"vector": pack_dense_vector(row)} for row in rows]}


async def send(
    items: Sequence[Item],
    *,
    index: str,
    seq: int,
    bulk: Callable[[list[Mapping[str, Any]]], Awaitable[Mapping[str, Any]]],
    seconds: float,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> list[Refusal]:
    """Write all of it, a late write never over a newer one. Raises `IndexUnavailable` when it stays too busy."""
    until = asyncio.get_running_loop().time() + seconds
    refused: list[Refusal] = []
    for part in _portions(items):
        left, pause = list(part), 0.1
        while left:
            again, never = _sorted_out(left, await bulk(list(_operations(left, index, seq))))
            refused += never
            if again and asyncio.get_running_loop().time() >= until:
                raise IndexUnavailable(f"Elasticsearch refuses {len(again)} passages for now: it has too much to do.")
            if again:
                await sleep(random.uniform(0, pause))
                pause = min(LONGEST_PAUSE, 2 * pause)
            left = again
    return refused


def _sorted_out(items: Sequence[Item], response: Mapping[str, Any]) -> tuple[list[Item], list[Refusal]]:
    again, never = [], []
    for item, answer in zip(items, response["items"], strict=True):
        (result,) = answer.values()
        status = int(result["status"])
        error = result.get("error") or {}
        if status in GOOD and error.get("type") != "index_not_found_exception":
            continue
        if status in (401, 403):
            raise IndexUnavailable(not_allowed(str(error.get("reason"))))
        if status == 404:
            raise IndexUnavailable("The index is gone: restart Citebot to build it.")
        if status == 429 or status >= 500:
            if error.get("type") == "cluster_block_exception":
                raise IndexUnavailable("The index is read-only, most likely because the disk is full: make room there.")
            again.append(item)
        else:
            log.warning("a passage was refused by Elasticsearch", passage=item.id, status=status, why=error.get("type"))
            never.append(Refusal(item.id, f"{status} {error.get('type', '')}"))
    return again, never


def _portions(items: Iterable[Item]) -> Iterator[list[Item]]:
    portion: list[Item] = []
    size = 0
    for item in items:
        weight = _weight(item)
        if portion and (size + weight > BYTES_AT_ONCE or len(portion) >= ITEMS_AT_ONCE):
            yield portion
            portion, size = [], 0
        portion.append(item)
        size += weight
    if portion:
        yield portion


def _weight(item: Item) -> int:
    body = item.body or {}
    texts = sum(len(value) for value in body.values() if isinstance(value, str))
    return 200 + 2 * texts + sum(len(str(each.get("vector"))) for each in body.get("windows", ()))


def _operations(items: Iterable[Item], index: str, seq: int) -> Iterator[Mapping[str, Any]]:
    for item in items:
        what = {"_index": index, "_id": str(item.id), "version": seq, "version_type": "external_gte"}
        yield {"index" if item.body is not None else "delete": what}
        if item.body is not None:
            yield item.body
