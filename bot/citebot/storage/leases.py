"""Named rights that one holder has for a while, such as reading one source. A fence tells an old holder from a new."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import or_, select, update

from citebot.errors import LeaseLost
from citebot.storage import clock
from citebot.storage.database import Transaction
from citebot.storage.tables import lease
from citebot.storage.upsert import insert


@dataclass(frozen=True, slots=True)
class Lease:
    """A right until a time; every new holder gets a higher fence."""

    name: str
    holder: str
    fence: int
    until: datetime


def acquire(tx: Transaction, name: str, holder: str, seconds: float) -> Lease | None:
    """Take a right that is free, has run out, or is ours already; None while somebody else has it."""
    now = clock.now(tx)
    until = now + timedelta(seconds=seconds)
    statement = insert(tx, lease).values(name=name, holder=holder, until=until, fence=1)
    tx.execute(
        statement.on_conflict_do_update(
            index_elements=[lease.c.name],
            set_={"holder": holder, "until": until, "fence": lease.c.fence + 1},
            where=or_(lease.c.until <= now, lease.c.holder == holder),
        )
    )
    row = tx.execute(select(lease).where(lease.c.name == name)).one()
    return Lease(name, holder, row.fence, row.until) if row.holder == holder else None


def holding(tx: Transaction, name: str) -> Lease | None:
    """Who has a right now, as far as is written down; None when it is free."""
    row = tx.execute(select(lease).where(lease.c.name == name, lease.c.until > clock.now(tx))).one_or_none()
    return Lease(row.name, row.holder, row.fence, row.until) if row and row.holder else None


def renew(tx: Transaction, held: Lease, seconds: float) -> Lease:
    """Keep a right for longer; raises `LeaseLost` when it has gone to somebody else."""
    until = clock.now(tx) + timedelta(seconds=seconds)
    mine = (lease.c.name == held.name, lease.c.fence == held.fence)
    if not tx.execute(update(lease).where(*mine).values(until=until)).rowcount:
        raise _lost(held)
    return Lease(held.name, held.holder, held.fence, until)


def release(tx: Transaction, held: Lease) -> None:
    """Give a right back; nothing happens when it is gone already."""
    mine = (lease.c.name == held.name, lease.c.fence == held.fence)
    # The row stays, so that the fence goes on counting.
    tx.execute(update(lease).where(*mine).values(until=clock.now(tx), holder=""))


def check(tx: Transaction, held: Lease) -> None:
    """Raise `LeaseLost` unless the right is still ours, and keep it ours until this transaction ends."""
    query = select(lease.c.fence).where(lease.c.name == held.name).with_for_update()
    if tx.execute(query).scalar() != held.fence:
        raise _lost(held)


def _lost(held: Lease) -> LeaseLost:
    return LeaseLost(f"Another process has taken over {held.name!r}; this one stops and writes nothing.")
