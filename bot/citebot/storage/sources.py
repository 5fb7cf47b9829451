"""Knowledge sources: their settings, where they stand and how they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Row, delete, func, insert, null, select, update
from sqlalchemy.exc import IntegrityError

from citebot.errors import WrongUse
from citebot.logging_setup import without_secrets
from citebot.model import Json, Trust
from citebot.ports import SourceStatus
from citebot.storage import clock, index_log
from citebot.storage.database import Transaction
from citebot.storage.tables import document, membership, passage, source, todo


@dataclass(frozen=True, slots=True)
class SourceRow:
    """One source as stored."""

    id: int
    name: str
    type: str
    settings: dict[str, Any] = field(repr=False)
    paused: bool
    cursor: Json
    sweep: int
    sweep_began_at: datetime | None
    poll: float | None
    created_at: datetime
    synced_at: datetime | None
    swept_at: datetime | None
    feed: Json
    feed_at: datetime | None
    removals_allowed: bool
    failed_at: datetime | None
    failure: str | None
    trust: Trust | None


def add(tx: Transaction, *, name: str, type: str, settings: Mapping[str, Any], trust: Trust | None = None) -> SourceRow:
    """Store a new source; raises `WrongUse` when the name is taken."""
    values = {
        "name": name,
        "type": type,
        "settings": dict(settings),
        "created_at": clock.now(tx),
        "cursor": null(),
        "feed": null(),
        "trust": trust,
    }
    try:
        with tx.begin_nested():
            tx.execute(insert(source), values)
    except IntegrityError:
        # Not `from error`: its text would only repeat the values.
        raise WrongUse(f"There is already a source named {name!r}. Choose another name.") from None
    added = get(tx, name)
    assert added is not None
    return added


def get(tx: Transaction, name: str) -> SourceRow | None:
    """The source of this name."""
    row = tx.execute(select(source).where(source.c.name == name)).one_or_none()
    return _row(row) if row else None


def list_all(tx: Transaction) -> list[SourceRow]:
    """Every source, by name."""
    return [_row(row) for row in tx.execute(select(source).order_by(source.c.name))]


def polls(tx: Transaction) -> dict[str, float | None]:
    """How often each source is read, where that is its own affair."""
    return {row.name: row.poll for row in tx.execute(select(source.c.name, source.c.poll))}


def remove(tx: Transaction, name: str) -> int:
    """Remove a source with its documents and the groups it reported; says how many documents went."""
    found = get(tx, name)
    if found is None:
        return 0
    theirs = select(passage.c.id).join(document).where(document.c.source_id == found.id)
    index_log.write_selected(tx, "remove", theirs.order_by(passage.c.id))
    index_log.write(tx, "source", [found.id])
    removed = tx.execute(delete(document).where(document.c.source_id == found.id)).rowcount
    tx.execute(delete(membership).where(membership.c.origin == name))
    tx.execute(delete(source).where(source.c.id == found.id))
    return removed


def set_settings(tx: Transaction, source_id: int, settings: Mapping[str, Any]) -> None:
    """Replace the settings of a source."""
    tx.execute(update(source).where(source.c.id == source_id).values(settings=dict(settings)))


def set_paused(tx: Transaction, name: str, paused: bool) -> None:
    """Stop or resume reading a source; its documents stay."""
    tx.execute(update(source).where(source.c.name == name).values(paused=paused))


def set_poll(tx: Transaction, name: str, seconds: float | None) -> None:
    """Read a source so often; None: as often as the settings say."""
    tx.execute(update(source).where(source.c.name == name).values(poll=seconds))


def set_trust(tx: Transaction, name: str, trust: Trust | None) -> None:
    """Trust a source so far; None: as the kinds of its documents have it."""
    tx.execute(update(source).where(source.c.name == name).values(trust=trust))


def set_cursor(tx: Transaction, source_id: int, cursor: Json) -> None:
    """Remember where the listing stands; belongs into the transaction that stores what was listed."""
    tx.execute(update(source).where(source.c.id == source_id).values(cursor=null() if cursor is None else cursor))


def set_feed(tx: Transaction, source_id: int, cursor: Json, *, read: bool = False) -> None:
    """Remember where the change feed goes on; with `read` it has been read to its end."""
    values: dict[str, object] = {"feed": null() if cursor is None else cursor}
    if read:
        values["feed_at"] = clock.now(tx)
    tx.execute(update(source).where(source.c.id == source_id).values(values))


def allow_removals(tx: Transaction, source_id: int, allowed: bool) -> None:
    """Note, or forget, that an admin confirmed the removal of many documents."""
    tx.execute(update(source).where(source.c.id == source_id).values(removals_allowed=allowed))


def end_sweep(tx: Transaction, source_id: int) -> None:
    """A full listing was read to its end and what it left out was removed; a confirmation is used up by it."""
    tx.execute(update(source).where(source.c.id == source_id).values(swept_at=clock.now(tx), removals_allowed=False))


def begin_sweep(tx: Transaction, source_id: int) -> int:
    """Begin a full listing and return its number."""
    values = {"sweep": source.c.sweep + 1, "sweep_began_at": clock.now(tx)}
    tx.execute(update(source).where(source.c.id == source_id).values(values))
    return int(tx.execute(select(source.c.sweep).where(source.c.id == source_id)).scalar_one())


def finish(tx: Transaction, source_id: int, *, failure: str | None) -> None:
    """Write down how a run ended: well (`failure` None), or why not."""
    now = clock.now(tx)
    values: dict[str, object] = {"failed_at": now, "failure": failure and without_secrets(failure)}
    if failure is None:
        values = {"synced_at": now, "failed_at": None, "failure": None}
    tx.execute(update(source).where(source.c.id == source_id).values(values))


def statuses(tx: Transaction) -> list[SourceStatus]:
    """Every source as people see it, by name."""
    documents = _counts(tx, select(document.c.source_id, func.count()).group_by(document.c.source_id))
    in_passages = select(document.c.source_id, func.count()).join(passage).group_by(document.c.source_id)
    passages = _counts(tx, in_passages)
    waiting = _counts(tx, select(todo.c.source_id, func.count()).where(~todo.c.parked).group_by(todo.c.source_id))
    parked = _counts(tx, select(todo.c.source_id, func.count()).where(todo.c.parked).group_by(todo.c.source_id))
    return [
        SourceStatus(
            name=row.name,
            type=row.type,
            documents=documents.get(row.id, 0),
            passages=passages.get(row.id, 0),
            synced=row.synced_at,
            paused=row.paused,
            failure=row.failure or "",
            waiting=waiting.get(row.id, 0),
            parked=parked.get(row.id, 0),
            poll=row.poll,
            trust=row.trust,
        )
        for row in list_all(tx)
    ]


def _counts(tx: Transaction, query: Any) -> dict[int, int]:
    return {row[0]: row[1] for row in tx.execute(query)}


def _row(row: Row[Any]) -> SourceRow:
    return SourceRow(**row._mapping)
