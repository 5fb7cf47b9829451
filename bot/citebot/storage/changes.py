"""What a new version of a document changes among its passages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from citebot.model import Chunk


@dataclass(frozen=True, slots=True)
class StoredPassage:
    """The columns that decide whether a passage is still the same."""

    id: int
    position: int
    content_hash: str
    headings: list[str]
    anchor: str
    kind: str
    readers: list[str]


@dataclass(slots=True)
class Changes:
    """Rows to write, collected over many documents."""

    added: list[dict[str, Any]] = field(default_factory=list)
    changed: list[dict[str, Any]] = field(default_factory=list)
    removed: list[int] = field(default_factory=list)
    opened: list[int] = field(default_factory=list)
    """Known ids whose readers changed."""
    kept: int = 0


def compare(
    changes: Changes, owner: int, stored: Sequence[StoredPassage], chunks: Sequence[Chunk], *, reuse: bool
) -> None:
    """Add to `changes` what turns the stored passages of a document row into these chunks.

    A chunk takes over a stored passage of the same text and headings, one with the same readers first. `reuse` False
    replaces all: title or language changed, which every passage is indexed with.
    """
    free: dict[tuple[str, tuple[str, ...]], list[StoredPassage]] = {}
    for row in reversed(stored if reuse else ()):
        free.setdefault((row.content_hash, tuple(row.headings)), []).append(row)
    taken: dict[int, StoredPassage] = {}
    for exact in (True, False):
        for position, chunk in enumerate(chunks):
            if position not in taken:
                found = _take(free.get((chunk.content_hash, chunk.headings)), chunk, exact=exact)
                if found is not None:
                    taken[position] = found
    for position, chunk in enumerate(chunks):
        _place(changes, owner, position, chunk, taken.get(position))
    used = {row.id for row in taken.values()}
    changes.removed.extend(row.id for row in stored if row.id not in used)


def _take(rows: list[StoredPassage] | None, chunk: Chunk, *, exact: bool) -> StoredPassage | None:
    for at in range(len(rows or ()) - 1, -1, -1):
        assert rows is not None
        if not exact or frozenset(rows[at].readers) == chunk.readers.principals:
            return rows.pop(at)
    return None


def _place(changes: Changes, owner: int, position: int, chunk: Chunk, row: StoredPassage | None) -> None:
    readers = sorted(chunk.readers.principals)
    values = {"position": position, "anchor": chunk.anchor, "kind": chunk.kind, "readers": readers}
    if row is None:
        text = {"headings": list(chunk.headings), "text": chunk.text, "content_hash": chunk.content_hash}
        changes.added.append({"document_id": owner, **text, **values})
        return
    changes.kept += 1
    if (row.position, row.anchor, row.kind, sorted(row.readers)) != (position, chunk.anchor, chunk.kind, readers):
        changes.changed.append({"row_id": row.id, **values})
    if sorted(row.readers) != readers:
        changes.opened.append(row.id)
