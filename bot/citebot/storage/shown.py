"""Which messages of a chat platform show which answer, so that a restart finds them again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import and_, delete, func, select, update
from sqlalchemy.sql.elements import ColumnElement

from citebot.storage import clock
from citebot.storage.database import Transaction
from citebot.storage.tables import shown_message
from citebot.storage.upsert import insert


@dataclass(frozen=True, slots=True)
class ShownMessage:
    """One message of an answer."""

    part: int
    message_id: str | None
    """None when its sending was begun and nobody knows how it ended."""
    stream: bool
    finished: bool


def messages(tx: Transaction, key: str) -> list[ShownMessage]:
    """The messages of an answer, in their order."""
    columns = (shown_message.c.part, shown_message.c.message_id, shown_message.c.stream, shown_message.c.finished)
    query = select(*columns).where(shown_message.c.idempotency_key == key).order_by(shown_message.c.part)
    return [ShownMessage(*row) for row in tx.execute(query)]


def begin(tx: Transaction, key: str, part: int, *, stream: bool) -> bool:
    """A message is about to be sent; False when somebody has said so before."""
    row = {**_row(key, part, stream=stream), "created_at": clock.now(tx)}
    return bool(tx.execute(insert(tx, shown_message).values(row).on_conflict_do_nothing()).rowcount)


def sent(tx: Transaction, key: str, part: int, message_id: str, *, stream: bool) -> str:
    """A message was sent; the one that counts is the first noted, which a process that was given up may have sent."""
    row = {**_row(key, part, stream=stream), "message_id": message_id, "created_at": clock.now(tx)}
    statement = insert(tx, shown_message).values(row)
    first = func.coalesce(shown_message.c.message_id, statement.excluded.message_id)
    statement = statement.on_conflict_do_update(
        index_elements=[shown_message.c.idempotency_key, shown_message.c.part], set_={"message_id": first}
    )
    return str(tx.execute(statement.returning(shown_message.c.message_id)).scalar_one())


def forget(tx: Transaction, key: str, part: int, message_id: str | None) -> None:
    """A message was taken back, or never sent (None); what another process has noted in its place stays."""
    there = shown_message.c.message_id.is_not_distinct_from(message_id)
    tx.execute(delete(shown_message).where(_one(key, part), there))


def finish(tx: Transaction, key: str) -> None:
    """The answer is shown whole."""
    tx.execute(update(shown_message).where(shown_message.c.idempotency_key == key).values(stream=False, finished=True))


def reopen(tx: Transaction, key: str, *, anew: bool) -> bool:
    """What is shown will be replaced; with `anew` it cannot be, and something new is shown. Whether there is any."""
    mine = shown_message.c.idempotency_key == key
    change = delete(shown_message).where(mine) if anew else update(shown_message).where(mine).values(finished=False)
    return bool(tx.execute(change).rowcount)


def _row(key: str, part: int, *, stream: bool) -> dict[str, Any]:
    return {"idempotency_key": key, "part": part, "message_id": None, "stream": stream, "finished": False}


def _one(key: str, part: int) -> ColumnElement[bool]:
    return and_(shown_message.c.idempotency_key == key, shown_message.c.part == part)
