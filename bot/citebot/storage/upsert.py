"""INSERT … ON CONFLICT, which the two databases write alike and SQLAlchemy keeps apart."""

from __future__ import annotations

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import sqlite


def insert(tx: Connection, table: Table) -> sqlite.Insert:
    """An INSERT that has `on_conflict_do_nothing` and `on_conflict_do_update`."""
    if tx.dialect.name == "sqlite":
        return sqlite.insert(table)
    # Importing it costs memory that a bot on SQLite need not spend.
    from sqlalchemy.dialects import postgresql

    # The two classes have the same methods; one type is enough for callers.
    return postgresql.insert(table)  # type: ignore[return-value]
