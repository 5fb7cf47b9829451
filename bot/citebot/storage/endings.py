"""How askers end their questions, whichever process has them, and which questions they are."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from sqlalchemy import select, update

from citebot.model import Conversation
from citebot.ports import Inbound
from citebot.storage import clock, work
from citebot.storage.database import Transaction
from citebot.storage.envelopes import lane, unpack_inbound
from citebot.storage.tables import inbox, outbox
from citebot.storage.work import ENDINGS, Ending, is_aside, is_open

_WHY: Mapping[Ending, str] = {ending: why for why, ending in ENDINGS.items()}


def withdraw(tx: Transaction, inbox_id: int) -> Inbound | None:
    """End a question that nobody has begun; returns it, or None when it is too late for that.

    One that somebody has is marked for them: see `ended`.
    """
    return _end(tx, inbox_id, "withdrawn")


def take_back(tx: Transaction, inbox_id: int) -> bool:
    """End a question of which nothing shall be left; False when somebody has it, for whom it is marked.

    Then they plan that what is shown is removed, else the caller does. What was to be sent is not.
    """
    waiting = (outbox.c.inbox_id == inbox_id, outbox.c.state == "ready")
    tx.execute(update(outbox).where(*waiting).values(state="done", finished_at=clock.now(tx)))
    _end(tx, inbox_id, "taken back")
    return work.state_of(tx, inbox_id) != "leased"


def _end(tx: Transaction, inbox_id: int, ending: Ending) -> Inbound | None:
    # Whoever is about to put it back decides first.
    tx.execute(select(inbox.c.id).where(inbox.c.id == inbox_id).with_for_update())
    statement = update(inbox).where(inbox.c.id == inbox_id, inbox.c.state == "ready")
    values = {"state": "done", "finished_at": clock.now(tx), "failure": _WHY[ending]}
    body = tx.execute(statement.values(values).returning(inbox.c.body)).scalar()
    if body is not None:
        return unpack_inbound(body)
    tx.execute(update(inbox).where(inbox.c.id == inbox_id, inbox.c.state == "leased").values(failure=_WHY[ending]))
    return None


def ended(tx: Transaction, inbox_id: int) -> Ending | None:
    """Whether, and how, its asker ended a question while somebody had it."""
    why = tx.execute(select(inbox.c.failure).where(inbox.c.id == inbox_id)).scalar()
    return ENDINGS.get(why or "")


def ended_among(tx: Transaction, ids: Collection[int]) -> list[int]:
    """Those of which `ended` says so."""
    query = select(inbox.c.id).where(inbox.c.id.in_(ids), inbox.c.failure.in_(ENDINGS))
    return list(tx.execute(query).scalars())


def asked_in(tx: Transaction, conversation: Conversation) -> list[int]:
    """The unfinished questions of a conversation, the oldest first."""
    in_line = select(inbox.c.id).where(inbox.c.lane == lane(conversation), is_open(inbox))
    here = (inbox.c.platform == conversation.platform, inbox.c.tenant == conversation.tenant)
    beside = select(inbox.c.id, inbox.c.body).where(
        *here, inbox.c.conversation == conversation.id, is_open(inbox), is_aside(inbox)
    )
    late = [row.id for row in tx.execute(beside) if lane(unpack_inbound(row.body).conversation) == lane(conversation)]
    return sorted([*tx.execute(in_line).scalars(), *late])


def asked_by(tx: Transaction, conversation: Conversation, message_id: str) -> dict[str, int]:
    """The questions that a message asked, itself and by its edits (`ID+…`), by their `message_id`."""
    same = (inbox.c.message_id == message_id) | inbox.c.message_id.startswith(f"{message_id}+", autoescape=True)
    here = (inbox.c.platform == conversation.platform, inbox.c.tenant == conversation.tenant)
    query = select(inbox.c.message_id, inbox.c.id).where(*here, inbox.c.conversation == conversation.id, same)
    return {row[0]: row[1] for row in tx.execute(query.order_by(inbox.c.id))}
