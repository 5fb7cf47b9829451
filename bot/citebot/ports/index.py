"""Where passages are found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol, runtime_checkable

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
    built_to: int | None = None
    """Of one that is built beside another (`BuildsBeside`): all passages up to this id were given to it with these
    changes; None when it is whole."""


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
    may_miss: float | None = None
    """Seconds of which the latest changes may be missing, when a standby answered."""


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
    place: str = ""
    """Where it is kept: the name of an index on a server, or a folder."""
    built_to: int | None = None
    """As the last changes said."""
    began: float | None = None
    """When the building of one beside another began, in seconds since 1970."""


class Searchable(Protocol):
    """What can be searched."""

    async def search(self, query: IndexQuery) -> IndexHits:
        """Search all legs with the audience and source filters inside the search itself."""


class IndexVersion(Protocol):
    """What follows the log. `apply` is called by one caller at a time."""

    async def position(self) -> int:
        """The last `seq` that is durably applied; 0 when empty."""

    async def apply(self, changes: IndexChanges) -> None:
        """Apply durably, then move `position` to `changes.seq`. Killed half-way, the old position stands."""

    async def purge(self) -> None:
        """Make removed text and vectors unrecoverable from the index's files."""

    async def stats(self) -> IndexStats:
        """What it holds now."""


class Index(Part, Searchable, IndexVersion, Protocol):
    """Finds passages. Everything in it can be rebuilt from the database, whose log (`seq`) it follows.

    One that is on a server, where many processes search it and each may feed it, says `shared = True` in its class.

    Raises `IndexUnavailable` when it cannot answer. Methods may be called from one event loop, concurrently. What could
    not be opened for now may be opened by a later call.
    """

    async def open(self) -> None:
        """Open or create; a damaged index is set aside and starts empty at position 0."""

    async def close(self) -> None:
        """Release files and connections; nothing applied is lost."""

    async def reset(self) -> None:
        """Drop everything, position 0, any vector model welcome."""


Beside = Literal["next", "kept"]
"""The version that is being built, and the one that answered before."""


@runtime_checkable
class TellsModel(Protocol):
    """What is searched, and says with vectors of which model: a question may be embedded by that one."""

    @property
    def vector_model(self) -> str:
        """The model of what answers now, as last seen; empty while there are no vectors."""


@runtime_checkable
class BuildsBeside(TellsModel, Protocol):
    """An index that is built anew beside the version that answers, which is kept when they have changed places.

    Changes of place are whole or have not happened, for all processes. Callers make one at a time.
    """

    async def beside(self, which: Beside) -> IndexVersion | None:
        """One of the others, if it is there. It is closed with this index."""

    async def begin(self, *, seq: int, model: str) -> IndexVersion:
        """Begin the next version, empty, for vectors of a model, at a position of the log; an unfinished one goes."""

    async def switch(self) -> None:
        """Let the next version answer and keep the one that did; one that was kept before goes."""

    async def switch_back(self) -> None:
        """Let the kept version and the one that answers change places."""

    async def drop(self, which: Beside) -> None:
        """Delete one of the others."""
