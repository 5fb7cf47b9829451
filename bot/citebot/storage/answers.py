"""Answers with their traces, and what readers thought of them. Passages are remembered by id, not copied.

Of a passage that was found live nothing is remembered but where it is and who may read it. An answer that says what it
said is kept until it has been shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select, update

from citebot.model import Answer, Citation, Conversation, Feedback, Passage, Person, Readers, ScoredPassage, Verdict
from citebot.storage import clock
from citebot.storage.database import Transaction
from citebot.storage.envelopes import visibility
from citebot.storage.tables import answer, feedback
from citebot.storage.upsert import insert

FORGOTTEN = "[This answer was shown. It cited chat messages, of which no copy is kept.]"


@dataclass(frozen=True, slots=True)
class StoredCitation:
    """A citation as it was shown; its passage may be gone since."""

    number: int
    passage_id: int
    source: str
    document_id: str
    title: str
    url: str
    anchor: str
    headings: tuple[str, ...]
    sentences: tuple[str, ...]
    readers: tuple[str, ...] = ()
    """Of a live passage, which has no row that says it."""
    updated: str = ""
    """The same."""


@dataclass(frozen=True, slots=True)
class StoredHit:
    """A document that came close to answering."""

    passage_id: int
    source: str
    document_id: str
    title: str
    url: str
    anchor: str
    score: float
    readers: tuple[str, ...] = ()
    updated: str = ""


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """An answer as stored."""

    id: str
    inbox_id: int | None
    asker: str
    asker_name: str
    conversation: Conversation
    question: str
    text: str
    answered: bool
    confidence: float
    citations: tuple[StoredCitation, ...]
    closest: tuple[StoredHit, ...]
    notes: tuple[str, ...]
    principals: frozenset[str]
    """The audience it was made for."""
    audience: str
    """The audience's label."""
    sources: tuple[str, ...]
    trace: dict[str, Any]
    created_at: datetime

    @property
    def passage_ids(self) -> tuple[int, ...]:
        """Every passage it refers to, cited ones first."""
        return tuple(dict.fromkeys([*(c.passage_id for c in self.citations), *(h.passage_id for h in self.closest)]))

    @property
    def live(self) -> tuple[Passage, ...]:
        """The live passages it refers to, without their texts."""
        every: list[StoredCitation | StoredHit] = [*self.closest, *self.citations]
        return tuple({one.passage_id: _live(one) for one in every if one.passage_id < 0}.values())

    def to_json(self) -> dict[str, Any]:
        """Plain values, for `--json`."""
        return {
            "id": self.id,
            "created_at": self.created_at.isoformat(),
            "asker": self.asker,
            "platform": self.conversation.platform,
            "conversation": self.conversation.id,
            "question": self.question,
            "text": self.text,
            "answered": self.answered,
            "confidence": self.confidence,
            "citations": [_plain(citation) for citation in self.citations],
            "closest": [_plain(hit) for hit in self.closest],
            "notes": list(self.notes),
            "audience": {"label": self.audience, "principals": sorted(self.principals)},
            "sources": list(self.sources),
            "trace": self.trace,
        }


def save(tx: Transaction, made: Answer, trace: Mapping[str, Any], *, inbox_id: int | None = None) -> None:
    """Store an answer; a question of the inbox can have only one. A later one of the same id takes its place."""
    asked = made.question
    body = {
        "asker_name": asked.asker.name,
        "tenant": asked.conversation.tenant,
        "thread": asked.conversation.thread,
        "visibility": asked.conversation.visibility,
        "citations": [_citation(citation) for citation in made.citations],
        "closest": [_hit(hit) for hit in made.closest],
        "notes": list(made.notes),
        "principals": sorted(asked.audience.principals),
        "audience": asked.audience.label,
        "sources": list(asked.sources),
    }
    row = {
        "id": made.id,
        "inbox_id": inbox_id,
        "asker": asked.asker.id,
        "platform": asked.conversation.platform,
        "conversation": asked.conversation.id,
        "question": asked.text,
        "text": made.text,
        "answered": made.answered,
        "confidence": made.confidence,
        "body": body,
        "trace": dict(trace),
        "created_at": clock.stored(made.created) or clock.now(tx),
    }
    statement = insert(tx, answer).values(row)
    later = {name: statement.excluded[name] for name in row if name not in ("id", "inbox_id")}
    tx.execute(statement.on_conflict_do_update(index_elements=[answer.c.id], set_=later))


def get(tx: Transaction, id: str) -> StoredAnswer | None:
    """The answer of this id."""
    row = tx.execute(select(answer).where(answer.c.id == id)).one_or_none()
    return _row(row) if row else None


