"""The two queues: questions that were accepted (inbox) and posts that were planned (outbox).

A worker claims a row for a while (lease) and gets a number that only rises (fence). Whatever it writes later goes into
a transaction that checks the fence, so a worker that slept through its lease cannot do anything twice.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Literal

from sqlalchemy import (
    BindParameter,
    Integer,
    Row,
    Select,
    String,
    Table,
    and_,
    bindparam,
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
Ending = Literal["withdrawn", "taken back"]
"""How an asker ends a question: nobody need go on with it, or nothing shall stand there for it either."""
_TABLES: Mapping[Queue, Table] = {"inbox": inbox, "outbox": outbox}

_LOCK = 7_241_003
ENDINGS: Mapping[str, Ending] = {"withdrawn by the asker": "withdrawn", "taken back by the asker": "taken back"}
"""What is written down as the failure of a question, and what it means; see `citebot.storage.endings`."""
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
    taken_over: bool = False
    """Whoever had it before let the lease run out."""
    ending: Ending | None = None
    """Its asker ended it while somebody had it who did not come to that."""

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
    replaced = {**_anew(), "body": statement.excluded.body}
    tx.execute(statement.on_conflict_do_update(index_elements=[outbox.c.idempotency_key], set_=replaced))


def is_planned(tx: Transaction, idempotency_key: str) -> bool:
    """Whether a post is planned, or was sent, under a key."""
    return tx.execute(select(outbox.c.id).where(outbox.c.idempotency_key == idempotency_key)).first() is not None


def send_again(tx: Transaction, idempotency_key: str) -> bool:
    """Have sent once more what was sent under a key; False while somebody sends it."""
    mine = outbox.c.idempotency_key == idempotency_key
    tx.execute(update(outbox).where(mine, outbox.c.state == "done").values(_anew()))
    sending = (outbox.c.state == "leased", outbox.c.lease_until > clock.now(tx))
    return tx.execute(select(outbox.c.id).where(mine, *sending)).first() is None


def _anew() -> dict[str, Any]:
    # What it replaces stands there already: it waits for nobody, and nobody for it. The fence goes on counting.
    nothing = dict.fromkeys(("not_before", "lease_until", "finished_at", "failure", "result"))
    return {**nothing, "state": "ready", "attempts": 0, "lane": literal(_ASIDE) + cast(outbox.c.id, String)}


def claim(
    tx: Transaction, queue: Queue, *, lease: float, limit: int = 1, platforms: Collection[str] | None = None
) -> list[Job]:
    """Take rows that are due, oldest first, one per conversation and only its oldest unfinished one."""
    table = _TABLES[queue]
    now = clock.now(tx)
    lapsed: dict[int, bool] = {}
    for aside in (False, True):  # those that are answered for now come last
        if len(lapsed) < limit:
            query = _due(queue, aside=aside, platforms=None if platforms is None else tuple(sorted(platforms)))
            rows = tx.execute(query, {"now": now, "most": limit - len(lapsed)})
            lapsed |= {row.id: row.state == "leased" for row in rows}
    if not lapsed:
        return []
    statement = (
        update(table)
        .where(table.c.id.in_(lapsed))
        .values(
            state="leased",
            lease_until=now + timedelta(seconds=lease),
            fence=table.c.fence + 1,
            attempts=table.c.attempts + 1,
        )
        .returning(table)
    )
    claimed = tx.execute(statement).all()
    return sorted((_job(queue, row, taken_over=lapsed[row.id]) for row in claimed), key=lambda job: job.id)


@cache  # to build it takes thirty times as long as to run it, and every writer waits meanwhile
def _due(queue: Queue, *, aside: bool, platforms: tuple[str, ...] | None) -> Select[tuple[int, str]]:
    """At most `most` rows that may be claimed at `now`, locked; those that another process looks at are left to it."""
    table = _TABLES[queue]
    earlier = table.alias()
    now: BindParameter[datetime] = bindparam("now")
    due = or_(
        and_(table.c.state == "ready", or_(table.c.not_before.is_(None), table.c.not_before <= now)),
        and_(table.c.state == "leased", table.c.lease_until <= now),
    )
    blocked = select(earlier.c.id).where(earlier.c.lane == table.c.lane, is_open(earlier), earlier.c.id < table.c.id)
    # In this order the index of open rows is read until there are enough; two orders in one would sort them all.
    query = select(table.c.id, table.c.state).where(is_open(table), due, ~blocked.exists())
    query = query.where(is_aside(table) if aside else ~is_aside(table))
    if queue == "inbox":
        # Else a stream might stand above the answer to an earlier question that is still to be shown.
        unsent = select(outbox.c.id).where(outbox.c.lane == table.c.lane, is_open(outbox))
        # And what a late answer replaces must have been shown.
        own = select(outbox.c.id).where(outbox.c.inbox_id == table.c.id, is_open(outbox))
        query = query.where(~unsent.exists(), ~own.exists())
    if platforms is not None:
        query = query.where(table.c.platform.in_(platforms))
    some = query.order_by(table.c.id).limit(bindparam("most", type_=Integer))
    return some.with_for_update(skip_locked=True, of=table)


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
    sending = exists().where(outbox.c.inbox_id == inbox_id, is_open(outbox))
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
    return tx.execute(select(func.min(table.c.created_at)).where(is_open(table))).scalar()


def oldest_waiting(tx: Transaction, queue: Queue) -> datetime | None:
    """Since when the oldest row waits that was never begun."""
    table = _TABLES[queue]
    query = select(func.min(table.c.created_at)).where(is_open(table), table.c.state == "ready", table.c.attempts == 0)
    return tx.execute(query).scalar()


def _queue_up(tx: Transaction, in_lane: str) -> None:
    # Else a question whose transaction takes long could turn up before one that was answered already.
    if tx.dialect.name != "sqlite":
        tx.execute(text("SELECT pg_advisory_xact_lock(:key, hashtext(:lane))"), {"key": _LOCK, "lane": in_lane})


def is_aside(table: Any) -> ColumnElement[bool]:
    """Rows that were answered for now."""
    # Written out, as below; not LIKE, which SQLite takes in no index.
    first = func.substr(table.c.lane, literal_column("1"), literal_column("6"))
    return first == literal_column(f"'{_ASIDE}'")


def is_open(table: Any) -> ColumnElement[bool]:
    """Rows that are not finished."""
    # Written out, not as parameters: a partial index is only used when the words are the same.
    return table.c.state.in_([literal_column("'ready'"), literal_column("'leased'")])  # type: ignore[no-any-return]


def _change(tx: Transaction, job: Job, **values: object) -> None:
    table = _TABLES[job.queue]
    mine = (table.c.id == job.id, table.c.fence == job.fence, table.c.state == "leased")
    if not tx.execute(update(table).where(*mine).values(**values)).rowcount:
        raise _lost(job)


def _lost(job: Job) -> LeaseLost:
    return LeaseLost(f"Row {job.id} of the {job.queue} belongs to another worker now; this one writes nothing.")


def _job(queue: Queue, row: Row[Any], *, taken_over: bool) -> Job:
    return Job(
        queue,
        row.id,
        row.fence,
        row.attempts,
        row.created_at,
        row.body,
        aside=row.lane.startswith(_ASIDE),
        taken_over=taken_over,
        ending=ENDINGS.get(row.failure or "") if queue == "inbox" else None,
    )
