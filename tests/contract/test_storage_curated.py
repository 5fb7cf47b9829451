"""Answers that people wrote, and the questions that were brought to them, on both databases."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from citebot.app.curated import CuratedSource
from citebot.errors import WrongUse
from citebot.model import Answer, Audience, Conversation, Document, Gone, Helper, Person, Question, Readers
from citebot.ports import Outbound
from citebot.storage import Database, answers, curated, inquiries, sources, todo

PLACE = Conversation("slack", "C1", "T1", "5.0", "public")
HERE = Readers(frozenset({"channel:slack:T1:C1"}))
DANA = Helper("U1", Person("dana", "Dana"))


def add(database: Database, **changes: Any) -> int | None:
    values: dict[str, Any] = {
        "question": "Who refills it?",
        "text": "Dana does.",
        "author": Person("dana", "Dana"),
        "url": "https://acme.example/1",
        "readers": HERE,
        "place": PLACE,
        "message_id": "6.0",
    }
    with database.write() as tx:
        return curated.add(tx, **values | changes)


def fetched(database: Database, *ids: str) -> list[Any]:
    return list(CuratedSource(database).fetch(None, ids))  # type: ignore[arg-type]


def queued(database: Database) -> list[str]:
    with database.read() as tx:
        source = sources.get(tx, curated.SOURCE)
        return [one.external_id for one in todo.take_urgent(tx, source.id, 10)] if source else []


def stored(database: Database, id: str = "a1", asker: str = "ann") -> answers.StoredAnswer:
    question = Question("Who refills it?", Person(asker), PLACE, Audience(frozenset({"everyone"})))
    with database.write() as tx:
        answers.save(tx, Answer(id, question, "I don't know.", False), {})
        found = answers.get(tx, id)
    assert found is not None
    return found


def test_an_answer_is_a_document_with_its_author_readers_and_message(database: Database) -> None:
    number = add(database)
    (found,) = fetched(database, str(number))
    assert isinstance(found, Document)
    assert (found.title, found.body, found.url, found.authors) == (
        "Who refills it?",
        "Dana does.",
        "https://acme.example/1",
        ("Dana",),
    )
    assert found.readers == HERE
    (batch,) = CuratedSource(database).list(None, None)  # type: ignore[arg-type]
    assert [(ref.id, ref.version, ref.readers_tag) for ref in batch.items] == [(found.id, found.version, HERE.tag)]


def test_a_question_has_one_answer_and_what_is_new_is_queued_at_once(database: Database) -> None:
    number = add(database, answer_id="a1")
    assert add(database, answer_id="a1", text="Somebody else does.") is None
    assert add(database, answer_id=None) is not None
    assert queued(database)[0] == str(number)


def test_a_change_is_another_version_for_other_readers(database: Database) -> None:
    number = add(database)
    assert number is not None
    (before,) = fetched(database, str(number))
    with database.write() as tx:
        assert curated.change(tx, number, text="Ann does.", readers=Readers.everyone())
        assert not curated.change(tx, 99, text="?")
    (after,) = fetched(database, str(number))
    assert (after.body, after.readers, after.version > before.version) == ("Ann does.", Readers.everyone(), True)


def test_what_is_removed_is_gone_from_list_queue_and_fetch(database: Database) -> None:
    number = add(database)
    assert number is not None
    with database.write() as tx:
        assert curated.from_message(tx, PLACE, "6.0") == [number]
        assert curated.remove(tx, number)
        assert not curated.remove(tx, number)
    assert (fetched(database, str(number), "x"), queued(database)) == ([Gone(str(number)), Gone("x")], [])


def test_a_source_of_that_name_and_another_kind_is_not_touched(database: Database) -> None:
    with database.write() as tx:
        sources.add(tx, name=curated.SOURCE, type="files", settings={})
    with pytest.raises(WrongUse, match="remove it"):
        add(database)


def test_people_are_asked_about_an_answer_once_until_it_is_resolved(database: Database) -> None:
    to, found = Outbound(PLACE, "5.0", "people-a1"), stored(database)
    with database.write() as tx:
        assert inquiries.add(tx, found, to, (DANA,))
        assert not inquiries.add(tx, found, to, (DANA,))
        assert inquiries.of_asker(tx, "ann", within=timedelta(days=1)) == 1
        assert inquiries.of_asker(tx, "bob", within=timedelta(days=1)) == 0
        row = inquiries.open_in(tx, PLACE)
        assert row is not None
        assert (row.answer_id, row.people, row.reply_to) == ("a1", (DANA,), "5.0")
        assert inquiries.open_in(tx, Conversation("slack", "C1", "T2", "5.0")) is None
        inquiries.resolve(tx, "a1", by="Dana")
        assert inquiries.open_in(tx, PLACE) is None
        assert inquiries.get(tx, "a1") is not None
