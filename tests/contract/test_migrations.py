"""Upgrades: the code before goes on with the new schema, rows stay what they were, and nobody is in anybody's way."""

from __future__ import annotations

import datetime
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from alembic import command
from sqlalchemy import MetaData, Table, delete, insert, inspect, select, text, update
from sqlalchemy.exc import DBAPIError

from citebot.errors import SchemaTooNew, StorageError
from citebot.storage import Database, marks, schema

VALUES: dict[type, Any] = {
    bool: lambda n: bool(n % 2),
    int: lambda n: n,
    float: lambda n: n / 2,
    str: lambda n: f"{n:08}",
    bytes: lambda n: b"%d" % n,
    object: lambda n: {"n": n},  # JSON
    datetime.datetime: lambda n: datetime.datetime(2026, 1, 1) + datetime.timedelta(seconds=n),
}


@pytest.fixture
def db(empty_url: str) -> Iterator[Database]:
    """A database without tables, and without what a test has made of it for the next one."""
    opened = Database(empty_url)
    yield opened
    opened.close()
    if opened.dialect != "sqlite":
        with opened.write() as tx:
            tx.execute(text("DROP SCHEMA public CASCADE"))
            tx.execute(text("CREATE SCHEMA public"))
        opened.close()


def upgrade_to(db: Database, revision: str) -> None:
    with db.reshape() as tx:
        command.upgrade(schema.alembic_config(tx), revision)


def tables_of(db: Database) -> MetaData:
    """The tables as the code of this schema knows them."""
    found = MetaData()
    with db.read() as tx:
        found.reflect(tx)
    found.remove(found.tables["alembic_version"])
    return found


def row_of(table: Table, number: int, parents: dict[str, dict[str, Any]], *, least: bool = False) -> dict[str, Any]:
    """A row of this code's columns; with `least` only of those that must be given."""
    row: dict[str, Any] = {}
    for column in table.columns:
        key = next(iter(column.foreign_keys), None)
        if key is not None:
            row[column.name] = parents[key.column.table.name][key.column.name]
        elif column.primary_key or not least or not (column.nullable or column.server_default is not None):
            length = getattr(column.type, "length", None)
            made = VALUES[column.type.python_type](number)
            row[column.name] = made[-length:] if length and isinstance(made, str) else made
    return row


def use(db: Database, old: MetaData, number: int, *, stay: bool) -> None:
    """What the code of an older schema does to every table: write, read, change and delete rows of its columns."""
    made: list[tuple[Table, dict[str, Any]]] = []
    with db.write() as tx:
        for least in (True, False):
            parents: dict[str, dict[str, Any]] = {}
            for table in old.sorted_tables:
                row = parents[table.name] = row_of(table, 2 * number + least, parents, least=least)
                tx.execute(insert(table).values(row))
                made.append((table, row))
        for table, row in reversed(made):
            mine = [column == row[column.name] for column in table.primary_key]
            found = tx.execute(select(table).where(*mine)).one()._mapping
            assert {name: found[name] for name in row} == row
            others = {name: value for name, value in row.items() if name not in table.primary_key.columns}
            if others:
                assert tx.execute(update(table).where(*mine).values(others)).rowcount == 1
            if not stay:
                assert tx.execute(delete(table).where(*mine)).rowcount == 1


def rows(db: Database, old: MetaData) -> dict[str, list[Any]]:
    """Everything in the columns of an older schema."""
    with db.read() as tx:
        return {
            table.name: sorted(map(repr, tx.execute(select(table).order_by(*table.primary_key)).all()))
            for table in old.sorted_tables
        }


def test_every_schema_serves_the_code_before_it_and_keeps_its_rows(db: Database) -> None:
    upgrade_to(db, schema.REVISIONS[0])
    served: dict[str, MetaData] = {}
    for number, (before, after) in enumerate(zip(schema.REVISIONS, schema.REVISIONS[1:], strict=False), 1):
        old = tables_of(db)
        use(db, old, 10 * number, stay=True)
        there = rows(db, old)
        upgrade_to(db, after)
        assert rows(db, old) == there, f"{before} to {after}"
        use(db, old, 10 * number + 5, stay=False)
        assert rows(db, old) == there
        if before >= schema.SERVES:
            served[before] = old
    for number, old in enumerate(served.values(), 1):
        use(db, old, 1000 * number, stay=False)


