"""Forgetting what is old: row by row after the days that the settings give it, in steps that hold nobody up."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import String, Table, cast, delete, select, tuple_, update
from sqlalchemy.sql.elements import ColumnElement

from citebot.settings import RetentionSettings
from citebot.storage import budgets, clock, news, slots
from citebot.storage.database import Database, Transaction
from citebot.storage.tables import answer, audit, inbox, outbox, shown_message

AT_ONCE = 500
"""Rows of one transaction."""
NEWS_KEPT = timedelta(days=1)
"""Every process reads news before it relies on what they are about."""
NO_TRACE = "{}"

Step = Callable[[Transaction, datetime], int]


def run(db: Database, kept: RetentionSettings, *, stop: Callable[[], bool] = lambda: False) -> dict[str, int]:
    """Forget everything that is too old; says how many rows of what."""
    return {
        what: _repeat(db, days, step, stop)
        for what, (days, step) in {
            "posts": (kept.outbox_days, _delete(outbox, outbox.c.finished_at)),
            "messages": (kept.outbox_days, _delete(shown_message, shown_message.c.created_at)),
            "questions": (kept.inbox_days, _delete(inbox, inbox.c.finished_at)),
            "traces": (kept.traces_days, _empty_traces),
            "answers": (kept.answers_days, _delete(answer, answer.c.created_at)),
            "audit": (kept.audit_days, _delete(audit, audit.c.at)),
            "counters": (kept.counters_days, _forget_counters),
            "news": (NEWS_KEPT / timedelta(days=1), news.forget),
        }.items()
    } | {"reservations": _heal(db)}


def _repeat(db: Database, days: float, step: Step, stop: Callable[[], bool]) -> int:
    gone = 0
    while days and not stop():
        with db.write() as tx:
            some = step(tx, clock.now(tx) - timedelta(days=days))
        gone += some
        if some < AT_ONCE:
            break
    return gone


def _delete(table: Table, moment: ColumnElement[datetime]) -> Step:
    """Of a queue, rows that are not finished have no such moment and stay."""
    key = tuple_(*table.primary_key)

    def step(tx: Transaction, before: datetime) -> int:
        old = select(*table.primary_key).where(moment < before).limit(AT_ONCE)
        return tx.execute(delete(table).where(key.in_(old))).rowcount

    return step


def _empty_traces(tx: Transaction, before: datetime) -> int:
    # Compared as text: PostgreSQL cannot compare JSON.
    full = (answer.c.created_at < before, cast(answer.c.trace, String) != NO_TRACE)
    old = list(tx.execute(select(answer.c.id).where(*full).limit(AT_ONCE)).scalars())
    tx.execute(update(answer).where(answer.c.id.in_(old)).values(trace={}))
    return len(old)


def _forget_counters(tx: Transaction, before: datetime) -> int:
    return slots.forget(tx, before) + budgets.forget(tx, before)


def _heal(db: Database) -> int:
    with db.write() as tx:
        return budgets.heal(tx)