def of_question(tx: Transaction, inbox_id: int) -> StoredAnswer | None:
    """The answer to a question of the inbox, once there is one."""
    row = tx.execute(select(answer).where(answer.c.inbox_id == inbox_id)).one_or_none()
    return _row(row) if row else None


def forget_live(tx: Transaction, id: str) -> None:
    """Take the text out of an answer that cites live passages; for one that has been shown."""
    stored = get(tx, id)
    if stored is not None and stored.answered and any(one.passage_id < 0 for one in stored.citations):
        tx.execute(update(answer).where(answer.c.id == id).values(text=FORGOTTEN))


def recent(tx: Transaction, limit: int) -> list[StoredAnswer]:
    """The newest answers, newest first."""
    query = select(answer).order_by(answer.c.created_at.desc(), answer.c.id).limit(limit)
    return [_row(row) for row in tx.execute(query)]


def save_feedback(tx: Transaction, given: Feedback) -> None:
    """Keep an opinion; a person's later one on the same answer replaces the earlier."""
    statement = insert(tx, feedback)
    new = statement.excluded
    statement = statement.on_conflict_do_update(
        index_elements=[feedback.c.answer_id, feedback.c.person],
        set_={"verdict": new.verdict, "reason": new.reason, "created_at": new.created_at},
    )
    row = {"answer_id": given.answer_id, "person": given.person.id, "verdict": given.verdict, "reason": given.reason}
    tx.execute(statement, row | {"created_at": clock.now(tx)})


def feedback_of(tx: Transaction, answer_id: str) -> list[Feedback]:
    """What readers thought of an answer, oldest first."""
    query = select(feedback).where(feedback.c.answer_id == answer_id).order_by(feedback.c.created_at, feedback.c.id)
    return [Feedback(answer_id, Person(row.person), _verdict(row.verdict), row.reason) for row in tx.execute(query)]


def _citation(citation: Citation) -> dict[str, Any]:
    found = citation.passage
    return {
        "number": citation.number,
        "passage_id": found.id,
        "source": found.source,
        "document_id": found.document_id,
        "title": found.title,
        "url": found.url,
        "anchor": found.anchor,
        "headings": list(found.headings),
        "sentences": [] if found.is_live else list(citation.sentences),
        **_unrecorded(found),
    }


def _hit(hit: ScoredPassage) -> dict[str, Any]:
    found = hit.passage
    return {
        "passage_id": found.id,
        "source": found.source,
        "document_id": found.document_id,
        "title": found.title,
        "url": found.url,
        "anchor": found.anchor,
        "score": hit.score,
        **_unrecorded(found),
    }


def _unrecorded(found: Passage) -> dict[str, Any]:
    """What no table says of a live passage."""
    if not found.is_live:
        return {}
    return {
        "readers": sorted(found.readers.principals),
        "updated": found.updated.isoformat() if found.updated else "",
    }


def _live(stored: StoredCitation | StoredHit) -> Passage:
    return Passage(
        id=stored.passage_id,
        source=stored.source,
        document_id=stored.document_id,
        title=stored.title,
        url=stored.url,
        anchor="",
        headings=(),
        text="",
        kind="paragraph",
        position=0,
        readers=Readers(frozenset(stored.readers)),
        document_kind="thread",
        updated=datetime.fromisoformat(stored.updated) if stored.updated else None,
    )


def _row(row: Row[Any]) -> StoredAnswer:
    body = row.body
    return StoredAnswer(
        id=row.id,
        inbox_id=row.inbox_id,
        asker=row.asker,
        asker_name=body["asker_name"],
        conversation=Conversation(
            row.platform, row.conversation, body["tenant"], body["thread"], visibility(body["visibility"])
        ),
        question=row.question,
        text=row.text,
        answered=row.answered,
        confidence=row.confidence,
        citations=tuple(StoredCitation(**_frozen(one)) for one in body["citations"]),
        closest=tuple(StoredHit(**_frozen(one)) for one in body["closest"]),
        notes=tuple(body["notes"]),
        principals=frozenset(body["principals"]),
        audience=body["audience"],
        sources=tuple(body["sources"]),
        trace=row.trace,
        created_at=row.created_at,
    )


def _frozen(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}


def _plain(value: StoredCitation | StoredHit) -> dict[str, Any]:
    values = {name: getattr(value, name) for name in value.__slots__}
    return {name: list(item) if isinstance(item, tuple) else item for name, item in values.items()}


def _verdict(value: str) -> Verdict:
    return "helpful" if value == "helpful" else "not_helpful"
