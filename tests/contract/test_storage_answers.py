"""Answers, traces and feedback on both databases."""

from __future__ import annotations

from datetime import datetime

import pytest
from sqlalchemy.exc import IntegrityError

from citebot.model import (
    Answer,
    Audience,
    Citation,
    Conversation,
    Feedback,
    Passage,
    Person,
    Question,
    Readers,
    ScoredPassage,
)
from citebot.ports import Inbound
from citebot.storage import Database, answers, work

ANN = Person("ann@x", "Ann")
PLACE = Conversation("slack", "C1", tenant="T1", thread="17.1", visibility="private")
QUESTION = Question("How long is the leave?", ANN, PLACE, Audience(frozenset({"everyone"}), "ann"), sources=("wiki",))


def passage(number: int) -> Passage:
    return Passage(
        number,
        "wiki",
        f"d{number}",
        f"Title {number}",
        "https://w",
        "a",
        ("Leave",),
        "TEXT",
        "paragraph",
        0,
        Readers.everyone(),
    )


def made(id: str, created: datetime | None = None) -> Answer:
    citations = (Citation(1, passage(1), ("16 weeks.",)),)
    closest = (ScoredPassage(passage(2), 0.25), ScoredPassage(passage(1), 0.2))
    return Answer(
        id, QUESTION, "It is 16 weeks [1].", True, citations, closest, 0.75, ("keyword search only",), created
    )


def test_an_answer_comes_back_with_its_trace(database: Database) -> None:
    with database.write() as tx:
        answers.save(tx, made("a1"), {"stages": [{"stage": "retrieve", "ms": 3.5}]})
        found = answers.get(tx, "a1")
    assert found is not None
    assert (found.conversation, found.asker, found.asker_name) == (PLACE, "ann@x", "Ann")
    assert (found.citations[0].sentences, found.closest[0].score, found.notes) == (
        ("16 weeks.",),
        0.25,
        ("keyword search only",),
    )
    assert (found.passage_ids, found.principals, found.sources) == ((1, 2), {"everyone"}, ("wiki",))
    assert found.to_json()["trace"] == {"stages": [{"stage": "retrieve", "ms": 3.5}]}
    assert "TEXT" not in str(found.to_json())


def test_the_newest_come_first_and_a_missing_one_is_none(database: Database) -> None:
    with database.write() as tx:
        for day in (1, 3, 2):
            answers.save(tx, made(f"a{day}", datetime(2026, 1, day)), {})
        assert [found.id for found in answers.recent(tx, 2)] == ["a3", "a2"]
        assert answers.get(tx, "nothing") is None


def test_a_question_has_one_answer(database: Database) -> None:
    with database.write() as tx:
        job, _ = work.accept(tx, Inbound("d", "m", PLACE, ANN, "?"))
        answers.save(tx, made("a1"), {}, inbox_id=job)
        found = answers.of_question(tx, job)
    assert found is not None
    assert found.id == "a1"
    with pytest.raises(IntegrityError), database.write() as tx:
        answers.save(tx, made("a2"), {}, inbox_id=job)


def test_a_later_opinion_replaces_the_earlier(database: Database) -> None:
    with database.write() as tx:
        answers.save(tx, made("a1"), {})
        answers.save_feedback(tx, Feedback("a1", ANN, "helpful"))
        answers.save_feedback(tx, Feedback("a1", Person("bob"), "helpful"))
        answers.save_feedback(tx, Feedback("a1", ANN, "not_helpful", "outdated"))
        given = {f.person.id: (f.verdict, f.reason) for f in answers.feedback_of(tx, "a1")}
    assert given == {"ann@x": ("not_helpful", "outdated"), "bob": ("helpful", "")}
