"""The log that the index follows: which passages changed, in commit order."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Select, delete, func, insert, literal, select, text

from citebot.storage.database import Transaction
from citebot.storage.tables import index_log

What = Literal["put", "remove", "vector", "document", "source", "curated"]
"""Of passages the first three. The others say that something was removed which has none: the id is that of its row."""

_LOCK = 7_241_001


@dataclass(frozen=True, slots=True)
class LogRow:
    """One change."""

    seq: int
    passage_id: int
    what: What
    model: str = ""
    """Which made the vector; empty: any may have."""


def head(tx: Transaction) -> int:
    """The newest position; 0 when nothing was ever written. Trimming does not move it back."""
    newest = tx.execute(select(func.max(index_log.c.seq))).scalar()
    if newest is not None:
        return int(newest)
    if tx.dialect.name == "sqlite":
        query = "SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'index_log'), 0)"
    else:
        query = "SELECT coalesce(pg_sequence_last_value(pg_get_serial_sequence('index_log', 'seq')::regclass), 0)"
    return int(tx.execute(text(query)).scalar_one())


def since(tx: Transaction, seq: int, limit: int) -> list[LogRow]:
    """Changes after a position, oldest first."""
    query = select(index_log).where(index_log.c.seq > seq).order_by(index_log.c.seq).limit(limit)
    return [LogRow(row.seq, row.passage_id, row.what, row.model or "") for row in tx.execute(query)]


def oldest(tx: Transaction) -> int | None:
    """The oldest position still kept; an index that stands before `oldest - 1` must be rebuilt."""
    return tx.execute(select(func.min(index_log.c.seq))).scalar()


def trim(tx: Transaction, upto: int) -> int:
    """Forget changes up to a position that every index has passed; says how many."""
    return tx.execute(delete(index_log).where(index_log.c.seq <= upto)).rowcount


def lock(tx: Transaction) -> None:
    """Take the writers' turn until this transaction ends, so that positions are visible in the order of commits.

    Called before any other row is locked: two writers that took them in different orders would block each other.
    """
    if tx.dialect.name != "sqlite":
        tx.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})


def write(tx: Transaction, what: What, ids: Iterable[int], *, model: str | None = None) -> None:
    """Append changes."""
    rows = [{"passage_id": passage_id, "what": what, "model": model} for passage_id in ids]
    if rows:
        lock(tx)
        tx.execute(insert(index_log), rows)


def write_selected(tx: Transaction, what: What, ids: Select[tuple[int]]) -> int:
    """Append one change for every passage id a query finds; says how many."""
    lock(tx)
    query = ids.add_columns(literal(what))
    return tx.execute(insert(index_log).from_select(["passage_id", "what"], query)).rowcount
