"""What an index is given next: changes from the log, or a page of the tables."""

from __future__ import annotations

from citebot.model import Embedding
from citebot.ports import IndexChanges, IndexEntry
from citebot.storage import Database, Transaction, index_log, passages


def from_log(
    database: Database, position: int, *, model: str, limit: int, known_to: int | None = None
) -> IndexChanges | None:
    """Changes after a position, each passage as it is now; None at the head.

    An index that is built knows passages up to an id: of others it is told when it comes to them. Of removals it is
    told always, for it may hold some of a page whose writer was killed.
    """
    with database.read() as tx:
        rows = index_log.since(tx, position, limit)
        if not rows:
            return None
        mine = [
            row
            for row in rows
            if (known_to is None or row.passage_id <= known_to or row.what == "remove")
            and not (row.model and row.model != model)
        ]
        touched = {what: {row.passage_id for row in mine if row.what == what} for what in ("put", "remove", "vector")}
        puts = passages.entries(tx, sorted(touched["put"]))
        vectors = _vectors(tx, model, touched["put"] | touched["vector"])
    removals = touched["remove"] | (touched["put"] - {entry.id for entry in puts})
    return IndexChanges(
        seq=rows[-1].seq,
        puts=tuple(puts),
        removals=tuple(sorted(removals)),
        vectors=tuple((key, made) for key, made in vectors if key not in removals),
        vector_model=model if vectors else "",
        built_to=known_to,
    )


def from_tables(
    database: Database, after: int, *, model: str, limit: int
) -> tuple[list[IndexEntry], list[tuple[int, Embedding]]]:
    """The next passages by id, and the vectors of the model that they have."""
    with database.read() as tx:
        puts = passages.scan(tx, after=after, limit=limit)
        return puts, _vectors(tx, model, {entry.id for entry in puts})


def is_cut_off(database: Database, position: int) -> bool:
    """Whether the log cannot lead from this position to the head."""
    with database.read() as tx:
        head, oldest = index_log.head(tx), index_log.oldest(tx)
        if position == 0:
            return passages.newest_id(tx) > 0
    return position > head or (position < head and (oldest is None or position < oldest - 1))


def _vectors(tx: Transaction, model: str, keys: set[int]) -> list[tuple[int, Embedding]]:
    return passages.embeddings(tx, model, sorted(keys)) if model else []
