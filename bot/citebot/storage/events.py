"""Events that servers sent us, so that none counts twice."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import delete

from citebot.storage import clock
from citebot.storage.database import Transaction
from citebot.storage.tables import seen_event
from citebot.storage.upsert import insert

KEPT = timedelta(days=7)
"""How long an event is remembered. Senders try again for hours at most; a source refuses old timestamps itself."""


def first_seen(tx: Transaction, source_id: int, digest: str) -> bool:
    """Whether this event is new; it is known from now on."""
    now = clock.now(tx)
    tx.execute(delete(seen_event).where(seen_event.c.source_id == source_id, seen_event.c.seen_at < now - KEPT))
    statement = insert(tx, seen_event).values(source_id=source_id, digest=digest, seen_at=now)
    return bool(tx.execute(statement.on_conflict_do_nothing()).rowcount)
