"""Which process runs what is due: the first one to write the slot down."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, func, select, text

from citebot.storage import clock
from citebot.storage.database import Transaction
from citebot.storage.tables import schedule_slot
from citebot.storage.upsert import insert


def take(tx: Transaction, *, job: str, due: datetime, holder: str) -> bool:
    """Whether this run is ours. Once a slot is taken it and all earlier ones are gone: missed runs become one."""
    due = clock.stored(due) or due
    if tx.dialect.name != "sqlite":
        # Two slots of one job taken at once would not see each other.
        tx.execute(text("SELECT pg_advisory_xact_lock(hashtext(:job))"), {"job": f"citebot slot {job}"})
    newest = newest_taken(tx, job)
    if newest is not None and newest >= due:
        return False
    row = {"job": job, "due": due, "taken_at": clock.now(tx), "taken_by": holder}
    return bool(tx.execute(insert(tx, schedule_slot).on_conflict_do_nothing(), row).rowcount)


def newest_taken(tx: Transaction, job: str) -> datetime | None:
    """The due time of the last run, None when it never ran."""
    return tx.execute(select(func.max(schedule_slot.c.due)).where(schedule_slot.c.job == job)).scalar()


def forget(tx: Transaction, before: datetime) -> int:
    """Delete slots due before a time, but keep the newest of every job."""
    newest = (
        select(schedule_slot.c.job, func.max(schedule_slot.c.due).label("due")).group_by(schedule_slot.c.job).subquery()
    )
    is_newest = select(newest.c.job).where(newest.c.job == schedule_slot.c.job, newest.c.due == schedule_slot.c.due)
    return tx.execute(delete(schedule_slot).where(schedule_slot.c.due < before, ~is_newest.exists())).rowcount
