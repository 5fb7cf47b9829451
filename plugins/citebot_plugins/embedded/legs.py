"""The open files of one index folder: words, rights and vectors, changed together and searched together."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from citebot.model import Audience
from citebot.ports import IndexChanges, IndexHits, IndexQuery
from citebot_plugins.embedded.rights import Rights
from citebot_plugins.embedded.settings import EmbeddedSettings
from citebot_plugins.embedded.vectors import Vectors, View
from citebot_plugins.embedded.words import WordIndex

MASKS = 8
"""Audiences whose allowed rows are kept at hand."""
MaskKey = tuple[frozenset[str], tuple[str, ...], int, int]


class Legs:
    """`rows` and `dimensions` come from the state file: what was committed."""

    def __init__(self, folder: Path, settings: EmbeddedSettings, rows: int, dimensions: int) -> None:
        self._folder = folder
        self._settings = settings
        self._words = WordIndex(
            folder / "words",
            language=settings.language,
            memory_mb=settings.writer_memory_mb,
        )
        self._rights = Rights(folder)
        self._vectors = self._open_vectors(dimensions, rows) if dimensions else None
        self._generation = 0
        self._masks: OrderedDict[MaskKey, NDArray[np.bool_]] = OrderedDict()
        self._counted = (-1, -1, 0)
        """Generation, rows, and passages with vectors at that time."""

    @property
    def passages(self) -> int:
        """Findable passages."""
        return self._words.count()

    @property
    def with_vectors(self) -> int:
        """Findable passages that have vectors."""
        return self._distinct(self._vectors.view) if self._vectors is not None else 0

    def apply(self, changes: IndexChanges) -> tuple[int, int, int]:
        """Write everything but the state; returns rows, dimensions and how many passages went."""
        for entry in changes.puts:
            self._rights.put(entry.id, entry.source, entry.readers)
        for key in changes.removals:
            self._rights.remove(key)
        if changes.puts or changes.removals:
            self._words.apply(changes.puts, changes.removals)
        if changes.vectors:
            if self._vectors is None:
                self._vectors = self._open_vectors(changes.vectors[0][1].dimensions, 0)
            self._vectors.append([pair for pair in changes.vectors if self._rights.known(pair[0])])
        self._rights.save()
        self._generation += 1
        if self._vectors is None:
            return 0, 0, len(changes.removals)
        return self._vectors.view.rows, self._vectors.dimensions, len(changes.removals)

    def search(self, query: IndexQuery, model: str) -> IndexHits:
        """All legs under one audience; cosines also for what only the words found."""
        words, headings = self._words.search(query)
        if (
            query.vector is None
            or self._vectors is None
            or query.vector_model != model
            or query.vector.dimensions != self._vectors.dimensions
        ):
            return IndexHits({"words": words, "headings": headings}, vectors_ready=0.0 if self.passages else 1.0)
        view = self._vectors.view
        allowed = self._allowed(view, query.audience, query.sources)
        vector = np.frombuffer(query.vector.data, "<f2").astype(np.float32)
        found = self._vectors.search(view, vector, allowed, query.limit)
        found.update(self._vectors.cosines(view, vector, (words.keys() | headings.keys()) - found.keys()))
        return IndexHits({"words": words, "headings": headings, "vectors": found}, vectors_ready=self._ready(view))

    def wants_building(self) -> bool:
        """Whether an approximate index should be built now."""
        return self._vectors is not None and self._vectors.wants_building()

    def build(self) -> None:
        """Build it."""
        while self._vectors is not None and self._vectors.wants_building():
            self._vectors.build()

    def close(self) -> None:
        """Let go of the files."""
        self._words.close()

    def abandon(self) -> None:
        """Let go of the files without finishing what was being written."""
        self._words.abandon()

    def _ready(self, view: View) -> float:
        """Share of passages with vectors, by counts alone: this is asked on every search."""
        passages = self.passages
        return min(1.0, self._distinct(view) / passages) if passages else 1.0

    def _distinct(self, view: View) -> int:
        if self._counted[:2] != (self._generation, view.rows):
            alive = len(np.unique(view.keys[self._rights.alive(view.keys)]))
            self._counted = (self._generation, view.rows, alive)
        return self._counted[2]

    def _allowed(self, view: View, audience: Audience, sources: tuple[str, ...]) -> NDArray[np.bool_]:
        key = (audience.principals, tuple(sorted(sources)), self._generation, view.rows)
        mask = self._masks.get(key)
        if mask is None:
            mask = self._masks[key] = self._rights.allowed(view.keys, audience, sources)
            while len(self._masks) > MASKS:
                self._masks.popitem(last=False)
        return mask

    def _open_vectors(self, dimensions: int, rows: int) -> Vectors:
        return Vectors(
            self._folder / "vectors",
            dimensions=dimensions,
            rows=rows,
            exact_below=self._settings.exact_below,
            threads=self._settings.threads,
        )
