"""Settings of conversations, their budgets and the audit lines, on both databases."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import insert

from citebot.errors import CitebotError
from citebot.model import Conversation, Person
from citebot.ports import Inbound
from citebot.settings import RetentionSettings
from citebot.storage import Database, audit, clock, conversations, retention, work
from citebot.storage.audit import Line
from citebot.storage.conversations import Place
from citebot.storage.tables import conversation_settings

GENERAL = Place("slack", "T1", "C1")


def set_up(database: Database, place: Place, **changes: Any) -> None:
    with database.write() as tx:
        conversations.change(tx, place, changes)


def resolved(database: Database, place: Place) -> Any:
    with database.read() as tx:
        return conversations.resolve(tx, place)


def question(number: int, person: str = "ann", channel: str = "C1", tenant: str = "T1") -> Inbound:
    place = Conversation("slack", channel, tenant, f"t{number}", "public")
    return Inbound(f"{tenant}{channel}{number}", f"m{number}", place, Person(person), "How?")


def spend(database: Database, *questions: Inbound) -> list[bool]:
    with database.write() as tx:
        return [conversations.spend(tx, one) for one in questions]


def test_the_nearest_setting_counts_and_the_others_come_from_around(database: Database) -> None:
    set_up(database, Place("slack"), tone="detailed", per_day=9)
    set_up(database, Place("slack", "T1"), tone="brief", answers="all")
    set_up(database, GENERAL, answers="mentions", sources=["wiki"])
    found = resolved(database, GENERAL)
    assert (found.settings.tone, found.settings.answers, found.settings.sources) == ("brief", "mentions", ("wiki",))
    assert found.origins == {
        "tone": Place("slack", "T1"), "per_day": Place("slack"), "answers": GENERAL, "sources": GENERAL
    }  # fmt: skip
    assert resolved(database, Place("slack", "T1", "C2")).settings.answers == "all"
    assert resolved(database, Place("slack", "T2", "C1")).settings.answers == "mentions"
    assert resolved(database, Place("discord", "T1", "C1")).origins == {}


def test_a_setting_that_is_taken_back_leaves_nothing(database: Database) -> None:
    set_up(database, GENERAL, tone="brief", muted=True)
    set_up(database, GENERAL, tone=None)
    with database.write() as tx:
        assert conversations.own(tx, GENERAL) == {"muted": True}
        assert conversations.change(tx, GENERAL, {"muted": None}) == ({"muted": True}, {})
        assert conversations.every(tx) == []


@pytest.mark.parametrize(
    "wrong", [{"tone": "poetic"}, {"per_day": -1}, {"per_day": "many"}, {"volume": 3}, {"answers": True}]
)
def test_a_wrong_value_is_refused_in_one_line_and_changes_nothing(wrong: dict[str, Any], database: Database) -> None:
    set_up(database, GENERAL, tone="brief")
    with (
        pytest.raises(CitebotError, match=r"conversation\.(tone|per_day|volume|answers)") as caught,
        database.write() as tx,
    ):
        conversations.change(tx, GENERAL, wrong)
    assert "\n" not in str(caught.value)
    assert resolved(database, GENERAL).settings.tone == "brief"


def test_what_a_newer_citebot_has_set_does_not_harm(database: Database) -> None:
    body = {"tone": "poetic", "muted": True, "volume": 3}
    with database.write() as tx:
        row = {"platform": "slack", "tenant": "T1", "conversation": "C1", "body": body, "changed_at": clock.now(tx)}
        tx.execute(insert(conversation_settings).values(row))
    found = resolved(database, GENERAL).settings
    assert (found.tone, found.muted) == ("normal", True)


@pytest.mark.parametrize("text", ["slack", "slack:T1", "slack:T1:C1", "slack:T1:private:C1:U1"])
def test_a_place_is_read_as_it_is_written(text: str) -> None:
    assert str(Place.read(text)) == text


@pytest.mark.parametrize("text", ["", ":T1", "slack::C1"])
def test_what_is_no_place_is_refused(text: str) -> None:
    with pytest.raises(CitebotError, match="is no place"):
        Place.read(text)


def test_a_budget_counts_where_it_was_set(database: Database) -> None:
    set_up(database, Place("slack", "T1"), per_person=2)
    assert spend(database, question(1), question(2, channel="C2"), question(3)) == [True, True, False]
    assert spend(database, question(4, "bob"), question(5, tenant="T2")) == [True, True]
    set_up(database, GENERAL, per_person=1)
    assert spend(database, question(6), question(7), question(8, channel="C2")) == [True, False, False]


def test_both_budgets_hold_and_a_refusal_uses_up_neither(database: Database) -> None:
    set_up(database, GENERAL, per_person=2, per_day=3)
    asked = [question(n, person) for n, person in enumerate(["ann", "ann", "ann", "bob", "bob", "cleo"])]
    assert spend(database, *asked) == [True, True, False, True, False, False]


def test_a_budget_begins_anew_the_next_day_and_old_counters_go(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_up(database, GENERAL, per_day=1)
    with database.read() as tx:
        today = clock.now(tx)
    assert spend(database, question(1), question(2)) == [True, False]
    with monkeypatch.context() as later:
        later.setattr(clock, "now", lambda tx: today.replace(year=today.year + 1))
        assert spend(database, question(3), question(4)) == [True, False]
        assert retention.run(database, RetentionSettings())["counters"] == 1


def test_of_many_questions_at_once_exactly_as_many_as_there_is_room_for(database: Database) -> None:
    set_up(database, GENERAL, per_day=20)
    with ThreadPoolExecutor(8) as threads:
        got = list(threads.map(lambda n: spend(database, question(n, f"p{n}"))[0], range(60)))
    assert got.count(True) == 20


def test_a_question_carries_its_spent_budget_and_that_nobody_called_us(database: Database) -> None:
    with database.write() as tx:
        asked = question(1)
        job, _ = work.accept(tx, asked)
        work.mark_over_budget(tx, job, asked)
        assert work.claim(tx, "inbox", lease=30)[0].inbound.over_budget
        quiet = Inbound("q", "q", Conversation("slack", "C9", "T1"), Person("ann"), "How?", unprompted=True)
        work.accept(tx, quiet)
        assert work.claim(tx, "inbox", lease=30)[0].inbound == quiet


def test_audit_lines_come_back_the_newest_first(database: Database) -> None:
    with database.write() as tx:
        for number in range(3):
            audit.write(tx, Line("ann", "U1", "slack:T1:C1", "conversation.set", "x", {"n": number}, None))
    with database.read() as tx:
        lines = audit.recent(tx, 2)
    assert [line.before for line in lines] == [{"n": 2}, {"n": 1}]
    assert lines[0].at is not None
