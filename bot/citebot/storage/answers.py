"""Answers with their traces, and what readers thought of them. Passages are remembered by id, not copied."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select

from citebot.model import Answer, Citation, Conversation, Feedback, Person, ScoredPassage, Verdict
from citebot.storage import clock
from citebot.storage.database import Transaction
from citebot.storage.envelopes import visibility
from citebot.storage.tables import answer, feedback
from citebot.storage.upsert import insert


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
        "sentences": list(citation.sentences),
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
    }


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
        citations=tuple(
            StoredCitation(**{**c, "headings": tuple(c["headings"]), "sentences": tuple(c["sentences"])})
            for c in body["citations"]
        ),
        closest=tuple(StoredHit(**hit) for hit in body["closest"]),
        notes=tuple(body["notes"]),
        principals=frozenset(body["principals"]),
        audience=body["audience"],
        sources=tuple(body["sources"]),
        trace=row.trace,
        created_at=row.created_at,
    )


def _plain(value: StoredCitation | StoredHit) -> dict[str, Any]:
    values = {name: getattr(value, name) for name in value.__slots__}
    return {name: list(item) if isinstance(item, tuple) else item for name, item in values.items()}


def _verdict(value: str) -> Verdict:
    return "helpful" if value == "helpful" else "not_helpful"
