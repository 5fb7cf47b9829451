"""Questions that were brought to people: each once, and open until one of them has answered."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Row, func, select, update

from citebot.model import Conversation, Helper, Person
from citebot.ports import Outbound
from citebot.storage import clock
from citebot.storage.answers import StoredAnswer
from citebot.storage.database import Transaction
from citebot.storage.tables import inquiry
from citebot.storage.upsert import insert


@dataclass(frozen=True, slots=True)
class InquiryRow:
    """One question, and whom it was brought to."""

    answer_id: str
    asker: str
    reply_to: str
    people: tuple[Helper, ...]
    resolved_by: str


def add(tx: Transaction, stored: StoredAnswer, to: Outbound, people: tuple[Helper, ...]) -> bool:
    """Note that people are asked about an answer; False when they were already."""
    place = to.conversation
    row = {
        "answer_id": stored.id,
        "asker": stored.asker,
        "platform": place.platform,
        "tenant": place.tenant,
        "conversation": place.id,
        "thread": place.thread,
        "reply_to": to.reply_to,
        "people": [[one.account, one.person.id, one.person.name] for one in people],
        "resolved_by": "",
        "created_at": clock.now(tx),
    }
    statement = insert(tx, inquiry).values(row).on_conflict_do_nothing()
    return tx.execute(statement.returning(inquiry.c.answer_id)).scalar() is not None


def get(tx: Transaction, answer_id: str) -> InquiryRow | None:
    """What is known about one."""
    row = tx.execute(select(inquiry).where(inquiry.c.answer_id == answer_id)).one_or_none()
    return None if row is None else _row(row)


def open_in(tx: Transaction, place: Conversation) -> InquiryRow | None:
    """The newest one in a thread that nobody has answered; in any thread where none is named."""
    here = {"platform": place.platform, "tenant": place.tenant, "conversation": place.id}
    here |= {"thread": place.thread} if place.thread else {}
    query = select(inquiry).where(*(inquiry.c[name] == value for name, value in here.items()))
    query = query.where(inquiry.c.resolved_by == "").order_by(inquiry.c.created_at.desc())
    row = tx.execute(query.limit(1)).one_or_none()
    return None if row is None else _row(row)


def of_asker(tx: Transaction, asker: str, *, within: timedelta) -> int:
    """How many somebody has asked for lately."""
    recent = inquiry.c.created_at > clock.now(tx) - within
    return int(tx.execute(select(func.count()).where(inquiry.c.asker == asker, recent)).scalar_one())


def resolve(tx: Transaction, answer_id: str, *, by: str) -> None:
    """Somebody has answered."""
    tx.execute(update(inquiry).where(inquiry.c.answer_id == answer_id).values(resolved_by=by))


def _row(row: Row[Any]) -> InquiryRow:
    people = tuple(Helper(account, Person(person, name)) for account, person, name in row.people)
    return InquiryRow(row.answer_id, row.asker, row.reply_to, people, row.resolved_by)