@pytest.mark.parametrize(
    "harm",
    [
        "ALTER TABLE source DROP COLUMN poll",
        "ALTER TABLE audit RENAME TO trail",
        "ALTER TABLE outbox RENAME COLUMN result TO outcome",
        "CREATE UNIQUE INDEX one_source_of_a_type ON source (paused)",
    ],
)
def test_what_an_old_process_could_not_live_with_is_noticed(db: Database, harm: str) -> None:
    schema.upgrade(db)
    old = tables_of(db)
    use(db, old, 1, stay=True)
    with db.write() as tx:
        tx.execute(text(harm))
    with pytest.raises((DBAPIError, StorageError)):
        use(db, old, 2, stay=True)


def newer(db: Database, serves: str) -> None:
    """Let the schema be of a Citebot that is yet to come."""
    with db.write() as tx:
        tx.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        marks.write(tx, replace(marks.read(tx), schema="9999", serves=serves))


def test_an_old_process_may_start_while_a_new_one_is_rolled_out(db: Database) -> None:
    schema.upgrade(db)
    newer(db, serves=schema.head())
    schema.check(db)
    schema.upgrade(db)
    assert schema.current(db) == "9999", "left as it is"
    newer(db, serves="9998")
    for begin in (schema.check, schema.upgrade):
        with pytest.raises(SchemaTooNew, match="Upgrade Citebot"):
            begin(db)


def test_a_database_keeps_its_identity(db: Database) -> None:
    upgrade_to(db, schema.REVISIONS[0])
    with db.read() as tx:
        assert marks.read(tx).identity == 0
    schema.upgrade(db)
    with db.read() as tx:
        first = marks.read(tx)
    assert (first.schema, first.serves) == (schema.head(), schema.SERVES)
    assert first.identity
    with db.write() as tx:
        marks.write(tx, replace(first, schema=schema.REVISIONS[0]))
        tx.execute(text(f"UPDATE alembic_version SET version_num = '{schema.head()}'"))
    schema.upgrade(db)
    with db.read() as tx:
        assert marks.read(tx).identity == first.identity


def test_tables_of_another_application_are_left_alone(db: Database) -> None:
    with db.write() as tx:
        tx.execute(text("CREATE TABLE document (mine integer)"))
    with pytest.raises(StorageError, match="another application, such as document"):
        schema.upgrade(db)
    with db.read() as tx:
        assert inspect(tx).get_table_names() == ["document"]


def test_a_schema_that_is_not_ours_is_named(db: Database) -> None:
    with db.write() as tx:
        tx.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32))"))
        tx.execute(text("INSERT INTO alembic_version VALUES ('ae1027a6acf')"))
    for begin in (schema.check, schema.upgrade):
        with pytest.raises(StorageError, match=r"database of another application \(its schema is called ae1027a6acf\)"):
            begin(db)


@pytest.mark.parametrize(
    "hold", [f"SELECT pg_advisory_xact_lock({schema._LOCK})", "LOCK TABLE source IN ACCESS SHARE MODE"]
)
def test_an_upgrade_waits_for_its_turn_and_for_a_table_in_use(
    db: Database, empty_url: str, hold: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema, "LOCK_SECONDS", 1)
    monkeypatch.setattr(schema, "PAUSE", 0.1)
    upgrade_to(db, schema.REVISIONS[0])
    held = threading.Event()

    def hold_it() -> None:
        with db.write() as tx:
            if db.dialect != "sqlite":
                tx.execute(text(hold))
            held.set()
            time.sleep(1.5)

    impatient = Database(empty_url, busy_seconds=10 if db.dialect == "sqlite" else 0.5)
    with ThreadPoolExecutor(1) as threads:
        other = threads.submit(hold_it)
        assert held.wait(30)
        schema.upgrade(impatient)
        other.result()
    schema.check(impatient)
    impatient.close()
