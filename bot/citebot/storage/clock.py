"""The database's clock, and times as we store them: UTC, naive."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import Connection, text

_SQLITE = text("SELECT strftime('%Y-%m-%d %H:%M:%f', 'now')")
_POSTGRES = text("SELECT clock_timestamp() AT TIME ZONE 'utc'")


def now(tx: Connection) -> datetime:
    """What time it is for every process that shares this database."""
    if tx.dialect.name == "sqlite":
        return datetime.fromisoformat(tx.execute(_SQLITE).scalar_one())
    value = tx.execute(_POSTGRES).scalar_one()
    assert isinstance(value, datetime)
    return value


def today(tx: Connection) -> str:
    """The day, which for every budget begins at 00:00 UTC."""
    return now(tx).date().isoformat()


def stored(moment: datetime | None) -> datetime | None:
    """The moment as we store it; one without a zone is taken to be UTC."""
    if moment is None or moment.tzinfo is None:
        return moment
    return moment.astimezone(UTC).replace(tzinfo=None)
