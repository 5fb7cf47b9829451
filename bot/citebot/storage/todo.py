"""Documents that a listing found and that wait to be fetched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import and_, case, delete, func, or_, select, update

from citebot.logging_setup import without_secrets
from citebot.model import Ref
from citebot.storage import clock
from citebot.storage.batches import batches
from citebot.storage.database import Transaction
from citebot.storage.tables import document, source, todo
from citebot.storage.upsert import insert

MAX_ATTEMPTS = 3
"""Failures after which a document is parked."""
NEXT_TRY = timedelta(days=1)
"""After which one that is parked is tried again, unless trying again cannot help."""


@dataclass(frozen=True, slots=True)
class Todo:
    """One document to fetch."""

    external_id: str
    version: str
    readers_tag: str
    attempts: int
    urgent: int = 0
    """Events that have named it so far."""


_FIELDS = (todo.c.external_id, todo.c.version, todo.c.readers_tag, todo.c.attempts, todo.c.urgent)


def add(tx: Transaction, source_id: int, refs: Sequence[Ref]) -> None:
    """Queue documents. One that is queued already starts anew when its version or readers changed since."""
    rows = [
        {"source_id": source_id, "external_id": ref.id, "version": ref.version, "readers_tag": ref.readers_tag}
        for ref in refs
    ]
    if not rows:
        return
    statement = insert(tx, todo)
    new = statement.excluded
    same = and_(todo.c.version == new.version, todo.c.readers_tag == new.readers_tag)
    statement = statement.on_conflict_do_update(
        index_elements=[todo.c.source_id, todo.c.external_id],
        set_={
            "version": new.version,
            "readers_tag": new.readers_tag,
            "attempts": case((same, todo.c.attempts), else_=0),
            "not_before": case((same, todo.c.not_before), else_=None),
            "parked": and_(same, todo.c.parked),
            "why": case((same, todo.c.why), else_=""),
        },
    )
    fresh = {"attempts": 0, "parked": False, "why": "", "not_before": None}
    tx.execute(statement, [row | fresh for row in rows])


def take(tx: Transaction, source_id: int, limit: int) -> list[Todo]:
    """Documents that are due. They stay queued until `done` or `fail`, which puts them off."""
    query = (
        select(*_FIELDS)
        .where(todo.c.source_id == source_id)
        .where(or_(and_(~todo.c.parked, todo.c.not_before.is_(None)), todo.c.not_before <= clock.now(tx)))
        # The order of the primary key: sorting a queue of a million for every batch would cost more than the work.
        .order_by(todo.c.external_id)
        .limit(limit)
    )
    return [Todo(*row) for row in tx.execute(query)]


def hurry(tx: Transaction, source_id: int, ids: Sequence[str]) -> None:
    """Queue documents before all others, to be fetched at once; what was parked gets another chance."""
    rows = [{"source_id": source_id, "external_id": one, "version": "", "readers_tag": ""} for one in ids]
    if rows:
        fresh = {"attempts": 0, "parked": False, "why": "", "not_before": None}
        statement = insert(tx, todo).on_conflict_do_update(
            index_elements=[todo.c.source_id, todo.c.external_id], set_={**fresh, "urgent": todo.c.urgent + 1}
        )
        tx.execute(statement, [row | fresh | {"urgent": 1} for row in rows])


def take_urgent(tx: Transaction, source_id: int, limit: int) -> list[Todo]:
    """Those of `hurry`, as `take` does."""
    query = (
        select(*_FIELDS)
        .where(todo.c.source_id == source_id, todo.c.urgent > 0)
        .order_by(todo.c.external_id)
        .limit(limit)
    )
    return [Todo(*row) for row in tx.execute(query)]


def urgent_sources(tx: Transaction) -> list[str]:
    """Names of the sources with documents to fetch at once."""
    query = select(source.c.name).where(source.c.id.in_(select(todo.c.source_id).where(todo.c.urgent > 0)))
    return list(tx.scalars(query.where(~source.c.paused).order_by(source.c.name)))


def calm(tx: Transaction, source_id: int) -> None:
    """Leave what was urgent to the next regular read."""
    tx.execute(update(todo).where(todo.c.source_id == source_id, todo.c.urgent > 0).values(urgent=0))


def done(tx: Transaction, source_id: int, ids: Sequence[str], *, urgent: Mapping[str, int] | None = None) -> None:
    """Take documents off the queue, but for those that more events have named since than `urgent` says."""
    events = urgent or {}
    theirs = delete(todo).where(todo.c.source_id == source_id)
    for some in batches([one for one in ids if one not in events]):
        tx.execute(theirs.where(todo.c.external_id.in_(some), todo.c.urgent == 0))
    for one in ids:
        if one in events:
            tx.execute(theirs.where(todo.c.external_id == one, todo.c.urgent <= events[one]))


def fail(
    tx: Transaction, source_id: int, external_id: str, why: str, *, permanent: bool = False, retry_after: float = 60.0
) -> None:
    """Write down a failure: tried again later, parked after three and then tried once a day; parked when permanent."""
    tries = todo.c.attempts + 1
    now, last = clock.now(tx), tries >= MAX_ATTEMPTS
    later = case((last, now + NEXT_TRY), else_=now + timedelta(seconds=retry_after))
    values = {
        "attempts": tries,
        "not_before": None if permanent else later,
        "parked": True if permanent else case((last, True), else_=todo.c.parked),
        "why": without_secrets(why),
        "urgent": 0,
    }
    key = and_(todo.c.source_id == source_id, todo.c.external_id == external_id)
    if not tx.execute(update(todo).where(key).values(values)).rowcount:
        # A document fetched without having been listed: keep the failure all the same.
        add(tx, source_id, [Ref(external_id)])
        tx.execute(update(todo).where(key).values(values))


def parked(tx: Transaction, source_id: int) -> list[tuple[str, str, int]]:
    """Documents that could not be read: id, why, attempts."""
    query = select(todo.c.external_id, todo.c.why, todo.c.attempts).order_by(todo.c.external_id)
    return [(row[0], row[1], row[2]) for row in tx.execute(query.where(todo.c.source_id == source_id, todo.c.parked))]


def unpark(tx: Transaction, source_id: int) -> int:
    """Give every parked document another chance, at once; says how many."""
    statement = update(todo).where(todo.c.source_id == source_id, todo.c.parked)
    return tx.execute(statement.values(parked=False, attempts=0, not_before=None, why="")).rowcount


def has_new(tx: Transaction, source_id: int) -> bool:
    """Whether a document is queued that is not stored yet."""
    known = (document.c.source_id == source_id, document.c.external_id == todo.c.external_id)
    query = select(todo.c.external_id).where(todo.c.source_id == source_id, ~todo.c.parked)
    return tx.execute(query.where(~select(document.c.id).where(*known).exists()).limit(1)).first() is not None


def waiting(tx: Transaction, source_id: int) -> int:
    """How many documents are queued, without the parked ones."""
    query = select(func.count()).select_from(todo).where(todo.c.source_id == source_id, ~todo.c.parked)
    return int(tx.execute(query).scalar_one())
