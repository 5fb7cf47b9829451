"""Answers that people wrote. Each is a document of a built-in source, and what changes is queued to be read at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, delete, select, update

from citebot.errors import WrongUse
from citebot.model import Conversation, Person, Readers
from citebot.storage import clock, documents, index_log, sources, todo
from citebot.storage.database import Transaction
from citebot.storage.tables import curated_answer
from citebot.storage.upsert import insert

SOURCE = "curated-answers"
KIND = "curated"


@dataclass(frozen=True, slots=True)
class CuratedAnswer:
    """One of them."""

    id: int
    answer_id: str | None
    """The answer that did not do."""
    question: str
    text: str
    author: str
    author_name: str
    url: str
    readers: Readers
    place: Conversation
    message_id: str
    created_at: datetime
    changed_at: datetime

    def to_json(self) -> dict[str, Any]:
        """Plain values, for `--json`."""
        plain = ("id", "answer_id", "question", "text", "author", "author_name", "url", "message_id")
        return {
            **{name: getattr(self, name) for name in plain},
            "readers": sorted(self.readers.principals),
            "platform": self.place.platform,
            "conversation": self.place.id,
            "created_at": self.created_at.isoformat(),
            "changed_at": self.changed_at.isoformat(),
        }


def add(
    tx: Transaction,
    *,
    question: str,
    text: str,
    author: Person,
    url: str,
    readers: Readers,
    place: Conversation,
    message_id: str,
    answer_id: str | None = None,
) -> int | None:
    """Keep an answer; its id, or None when the question has one."""
    now = clock.now(tx)
    row = {
        "answer_id": answer_id,
        "question": question,
        "text": text,
        "author": author.id,
        "author_name": author.name,
        "url": url,
        "readers": sorted(readers.principals),
        "platform": place.platform,
        "tenant": place.tenant,
        "conversation": place.id,
        "message_id": message_id,
        "created_at": now,
        "changed_at": now,
    }
    statement = insert(tx, curated_answer).values(row).on_conflict_do_nothing()
    new: int | None = tx.execute(statement.returning(curated_answer.c.id)).scalar()
    if new is not None:
        _hurry(tx, new)
    return new


def get(tx: Transaction, id: int) -> CuratedAnswer | None:
    """The answer of this id."""
    row = tx.execute(select(curated_answer).where(curated_answer.c.id == id)).one_or_none()
    return None if row is None else _row(row)


def some(tx: Transaction, ids: Sequence[int]) -> list[CuratedAnswer]:
    """Those of these ids that there are."""
    return [_row(row) for row in tx.execute(select(curated_answer).where(curated_answer.c.id.in_(ids)))]


def every(tx: Transaction) -> list[CuratedAnswer]:
    """All of them, oldest first."""
    return [_row(row) for row in tx.execute(select(curated_answer).order_by(curated_answer.c.id))]


def change(tx: Transaction, id: int, **values: Any) -> bool:
    """Change question, text or readers; whether there was such an answer."""
    if isinstance(readers := values.get("readers"), Readers):
        values["readers"] = sorted(readers.principals)
    statement = update(curated_answer).where(curated_answer.c.id == id)
    changed = bool(tx.execute(statement.values(**values, changed_at=clock.now(tx))).rowcount)
    if changed:
        _hurry(tx, id)
    return changed


def remove(tx: Transaction, id: int) -> bool:
    """Take an answer out of everything, at once; whether there was one."""
    there = bool(tx.execute(delete(curated_answer).where(curated_answer.c.id == id)).rowcount)
    source = sources.get(tx, SOURCE)
    if there:
        index_log.write(tx, "curated", [id])
    if there and source is not None:
        documents.remove(tx, source.id, [str(id)])
        todo.done(tx, source.id, [str(id)], urgent={str(id): 1_000_000_000})
    return there


def from_message(tx: Transaction, place: Conversation, message_id: str) -> list[int]:
    """The ids of the answers that were saved from a message."""
    here = {"platform": place.platform, "tenant": place.tenant, "conversation": place.id, "message_id": message_id}
    query = select(curated_answer.c.id).where(*(curated_answer.c[name] == value for name, value in here.items()))
    return list(tx.execute(query).scalars())


def _hurry(tx: Transaction, id: int) -> None:
    source = sources.get(tx, SOURCE) or sources.add(tx, name=SOURCE, type=KIND, settings={}, trust="curated")
    if source.type != KIND:
        raise WrongUse(f"There is a source “{SOURCE}” of another kind: remove it, or answers cannot be kept.")
    todo.hurry(tx, source.id, [str(id)])


def _row(row: Row[Any]) -> CuratedAnswer:
    return CuratedAnswer(
        id=row.id,
        answer_id=row.answer_id,
        question=row.question,
        text=row.text,
        author=row.author,
        author_name=row.author_name,
        url=row.url,
        readers=Readers(frozenset(row.readers)),
        place=Conversation(row.platform, row.conversation, row.tenant),
        message_id=row.message_id,
        created_at=row.created_at,
        changed_at=row.changed_at,
    )
