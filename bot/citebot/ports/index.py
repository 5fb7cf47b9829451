"""Where passages are found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from citebot.model import Audience, Embedding, Readers
from citebot.ports.part import Part


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """A passage as the index gets it; text never changes under one id, readers may."""

    id: int
    source: str
    text: str
    heading: str
    """Title and heading path in one line, and a leg of its own."""
    readers: Readers
    language: str = ""
    updated: datetime | None = None


@dataclass(frozen=True, slots=True)
class IndexChanges:
    """Changes up to log position `seq`. Applying the same changes twice ends in the same state."""

    seq: int
    puts: tuple[IndexEntry, ...] = ()
    """New passages, and known ones whose readers changed."""
    removals: tuple[int, ...] = ()
    vectors: tuple[tuple[int, Embedding], ...] = ()
    """For ids that were put before or in these changes."""
    vector_model: str = ""
    """Which model made `vectors`; vectors of another model are refused until `reset`."""


@dataclass(frozen=True, slots=True)
class IndexQuery:
    """One search over all legs, under one audience."""

    audience: Audience
    text: str
    """The words to look for, query stop words already removed."""
    context_text: str = ""
    """Terms of the previous turn, weighted by `context_weight`."""
    context_weight: float = 0.2
    vector: Embedding | None = None
    """One row, of the model named below; None leaves the vector leg out."""
    vector_model: str = ""
    sources: tuple[str, ...] = ()
    """Empty means all."""
    limit: int = 200
    """Per leg."""


@dataclass(frozen=True, slots=True)
class IndexHits:
    """Raw scores per leg and passage id. Every id passed the audience and source filter inside the index."""

    legs: Mapping[str, Mapping[int, float]]
    """`words` (BM25), `headings` (BM25 over the heading line), `vectors` (cosine; may also score ids that only the
    other legs found, where that is cheap), `sparse` (learned sparse, reserved)."""
    partial: bool = False
    """Part of the index did not answer."""
    vectors_ready: float = 1.0
    """Share of passages that have vectors, 0..1."""


@dataclass(frozen=True, slots=True)
class IndexStats:
    """What an index holds."""

    passages: int
    vectors: int
    vector_model: str
    seq: int
    bytes: int
    refused: int = 0
    """Passages that the index will never take; they are in the database and in no answer."""


class Index(Part, Protocol):
    """Finds passages. Everything in it can be rebuilt from the database, whose log (`seq`) it follows.

    Raises `IndexUnavailable` when it cannot answer. Methods may be called from one event loop, concurrently; `apply`
    is called by one caller at a time.
    """

    async def open(self) -> None:
        """Open or create; a damaged index is set aside and starts empty at position 0."""

    async def close(self) -> None:
        """Release files and connections; nothing applied is lost."""

    async def position(self) -> int:
        """The last `seq` that is durably applied; 0 when empty."""

    async def apply(self, changes: IndexChanges) -> None:
        """Apply durably, then move `position` to `changes.seq`. Killed half-way, the old position stands."""

    async def search(self, query: IndexQuery) -> IndexHits:
        """Search all legs with the audience and source filters inside the search itself."""

    async def purge(self) -> None:
        """Make removed text and vectors unrecoverable from the index's files."""

    async def reset(self) -> None:
        """Drop everything, position 0, any vector model welcome."""

    async def stats(self) -> IndexStats:
        """What it holds now."""
