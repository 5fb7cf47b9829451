"""PostgreSQL behind a pooler that gives every transaction another session, and what is sent to it at all."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import event, make_url, text

from citebot.delivery import Assignment, Delivery, Outcome, Patience, Post, Reply
from citebot.errors import StorageError
from citebot.model import Answer, Audience, Conversation, Person, Question
from citebot.ports import Inbound
from citebot.settings import DeliverySettings
from citebot.storage import Database, hints, leases, purge, schema, slots, work

SCRIPT = Path(__file__).parents[2] / "scripts" / "services" / "pgbouncer.sh"
pytestmark = pytest.mark.postgres
KEEPS_A_SESSION = ("PREPARE", "LISTEN", "DECLARE", "CREATE TEMP", "PG_ADVISORY_LOCK", "PG_TRY_ADVISORY_LOCK", "SET ")


@pytest.fixture(scope="module")
def pooled_url(postgres_url: str) -> Iterator[str]:
    """The address of the test's database by way of a pooler."""
    host = make_url(postgres_url).query.get("host")
    if not isinstance(host, str) or not host.startswith("/"):
        pytest.skip("the pooler needs a PostgreSQL with a socket on this machine")
    folder = Path(tempfile.mkdtemp(prefix="citebot-pool-", dir="/tmp"))
    made = subprocess.run([SCRIPT, "start", folder, host], capture_output=True, text=True, check=False)
    if made.returncode:
        shutil.rmtree(folder)
        if os.environ.get("CI") == "true":
            pytest.fail(made.stderr)
        pytest.skip(f"no pooler: {made.stderr.strip().splitlines()[-1:]}")
    name = make_url(postgres_url).database
    yield make_url(made.stdout.strip()).set(database=name).render_as_string(hide_password=False)
    subprocess.run([SCRIPT, "stop", folder], check=True)


@pytest.fixture
def pooled(pooled_url: str, database: Database) -> Iterator[Database]:
    """The database, emptied, by way of the pooler."""
    with closing(Database(pooled_url, connections=12, listen=False)) as opened:
        yield opened


only_postgres = pytest.mark.parametrize("database", ["postgres"], indirect=True)


def question(number: int) -> Inbound:
    return Inbound(f"d{number}", f"m{number}", Conversation("web", f"c{number}"), Person("ann"), f"q{number}")


@only_postgres
async def test_questions_are_answered_by_way_of_a_pooler(pooled: Database) -> None:
    async def answer(asked: Assignment) -> Outcome:
        about = Question(asked.inbound.text, asked.inbound.asker, asked.inbound.conversation, Audience(frozenset()))
        return Reply(Answer(uuid.uuid4().hex, about, "an answer", True), {})

    sent: list[str] = []

    async def send(post: Post) -> None:
        sent.append(post.to.reply_to)

    patience = Patience(poll=0.05)
    settings = DeliverySettings(workers=6)
    delivery = Delivery(pooled, handler=answer, sender=send, settings=settings, patience=patience)
    running = asyncio.create_task(delivery.run())
    await asyncio.gather(*(delivery.accept(question(number)) for number in range(60)))
    async with asyncio.timeout(60):
        while len(sent) < 60:
            await asyncio.sleep(0.05)
    await delivery.drain(5)
    await running
    delivery.close()
    assert sorted(sent) == sorted(f"m{number}" for number in range(60))


@only_postgres
def test_leases_slots_and_migrations_by_way_of_a_pooler(pooled: Database) -> None:
    schema.upgrade(pooled)
    schema.check(pooled)
    due = datetime(2026, 3, 1, tzinfo=UTC)

    def take(number: int) -> bool:
        with pooled.write() as tx:
            return slots.take(tx, job="sync wiki", due=due, holder=str(number))

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(take, range(40))) == 1
    with pooled.write() as tx:
        assert leases.acquire(tx, "feeder", "a", 30) is not None
    with pooled.write() as tx:
        assert leases.acquire(tx, "feeder", "b", 30) is None
    purge.purge(pooled)


@only_postgres
def test_limits_hold_in_every_transaction(pooled_url: str, database: Database) -> None:
    with closing(Database(pooled_url, busy_seconds=0.3, statement_seconds=0.5, listen=False)) as hasty:
        for _ in range(6):  # of three sessions, each had a turn
            with pytest.raises(StorageError, match="too long"), hasty.read() as tx:
                tx.execute(text("SELECT pg_sleep(3)"))
        with database.write() as first:
            work.accept(first, question(1))
            with pytest.raises(StorageError, match="busy"), hasty.write() as second:
                work.accept(second, question(1))


@only_postgres
def test_nothing_that_is_sent_stays_in_a_session(database: Database) -> None:
    sent: list[str] = []
    event.listen(database._engine, "before_cursor_execute", lambda c, cursor, statement, *rest: sent.append(statement))
    with database.write() as tx:
        job, _ = work.accept(tx, question(1))
        hints.give(tx, "inbox")
        assert work.claim(tx, "inbox", lease=9)[0].id == job
    with database.read() as tx:
        work.counts(tx, "inbox")
        assert tx.execute(text("SHOW statement_timeout")).scalar() == "1min"
        assert tx.execute(text("SELECT count(*) FROM pg_prepared_statements")).scalar() == 0
    statements = [part.strip().upper() for one in sent for part in one.split(";")]
    kept = [one for one in statements if one.startswith(KEEPS_A_SESSION) and not one.startswith("SET LOCAL ")]
    assert kept == []
    assert any(one.startswith("SET LOCAL LOCK_TIMEOUT") for one in statements)


@only_postgres
def test_a_read_sees_one_state_and_changes_nothing(database: Database) -> None:
    with database.read() as tx:
        assert work.counts(tx, "inbox") == {}
        with database.write() as other:
            work.accept(other, question(1))
        assert work.counts(tx, "inbox") == {}
    with pytest.raises(Exception, match="takes no changes"), database.read() as tx:
        work.accept(tx, question(2))


@only_postgres
async def test_a_hint_wakes_who_listens_and_a_lost_connection_is_made_again(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hints, "AGAIN_AFTER", 0.1)
    heard: asyncio.Queue[str] = asyncio.Queue()
    listening = asyncio.create_task(hints.heed(database, heard.put_nowait))
    listeners = text("SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND query = 'LISTEN citebot'")

    def listener() -> int | None:
        with database.read() as tx:
            return tx.execute(listeners).scalar()

    async def until_listening(but: int | None = None) -> int:
        async with asyncio.timeout(30):
            while (found := await asyncio.to_thread(listener)) in (None, but):
                await asyncio.sleep(0.05)
        assert found is not None
        return found

    first = await until_listening()
    with database.write() as tx:
        hints.give(tx, "inbox")
    assert await asyncio.wait_for(heard.get(), 30) == "inbox"
    with database.write() as tx:
        tx.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": first})
    await until_listening(but=first)
    with database.write() as tx:
        hints.give(tx, "outbox")
    assert await asyncio.wait_for(heard.get(), 30) == "outbox"
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)
