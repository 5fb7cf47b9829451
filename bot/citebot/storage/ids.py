"""New ids known before the rows are written, so that rows and what refers to them go out in bulk."""

from __future__ import annotations

from sqlalchemy import Connection, Table, text


def allocate(tx: Connection, table: Table, count: int) -> list[int]:
    """Take `count` ids, ascending, never given out before. The caller holds a write transaction."""
    if not count:
        return []
    if tx.dialect.name == "sqlite":
        # The write lock is ours, so nobody else can take the same ids. Inserting them moves the sequence.
        last = tx.execute(text("SELECT seq FROM sqlite_sequence WHERE name = :name"), {"name": table.name}).scalar()
        return list(range((last or 0) + 1, (last or 0) + 1 + count))
    query = text("SELECT nextval(pg_get_serial_sequence(:name, 'id')) FROM generate_series(1, :count)")
    return sorted(tx.execute(query, {"name": table.name, "count": count}).scalars())
