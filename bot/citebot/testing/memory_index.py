"""An index in plain Python that lives as long as the object: for tests, and to read what the port means."""

from __future__ import annotations

import math
import re
import struct
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar

from pydantic import BaseModel

from citebot.errors import IndexUnavailable
from citebot.model import Embedding
from citebot.ports import IndexChanges, IndexEntry, IndexHits, IndexQuery, IndexStats, NoSettings, PartContext

K1 = 1.2
B = 0.75

_WORD = re.compile(r"[^\W_]+")
_LINK_TARGET = re.compile(r"(?<=\])\([^)\s]*\)|\bhttps?://\S+")


@dataclass(frozen=True, slots=True)
class _Held:
    """A passage with its words counted."""

    entry: IndexEntry
    text: Counter[str]
    heading: Counter[str]


class MemoryIndex:
    """BM25 over text and heading, cosines over every window; exact, unhurried, forgotten at the end."""

    name: ClassVar[str] = "memory"
    summary: ClassVar[str] = "everything in memory, for tests"
    Settings: ClassVar[type[BaseModel]] = NoSettings

    def __init__(self, settings: NoSettings | None = None, context: PartContext | None = None) -> None:
        self._opened = False
        self._held: dict[int, _Held] = {}
        self._vectors: dict[int, list[tuple[float, ...]]] = {}
        self._model = ""
        self._seq = 0

    async def open(self) -> None:
        self._opened = True

    async def close(self) -> None:
        self._opened = False

    async def position(self) -> int:
        self._check()
        return self._seq

    async def apply(self, changes: IndexChanges) -> None:
        self._check()
        if changes.seq < self._seq:
            return
        if changes.vectors and self._model not in ("", changes.vector_model):
            raise IndexUnavailable(
                f"The index holds vectors of {self._model}; reset it before it takes those of {changes.vector_model}."
            )
        if not all(self._fits(made) for _, made in changes.vectors):
            raise IndexUnavailable("The index holds vectors of other dimensions.")
        for entry in changes.puts:
            heading = entry.heading or entry.text.split("\n", 1)[0][:120]
            self._held[entry.id] = _Held(entry, Counter(_words(entry.text)), Counter(_words(heading)))
        for key, embedding in changes.vectors:
            if key in self._held:
                self._vectors[key] = _rows(embedding)
                self._model = changes.vector_model
        for key in changes.removals:
            self._held.pop(key, None)
            self._vectors.pop(key, None)
        self._seq = changes.seq

    async def search(self, query: IndexQuery) -> IndexHits:
        self._check()
        allowed = {
            key: held
            for key, held in self._held.items()
            if query.audience.may_read(held.entry.readers) and (not query.sources or held.entry.source in query.sources)
        }
        weights = dict.fromkeys(_words(query.context_text), query.context_weight)
        weights |= dict.fromkeys(_words(query.text), 1.0)
        texts = {key: held.text for key, held in self._held.items()}
        headings = {key: held.heading for key, held in self._held.items()}
        legs = {
            "words": _best(_bm25(texts, weights, allowed), query.limit),
            "headings": _best(_bm25(headings, dict.fromkeys(_words(query.text), 1.0), allowed), query.limit),
        }
        if query.vector is not None and query.vector_model == self._model and self._fits(query.vector):
            cosines = _cosines(self._vectors, _rows(query.vector)[0], allowed)
            also = legs["words"].keys() | legs["headings"].keys()
            found = _best(cosines, query.limit).keys() | also
            legs["vectors"] = {key: score for key, score in cosines.items() if key in found}
        return IndexHits(legs, vectors_ready=self._ready())

    async def purge(self) -> None:
        self._check()

    async def reset(self) -> None:
        self._check()
        self._held, self._vectors, self._model, self._seq = {}, {}, "", 0

    async def stats(self) -> IndexStats:
        self._check()
        size = sum(len(held.entry.text) + len(held.entry.heading) for held in self._held.values())
        return IndexStats(len(self._held), len(self._vectors), self._model, self._seq, size)

    def _fits(self, vector: Embedding) -> bool:
        return all(len(rows[0]) == vector.dimensions for rows in self._vectors.values())

    def _ready(self) -> float:
        return len(self._vectors) / len(self._held) if self._held else 1.0

    def _check(self) -> None:
        if not self._opened:
            raise IndexUnavailable("The index is not open.")


def _words(text: str) -> list[str]:
    """Lower-case words, without addresses and the s of the plural."""
    found = _WORD.findall(_LINK_TARGET.sub(" ", text).lower())
    return [word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word for word in found]


def _bm25(texts: Mapping[int, Counter[str]], weights: Mapping[str, float], allowed: Iterable[int]) -> dict[int, float]:
    average = sum(text.total() for text in texts.values()) / len(texts) if texts else 1.0
    rarity = {}
    for word in weights:
        count = sum(1 for text in texts.values() if word in text)
        rarity[word] = math.log(1 + (len(texts) - count + 0.5) / (count + 0.5))
    scores: dict[int, float] = {}
    for key in allowed:
        text = texts[key]
        length = K1 * (1 - B + B * text.total() / (average or 1.0))
        score = sum(
            weight * rarity[word] * text[word] * (K1 + 1) / (text[word] + length)
            for word, weight in weights.items()
            if word in text
        )
        if score > 0:
            scores[key] = score
    return scores


def _cosines(
    vectors: Mapping[int, list[tuple[float, ...]]], query: tuple[float, ...], allowed: Iterable[int]
) -> dict[int, float]:
    return {
        key: max(sum(a * b for a, b in zip(row, query, strict=True)) for row in vectors[key])
        for key in allowed
        if key in vectors
    }


def _best(scores: Mapping[int, float], limit: int) -> dict[int, float]:
    return dict(sorted(scores.items(), key=lambda item: (-item[1], item[0]))[:limit])


def _rows(embedding: Embedding) -> list[tuple[float, ...]]:
    values = struct.unpack(f"<{len(embedding.data) // 2}e", embedding.data)
    size = embedding.dimensions
    return [values[at : at + size] for at in range(0, len(values), size)]
