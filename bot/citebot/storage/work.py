"""The two queues: questions that were accepted (inbox) and posts that were planned (outbox).

A worker claims a row for a while (lease) and gets a number that only rises (fence). Whatever it writes later goes into
a transaction that checks the fence, so a worker that slept through its lease cannot do anything twice.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import (
    Row,
    String,
    Table,
    and_,
    cast,
    delete,
    exists,
    func,
    literal,
    literal_column,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.sql.elements import ColumnElement

from citebot.errors import LeaseLost
from citebot.model import Json
from citebot.ports import Inbound
from citebot.storage import clock
from citebot.storage.database import Transaction
from citebot.storage.envelopes import Post, lane, pack_inbound, pack_post, unpack_inbound, unpack_post
from citebot.storage.tables import answer, inbox, outbox
from citebot.storage.upsert import insert

Queue = Literal["inbox", "outbox"]
_TABLES: Mapping[Queue, Table] = {"inbox": inbox, "outbox": outbox}

_LOCK = 7_241_003
_WITHDRAWN = "withdrawn by the asker"
_ASIDE = "aside-"
"""Begins the name of a line that one row has for itself; those of conversations are digests."""


@dataclass(frozen=True, slots=True)
class Job:
    """A claimed row, and the fence that proves it is ours."""

    queue: Queue
    id: int
    fence: int
    attempts: int
    """How often it was claimed, this time included."""
    created_at: datetime
    body: dict[str, Any]
    aside: bool = False
    """A question that was answered for now and is tried again beside its line; see `step_aside`."""

    @property
    def inbound(self) -> Inbound:
        """The question, of an inbox row."""
        return unpack_inbound(self.body)

    @property
    def post(self) -> Post:
        """The planned post, of an outbox row."""
        return unpack_post(self.body)


def accept(tx: Transaction, inbound: Inbound) -> tuple[int, bool]:
    """Keep a question: its id, and whether it is new. A delivery or message seen before keeps its first id."""
    place = inbound.conversation
    _queue_up(tx, lane(place))
    row = {
        "state": "ready",
        "fence": 0,
        "attempts": 0,
        "created_at": clock.now(tx),
        "platform": place.platform,
        "lane": lane(place),
        "tenant": place.tenant,
        "delivery_id": inbound.delivery_id,
        "conversation": place.id,
        "message_id": inbound.message_id,
        "body": pack_inbound(inbound),
    }
    new = tx.execute(insert(tx, inbox).values(row).on_conflict_do_nothing().returning(inbox.c.id)).scalar()
    if new is not None:
        return int(new), True
    here = and_(inbox.c.platform == place.platform, inbox.c.tenant == place.tenant)
    same_message = and_(inbox.c.conversation == place.id, inbox.c.message_id == inbound.message_id)
    query = select(inbox.c.id).where(here, or_(inbox.c.delivery_id == inbound.delivery_id, same_message))
    return int(tx.execute(query.order_by(inbox.c.id).limit(1)).scalar_one()), False


def mark_over_budget(tx: Transaction, inbox_id: int, inbound: Inbound) -> None:
    """Note on a question that was kept just now that its budget is used up."""
    body = pack_inbound(replace(inbound, over_budget=True))
    tx.execute(update(inbox).where(inbox.c.id == inbox_id).values(body=body))


def plan(tx: Transaction, post: Post, *, inbox_id: int | None = None, anew: bool = False) -> None:
    """Plan a post; one that is planned already under this key stays as it is, or with `anew` is sent anew."""
    row = {
        "state": "ready",
        "fence": 0,
        "attempts": 0,
        "created_at": clock.now(tx),
        "platform": post.to.conversation.platform,
        "lane": lane(post.to.conversation),
        "inbox_id": inbox_id,
        "idempotency_key": post.to.idempotency_key,
        "body": pack_post(post),
    }
    statement = insert(tx, outbox).values(row)
    if not anew:
        tx.execute(statement.on_conflict_do_nothing())
        return
    # What it replaces stands there already: it waits for nobody, and nobody for it. The fence goes on counting.
    again: dict[str, Any] = {name: statement.excluded[name] for name in ("state", "attempts", "body")}
    again |= dict.fromkeys(("not_before", "lease_until", "finished_at", "failure", "result"))
    again["lane"] = literal(_ASIDE) + cast(outbox.c.id, String)
    tx.execute(statement.on_conflict_do_update(index_elements=[outbox.c.idempotency_key], set_=again))


def claim(
    tx: Transaction, queue: Queue, *, lease: float, limit: int = 1, platforms: Collection[str] | None = None
) -> list[Job]:
    """Take rows that are due, oldest first, one per conversation and only its oldest unfinished one."""
    table = _TABLES[queue]
    earlier = table.alias()
    now = clock.now(tx)
    due = or_(
        and_(table.c.state == "ready", or_(table.c.not_before.is_(None), table.c.not_before <= now)),
        and_(table.c.state == "leased", table.c.lease_until <= now),
    )
    blocked = select(earlier.c.id).where(earlier.c.lane == table.c.lane, _open(earlier), earlier.c.id < table.c.id)
    query = select(table.c.id).where(_open(table), due, ~blocked.exists())
    if queue == "inbox":
        # Else a stream might stand above the answer to an earlier question that is still to be shown.
        unsent = select(outbox.c.id).where(outbox.c.lane == table.c.lane, _open(outbox))
        # And what a late answer replaces must have been shown.
        own = select(outbox.c.id).where(outbox.c.inbox_id == table.c.id, _open(outbox))
        query = query.where(~unsent.exists(), ~own.exists())
    if platforms is not None:
        query = query.where(table.c.platform.in_(sorted(platforms)))
    # A CTE, because PostgreSQL may run a subquery with SKIP LOCKED more than once.
    chosen = (
        query.order_by(_is_aside(table), table.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True, of=table)
        .cte("chosen")
    )
    statement = (
        update(table)
        .where(table.c.id.in_(select(chosen.c.id)))
        .values(
            state="leased",
            lease_until=now + timedelta(seconds=lease),
            fence=table.c.fence + 1,
            attempts=table.c.attempts + 1,
        )
        .returning(table)
    )
    rows = tx.execute(statement).all()
    return sorted((_job(queue, row) for row in rows), key=lambda job: job.id)


def guard(tx: Transaction, job: Job) -> None:
    """Raise `LeaseLost` unless the job is still ours, and keep it ours until this transaction ends."""
    table = _TABLES[job.queue]
    row = tx.execute(select(table.c.fence, table.c.state).where(table.c.id == job.id).with_for_update()).one_or_none()
    if row is None or row.fence != job.fence or row.state != "leased":
        raise _lost(job)


def renew(tx: Transaction, job: Job, *, lease: float) -> None:
    """Keep a job for longer."""
    _change(tx, job, lease_until=clock.now(tx) + timedelta(seconds=lease))


def complete(tx: Transaction, job: Job, *, result: Json = None) -> None:
    """It is done; `result` is what the platform said, of a post."""
    done = {"state": "done", "lease_until": None, "finished_at": clock.now(tx), "failure": None}
    _change(tx, job, **done, **({"result": result} if job.queue == "outbox" and result is not None else {}))


def retry(tx: Transaction, job: Job, *, after: float, why: str) -> None:
    """It failed and shall be tried again."""
    later = clock.now(tx) + timedelta(seconds=after)
    _change(tx, job, state="ready", lease_until=None, not_before=later, failure=why)


def step_aside(tx: Transaction, job: Job, *, after: float, why: str) -> None:
    """It was answered for now and shall be tried again, while its conversation goes on without it."""
    later = clock.now(tx) + timedelta(seconds=after)
    _change(tx, job, state="ready", lease_until=None, not_before=later, failure=why, lane=f"{_ASIDE}{job.id}")


def waited(tx: Transaction, job: Job) -> float:
    """Seconds since the answer for now was planned, by the clock of the database."""
    since = tx.execute(select(outbox.c.created_at).where(outbox.c.inbox_id == job.id)).scalar()
    return (clock.now(tx) - since).total_seconds() if since else 0.0


def release(tx: Transaction, job: Job) -> None:
    """Give it back untried: another worker may begin at once, and this attempt does not count."""
    table = _TABLES[job.queue]
    _change(tx, job, state="ready", lease_until=None, attempts=table.c.attempts - 1)


def dead(tx: Transaction, job: Job, *, why: str) -> None:
    """It failed for good; the row stays for people to look at."""
    _change(tx, job, state="dead", lease_until=None, finished_at=clock.now(tx), failure=why)


def withdraw(tx: Transaction, inbox_id: int) -> Inbound | None:
    """End a question that nobody has begun; returns it, or None when it is too late for that.

    One that was answered for now, and is just tried again by somebody, is marked for them: see `is_withdrawn`.
    """
    # Whoever is about to put it back decides first.
    tx.execute(select(inbox.c.id).where(inbox.c.id == inbox_id).with_for_update())
    statement = update(inbox).where(inbox.c.id == inbox_id, inbox.c.state == "ready")
    values = {"state": "done", "finished_at": clock.now(tx), "failure": _WITHDRAWN}
    body = tx.execute(statement.values(values).returning(inbox.c.body)).scalar()
    if body is not None:
        return unpack_inbound(body)
    tried = (inbox.c.id == inbox_id, inbox.c.state == "leased", _is_aside(inbox))
    tx.execute(update(inbox).where(*tried).values(failure=_WITHDRAWN))
    return None


def is_withdrawn(tx: Transaction, job: Job) -> bool:
    """Whether its asker ended a question while we had it."""
    return tx.execute(select(inbox.c.failure).where(inbox.c.id == job.id)).scalar() == _WITHDRAWN


def state_of(tx: Transaction, inbox_id: int) -> str:
    """The state of a question; empty when it is not kept any more."""
    return tx.execute(select(inbox.c.state).where(inbox.c.id == inbox_id)).scalar() or ""


def inbound_of(tx: Transaction, inbox_id: int) -> Inbound | None:
    """A question that was accepted, as long as it is kept."""
    body = tx.execute(select(inbox.c.body).where(inbox.c.id == inbox_id)).scalar()
    return None if body is None else unpack_inbound(body)


def erase(tx: Transaction, inbox_id: int) -> None:
    """Forget what a question said; that it was there stays known, so that it is not taken again."""
    inbound = inbound_of(tx, inbox_id)
    if inbound is not None:
        body = pack_inbound(replace(inbound, text="", history=(), attachments=()))
        tx.execute(update(inbox).where(inbox.c.id == inbox_id).values(body=body))


def asked_at(tx: Transaction, inbox_id: int) -> datetime | None:
    """When a question was accepted, as long as it is kept."""
    return tx.execute(select(inbox.c.created_at).where(inbox.c.id == inbox_id)).scalar()


def reopen(tx: Transaction, inbox_id: int) -> bool:
    """Begin a question anew that ended without an answer; False while it, or what it ended with, is on its way."""
    sending = exists().where(outbox.c.inbox_id == inbox_id, _open(outbox))
    answered = exists().where(answer.c.inbox_id == inbox_id)
    # Of one that was given up, the answer was only one for now.
    ended = or_(inbox.c.state == "dead", and_(inbox.c.state == "done", ~answered))
    statement = update(inbox).where(inbox.c.id == inbox_id, ended, ~sending)
    inbound = inbound_of(tx, inbox_id)
    if inbound is None:
        return False
    fresh = {"state": "ready", "attempts": 0, "not_before": None, "finished_at": None, "failure": None}
    fresh |= {"lane": lane(inbound.conversation)}
    if not tx.execute(statement.values(fresh)).rowcount:
        return False
    tx.execute(delete(outbox).where(outbox.c.inbox_id == inbox_id))
    return True


def counts(tx: Transaction, queue: Queue) -> dict[str, int]:
    """How many rows are in each state."""
    table = _TABLES[queue]
    query = select(table.c.state, func.count()).group_by(table.c.state)
    return {row[0]: row[1] for row in tx.execute(query)}


def oldest_open(tx: Transaction, queue: Queue) -> datetime | None:
    """Since when the oldest unfinished row waits."""
    table = _TABLES[queue]
    return tx.execute(select(func.min(table.c.created_at)).where(_open(table))).scalar()


def forget(tx: Transaction, queue: Queue, before: datetime) -> int:
    """Delete rows that were finished before a time; says how many."""
    table = _TABLES[queue]
    finished = table.c.state.in_(("done", "dead"))
    return tx.execute(delete(table).where(finished, table.c.finished_at < before)).rowcount


def _queue_up(tx: Transaction, in_lane: str) -> None:
    # Else a question whose transaction takes long could turn up before one that was answered already.
    if tx.dialect.name != "sqlite":
        tx.execute(text("SELECT pg_advisory_xact_lock(:key, hashtext(:lane))"), {"key": _LOCK, "lane": in_lane})


def _is_aside(table: Any) -> ColumnElement[bool]:
    return table.c.lane.startswith(_ASIDE)  # type: ignore[no-any-return]


def _open(table: Any) -> ColumnElement[bool]:
    # Written out, not as parameters: a partial index is only used when the words are the same.
    return table.c.state.in_([literal_column("'ready'"), literal_column("'leased'")])  # type: ignore[no-any-return]


def _change(tx: Transaction, job: Job, **values: object) -> None:
    table = _TABLES[job.queue]
    mine = (table.c.id == job.id, table.c.fence == job.fence, table.c.state == "leased")
    if not tx.execute(update(table).where(*mine).values(**values)).rowcount:
        raise _lost(job)


def _lost(job: Job) -> LeaseLost:
    return LeaseLost(f"Row {job.id} of the {job.queue} belongs to another worker now; this one writes nothing.")


def _job(queue: Queue, row: Row[Any]) -> Job:
    return Job(queue, row.id, row.fence, row.attempts, row.created_at, row.body, row.lane.startswith(_ASIDE))
