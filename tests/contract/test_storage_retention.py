"""What is old goes, after the days that the settings give it; what is open or young stays."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text, update

from citebot.model import Answer, Audience, Conversation, Feedback, Person, Question
from citebot.ports import Inbound, Outbound
from citebot.scheduling import Clock
from citebot.settings import RetentionSettings
from citebot.storage import Database, answers, audit, retention, shown, work
from citebot.storage.envelopes import Post
from citebot.storage.tables import answer

NOTHING = RetentionSettings(**dict.fromkeys(RetentionSettings.model_fields, 0))
PLACE = Conversation("console", "c")
LONG_AGO = "2020-01-01 00:00:00.000000"


def asked(db: Database, number: int, *, done: bool = True, old: bool = True) -> None:
    """A question with its answer, its trace, an opinion, its post, the message that shows it, and an audit line."""
    place = Conversation("console", str(number))
    with db.write() as tx:
        job, _ = work.accept(tx, Inbound(f"d{number}", f"m{number}", place, Person("ann"), "q"))
        made = Answer(f"a{number}", Question("q", Person("ann"), place, Audience(frozenset({"everyone"}))), "x", True)
        answers.save(tx, made, {"stages": [{"stage": "write"}]}, inbox_id=job)
        answers.save_feedback(tx, Feedback(made.id, Person("ann"), "helpful", ""))
        work.plan(tx, Post(Outbound(place, f"m{number}", f"key-{number}"), made.id), inbox_id=job)
        shown.begin(tx, f"key-{number}", 0, stream=False)
        audit.write(tx, audit.Line("ann", "", "command line", "try", str(number)))
        if done:
            for queue in ("outbox", "inbox"):
                for mine in work.claim(tx, queue, lease=9, limit=9):
                    work.complete(tx, mine)
        if old:
            for table, column in {"inbox": "finished_at", "outbox": "finished_at", "audit": "at"}.items():
                tx.execute(text(f"UPDATE {table} SET {column} = '{LONG_AGO}' WHERE {column} IS NOT NULL"))
            for table in ("answer", "shown_message"):
                tx.execute(text(f"UPDATE {table} SET created_at = '{LONG_AGO}'"))


def counts(db: Database) -> dict[str, int]:
    names = ("inbox", "outbox", "answer", "feedback", "shown_message", "audit")
    with db.read() as tx:
        return {name: tx.execute(text(f"SELECT count(*) FROM {name}")).scalar_one() for name in names}


def traces(db: Database) -> list[object]:
    with db.read() as tx:
        return [row.trace for row in answers.recent(tx, 100)]


@pytest.mark.parametrize(
    ("setting", "gone"),
    [
        ("inbox_days", {"inbox": 1, "outbox": 1}),  # a post goes with its question
        ("outbox_days", {"outbox": 1, "shown_message": 1}),
        ("answers_days", {"answer": 1, "feedback": 1}),
        ("audit_days", {"audit": 1}),
        ("traces_days", {}),
        ("counters_days", {}),
    ],
)
def test_each_setting_forgets_its_own(database: Database, setting: str, gone: dict[str, int]) -> None:
    asked(database, 1)
    before = counts(database)
    assert set(before.values()) == {1}
    retention.run(database, NOTHING)
    assert counts(database) == before, "0 keeps for ever"
    retention.run(database, NOTHING.model_copy(update={setting: 30}))
    assert counts(database) == {name: number - gone.get(name, 0) for name, number in before.items()}
    assert traces(database) in ([], [{}] if setting == "traces_days" else [{"stages": [{"stage": "write"}]}])


def test_what_is_young_or_not_finished_stays(database: Database) -> None:
    asked(database, 1, old=False)
    asked(database, 2, done=False, old=False)
    before = counts(database)
    retention.run(database, RetentionSettings(**dict.fromkeys(RetentionSettings.model_fields, 1)))
    assert counts(database) == before
    assert {} not in traces(database)


def test_many_rows_go_in_steps_and_a_stop_is_heeded(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "AT_ONCE", 7)
    with database.write() as tx:
        for number in range(30):
            audit.write(tx, audit.Line("ann", "", "command line", "try", str(number)))
        tx.execute(text(f"UPDATE audit SET at = '{LONG_AGO}'"))
    settings = NOTHING.model_copy(update={"audit_days": 1.0})
    looks = iter([False, False, *[True] * 9])
    assert retention.run(database, settings, stop=lambda: next(looks))["audit"] == 14
    assert retention.run(database, settings)["audit"] == 16
    assert counts(database)["audit"] == 0


def test_the_moment_decides_to_the_day(database: Database) -> None:
    for number in (1, 2):
        asked(database, number, old=False)
    with database.write() as tx:
        now = database.now(tx)
        for number, days in ((1, 29.9), (2, 30.1)):
            tx.execute(update(answer).where(answer.c.id == f"a{number}").values(created_at=now - timedelta(days=days)))
    retention.run(database, NOTHING.model_copy(update={"answers_days": 30.0}))
    with database.read() as tx:
        assert [row.id for row in answers.recent(tx, 9)] == ["a1"]


async def test_one_of_many_processes_forgets_what_is_due(database: Database) -> None:
    ran: list[str] = []
    now = datetime(2026, 5, 1, 12, tzinfo=UTC)
    clocks = [Clock(database, holder=str(number), now=lambda: now) for number in range(5)]
    for number, clock in enumerate(clocks):

        async def forget(who: str = str(number)) -> None:
            ran.append(who)
            await asyncio.to_thread(retention.run, database, NOTHING)

        clock.every(3600, "retention", forget)
        clock.start()
    async with asyncio.timeout(30):
        while not ran:
            await asyncio.sleep(0.01)
    for clock in clocks:
        await clock.close()
    assert len(ran) == 1
