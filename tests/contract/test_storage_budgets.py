"""Budgets of money and tokens: held before, settled after, healed after a kill, on both databases."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest

from citebot.settings import RetentionSettings
from citebot.storage import Database, budgets, clock, retention
from citebot.storage.budgets import NOTHING, Amount, Counter, Hold

ANN, BOB = Counter("person", person="ann"), Counter("person", person="bob")
ALL = Counter("everybody")
CHANNEL = Counter("conversation", "slack:T1:C1")
MODEL = Counter("model", "m-1")
HOLD = 240.0


def cost(value: int, tokens: int = 0) -> Amount:
    return Amount(0, value, tokens)


def reserve(
    database: Database, id: str, amount: Amount, limits: Mapping[Counter, Amount], question: str = ""
) -> Hold | None:
    with database.write() as tx:
        return budgets.reserve(tx, id, amount, limits, question=question, seconds=HOLD)


def held(database: Database, id: str, amount: Amount, limits: Mapping[Counter, Amount], question: str = "") -> Hold:
    hold = reserve(database, id, amount, limits, question)
    assert hold is not None
    return hold


def write(database: Database, work: Any) -> Any:
    with database.write() as tx:
        return work(tx)


def spent(database: Database, day: str = "") -> dict[Counter, Amount]:
    with database.read() as tx:
        return {one.counter: one.amount for one in budgets.spent(tx, day=day) if one.amount != NOTHING}


def later(monkeypatch: pytest.MonkeyPatch, database: Database, by: timedelta) -> datetime:
    with database.read() as tx:
        moment = clock.now(tx) + by
    monkeypatch.setattr(clock, "now", lambda tx: moment)
    return moment


def at(monkeypatch: pytest.MonkeyPatch, moment: str) -> None:
    monkeypatch.setattr(clock, "now", lambda tx: datetime.fromisoformat(moment))


def test_all_budgets_take_it_or_none_does(database: Database) -> None:
    limits = {ANN: cost(100), CHANNEL: cost(50), ALL: cost(1000)}
    assert reserve(database, "a", cost(40), limits)
    assert reserve(database, "b", cost(11), limits) is None
    assert spent(database) == dict.fromkeys(limits, cost(40))
    assert reserve(database, "c", cost(10), limits)


def test_what_is_dearer_than_the_whole_limit_is_refused_on_an_empty_day(database: Database) -> None:
    assert reserve(database, "a", cost(101), {ANN: cost(100)}) is None
    assert reserve(database, "b", cost(1, tokens=11), {ANN: cost(100, tokens=10)}) is None
    assert spent(database) == {}


def test_money_and_tokens_are_limited_each(database: Database) -> None:
    limits = {ALL: cost(0, tokens=100)}
    assert reserve(database, "a", cost(10**12, tokens=90), limits)
    assert reserve(database, "b", cost(1, tokens=11), limits) is None


def test_what_was_used_takes_the_place_of_what_was_held(database: Database) -> None:
    hold = held(database, "a", cost(80, 800), {ANN: cost(100), ALL: cost(100)})
    used = {MODEL: Amount(2, 30, 300)}
    write(database, lambda tx: budgets.settle(tx, hold, cost(30, 300), risked=NOTHING, models=used))
    assert spent(database) == {ANN: cost(30, 300), ALL: cost(30, 300), MODEL: Amount(2, 30, 300)}
    assert reserve(database, "b", cost(70), {ANN: cost(100)})


def test_what_a_killed_answer_cannot_have_used_is_given_back(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = {ANN: cost(100), ALL: cost(100)}
    early, calling = held(database, "a", cost(40), limits), held(database, "b", cost(60), limits)
    assert write(database, lambda tx: budgets.risk(tx, calling, cost(25), seconds=HOLD))
    assert write(database, budgets.heal) == 0
    later(monkeypatch, database, timedelta(minutes=5))
    assert write(database, budgets.heal) == 2
    assert spent(database) == {ANN: cost(25), ALL: cost(25)}
    assert not write(database, lambda tx: budgets.risk(tx, early, cost(1), seconds=HOLD))


def test_an_answer_that_outlives_its_healing_counts_what_it_used_and_no_more(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold = held(database, "a", cost(60), {ANN: cost(100)})
    write(database, lambda tx: budgets.risk(tx, hold, cost(25), seconds=HOLD))
    later(monkeypatch, database, timedelta(minutes=5))
    write(database, budgets.heal)
    write(database, lambda tx: budgets.settle(tx, hold, cost(10), risked=cost(25)))
    assert spent(database) == {ANN: cost(10)}


def test_a_question_tried_again_does_not_hold_twice(database: Database) -> None:
    limits = {ANN: cost(100)}
    first = held(database, "a", cost(80), limits, "inbox-1")
    write(database, lambda tx: budgets.risk(tx, first, cost(20), seconds=HOLD))
    assert write(database, lambda tx: budgets.heal(tx, "inbox-2")) == 0
    assert write(database, lambda tx: budgets.heal(tx, "inbox-1")) == 1
    assert held(database, "b", cost(80), limits, "inbox-1")
    assert spent(database) == {ANN: cost(100)}


def test_an_answer_over_midnight_belongs_to_the_day_on_which_it_began(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    at(monkeypatch, "2026-03-01 23:59:59.9")
    limits = {ANN: cost(100)}
    settled, left = held(database, "a", cost(60), limits), held(database, "b", cost(40), limits)
    at(monkeypatch, "2026-03-02 00:00:00")
    assert held(database, "c", cost(100), limits)
    write(database, lambda tx: budgets.settle(tx, settled, cost(15), risked=NOTHING))
    write(database, lambda tx: budgets.risk(tx, left, cost(5), seconds=0))
    write(database, budgets.heal)
    assert spent(database, "2026-03-01") == {ANN: cost(20)}
    assert spent(database) == {ANN: cost(100)}


def test_old_days_go_and_what_was_left_behind_is_closed(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    held(database, "a", cost(60), {ANN: cost(100)})
    later(monkeypatch, database, timedelta(days=40))
    gone = retention.run(database, RetentionSettings())
    assert (gone["counters"], gone["reservations"]) == (1, 1)
    with database.read() as tx:
        assert budgets.held(tx) == 0


def test_of_many_at_once_exactly_as_many_as_there_is_room_for(database: Database) -> None:
    def ask(number: int) -> bool:
        limits = {(ANN if number % 2 else BOB): cost(70), CHANNEL: cost(1000), ALL: cost(100)}
        return reserve(database, f"{number}", cost(10), limits) is not None

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(ask, range(40))).count(True) == 10
    assert spent(database)[ALL] == cost(100)


def test_reserving_settling_and_healing_at_once_wait_for_no_other_in_a_circle(database: Database) -> None:
    """PostgreSQL would end one of them with an error."""
    people = [Counter("person", person=f"p{number}") for number in range(4)]

    def work(number: int) -> int:
        """What must stay counted of it."""
        limits = {people[number % 4]: cost(10**6), CHANNEL: cost(10**6), ALL: cost(10**6)}
        hold = held(database, f"{number}", cost(10), limits, f"q{number // 3}")
        if number % 3 == 0:
            write(database, lambda tx: budgets.settle(tx, hold, cost(1), risked=NOTHING))
            return 1
        if number % 3 == 1:
            return 2 if write(database, lambda tx: budgets.risk(tx, hold, cost(2), seconds=-1)) else 0
        write(database, lambda tx: budgets.heal(tx, f"q{number // 3}"))
        return 0

    with ThreadPoolExecutor(8) as threads:
        counted = sum(threads.map(work, range(60)))
    for number in range(20):
        write(database, lambda tx, key=f"q{number}": budgets.heal(tx, key))
    assert spent(database)[ALL] == cost(counted)
