"""Transactions, the schema, and what people read when a database is unwell."""

from __future__ import annotations

import logging
import os
import sqlite3
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text
from sqlalchemy.exc import DBAPIError

from citebot.errors import DataFolderBusy, SchemaTooNew, SettingsError, StorageError
from citebot.storage import Database, clock, schema, sources
from citebot.storage.folder_lock import FolderLock
from citebot.storage.tables import metadata

HOLD = "from citebot.storage.folder_lock import FolderLock; import sys, pathlib, time\n" \
       "FolderLock(pathlib.Path(sys.argv[1])).acquire(); print('held', flush=True); time.sleep(60)"  # fmt: skip


def test_a_transaction_is_all_or_nothing(database: Database) -> None:
    with pytest.raises(RuntimeError, match="half-way"), database.write() as tx:  # noqa: PT012  # the point of the test
        sources.add(tx, name="wiki", type="files", settings={})
        raise RuntimeError("half-way")
    with database.read() as tx:
        assert sources.list_all(tx) == []


def test_reading_then_writing_never_fails_under_contention(database: Database) -> None:
    with database.write() as tx:
        tx.execute(text("CREATE TABLE counter (n integer)"))
        tx.execute(text("INSERT INTO counter VALUES (0)"))

    def count(_: int) -> None:
        with database.write(durable=True) as tx:
            n = tx.execute(
                text("SELECT n FROM counter FOR UPDATE" if database.dialect != "sqlite" else "SELECT n FROM counter")
            )
            tx.execute(text("UPDATE counter SET n = :n"), {"n": n.scalar_one() + 1})

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(count, range(200)))
    with database.write() as tx:
        assert tx.execute(text("SELECT n FROM counter")).scalar() == 200
        tx.execute(text("DROP TABLE counter"))


def test_all_processes_share_the_database_clock(database: Database) -> None:
    with database.read() as tx:
        first = database.now(tx)
        time.sleep(0.01)
        second = database.now(tx)
        assert (first.tzinfo, clock.now(tx) > first) == (None, True)
    assert 0 < (second - first).total_seconds() < 5


def test_sqlite_is_set_up_for_many_processes_and_real_deletion(tmp_path: Path) -> None:
    db = Database(f"sqlite:///{tmp_path / 'citebot.db'}")
    wanted = {"journal_mode": "wal", "foreign_keys": 1, "synchronous": 1, "secure_delete": 1, "busy_timeout": 10_000}
    with db.read() as tx:
        assert {name: tx.exec_driver_sql(f"PRAGMA {name}").scalar() for name in wanted} == wanted
    with db.write(durable=True) as tx:
        assert tx.exec_driver_sql("PRAGMA synchronous").scalar() == 2
    with db.write() as tx:
        assert tx.exec_driver_sql("PRAGMA synchronous").scalar() == 1
    db.close()


def test_upgrade_makes_the_tables_of_the_code_and_alembic_finds_no_difference(empty_url: str) -> None:
    db = Database(empty_url)
    assert schema.current(db) is None
    with pytest.raises(StorageError, match="Run: citebot db upgrade"):
        schema.check(db)
    schema.upgrade(db)
    schema.check(db)
    assert schema.current(db) == schema.head()
    with db.write() as tx:
        assert {*metadata.tables, "alembic_version"} == set(inspect(tx).get_table_names())
        command.check(schema.alembic_config(tx))
        revisions = ScriptDirectory.from_config(schema.alembic_config(tx)).walk_revisions()
        assert tuple(reversed([script.revision for script in revisions])) == schema.REVISIONS
    db.close()


def test_many_processes_may_upgrade_at_once(empty_url: str) -> None:
    def upgrade(_: int) -> str | None:
        db = Database(empty_url)
        schema.upgrade(db)
        found = schema.current(db)
        db.close()
        return found

    with ThreadPoolExecutor(4) as threads:
        assert set(threads.map(upgrade, range(4))) == {schema.head()}


def test_an_upgrade_that_breaks_leaves_nothing(empty_url: str) -> None:
    db = Database(empty_url)
    with db.write() as tx:
        tx.execute(text("CREATE TABLE mine (id integer)"))
        tx.execute(text("CREATE INDEX ix_passage_document_id ON mine (id)"))
    with pytest.raises(DBAPIError, match="ix_passage_document_id"):
        schema.upgrade(db)
    with db.write() as tx:
        assert inspect(tx).get_table_names() == ["mine"]
        tx.execute(text("DROP TABLE mine"))
    schema.upgrade(db)
    schema.check(db)
    db.close()


def test_a_database_of_a_newer_citebot_is_refused(database: Database) -> None:
    with database.write() as tx:
        tx.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    try:
        for use in (schema.check, schema.upgrade):
            with pytest.raises(SchemaTooNew, match=r"newer Citebot \(schema 9999.*Upgrade Citebot"):
                use(database)
    finally:
        with database.write() as tx:
            tx.execute(text(f"UPDATE alembic_version SET version_num = '{schema.head()}'"))


def test_a_current_database_is_opened_without_the_migration_library(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'citebot.db'}"
    db = Database(url)
    schema.upgrade(db)
    db.close()
    code = "import sys; from citebot.storage import Database, schema; db = Database(sys.argv[1]); " \
           "schema.upgrade(db); schema.check(db); sys.exit('alembic' in sys.modules)"  # fmt: skip
    assert subprocess.run([sys.executable, "-c", code, url], check=False).returncode == 0


def test_the_folder_of_migrations_does_not_hide_the_library() -> None:
    folder = Path(__file__).parents[2] / "alembic"
    assert (folder / "citebot_migrations" / "env.py").is_file()
    assert not (folder / "__init__.py").exists()


@pytest.mark.parametrize("content", [b"this is a letter, not a database " * 40, b"SQLite format 3\0" + b"\xff" * 4000])
def test_a_damaged_file_is_named_in_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "citebot.db"
    path.write_bytes(content)
    db = Database(f"sqlite:///{path}")
    with pytest.raises(StorageError, match=r"citebot\.db is (damaged|not a Citebot database)\. Move it away") as caught:
        schema.upgrade(db)
    assert "\n" not in str(caught.value)
    db.close()


def test_damage_in_the_middle_is_named_too(tmp_path: Path) -> None:
    path = tmp_path / "citebot.db"
    db = Database(f"sqlite:///{path}")
    schema.upgrade(db)
    db.close()
    whole = bytearray(path.read_bytes())
    whole[4096:] = b"\xa5" * (len(whole) - 4096)
    path.write_bytes(whole)
    db = Database(f"sqlite:///{path}")
    with pytest.raises(StorageError, match="is damaged"), db.write() as tx:
        sources.add(tx, name="wiki", type="files", settings={})
    db.close()


def test_a_locked_database_is_named_after_the_wait(tmp_path: Path) -> None:
    path = tmp_path / "citebot.db"
    db = Database(f"sqlite:///{path}", busy_seconds=0.2)
    schema.upgrade(db)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StorageError, match="busy: another process has been writing for too long"), db.write():
        pass
    with db.read() as tx:
        assert sources.list_all(tx) == [], "readers go on"
    other.close()
    with db.write() as tx:
        sources.add(tx, name="wiki", type="files", settings={})
    db.close()


def test_a_full_disk_loses_nothing_and_heals(tmp_path: Path) -> None:
    db = Database(f"sqlite:///{tmp_path / 'citebot.db'}")
    schema.upgrade(db)
    with db.read() as tx:
        pages = tx.exec_driver_sql("PRAGMA page_count").scalar_one()
    with pytest.raises(StorageError, match="disk is full"), db.write() as tx:  # noqa: PT012  # fails in the middle
        tx.exec_driver_sql(f"PRAGMA max_page_count = {pages + 2}")
        for n in range(1000):
            sources.add(tx, name=f"s{n}", type="files", settings={"filler": "x" * 2000})
    db.close()
    with db.write() as tx:
        assert sources.list_all(tx) == []
        sources.add(tx, name="wiki", type="files", settings={})
    db.close()


def test_a_folder_without_rights_or_existence_is_named(tmp_path: Path) -> None:
    db = Database(f"sqlite:///{tmp_path / 'missing' / 'citebot.db'}")
    with pytest.raises(StorageError, match=r"cannot be opened\. Check that its folder exists"):
        schema.current(db)


def test_a_server_that_is_down_is_named_without_its_password() -> None:
    db = Database("postgresql://me:hunter2@127.0.0.1:1/citebot")
    with pytest.raises(StorageError, match="does not answer") as caught:
        schema.current(db)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "says"),
    [("nonsense", "not a database address"), ("mysql://x/y", "runs on SQLite and PostgreSQL"), ("odd://x", "not a")],
)
def test_a_wrong_address_is_refused(url: str, says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        Database(url)


def test_errors_and_logs_never_quote_values(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(DBAPIError) as caught, database.write() as tx:
        tx.execute(text("INSERT INTO source (id) VALUES (:secret) RETURNING nothing"), {"secret": "CANARY-7"})
    assert "CANARY-7" not in str(caught.value) + caplog.text


def test_a_data_folder_has_one_owner_and_a_dead_one_gives_it_back(tmp_path: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline() == "held\n"
    lock = FolderLock(tmp_path)
    with pytest.raises(DataFolderBusy, match=rf"in use by process {child.pid}\. .*--data-dir"):
        lock.acquire()
    child.kill()
    child.wait()
    child.stdout.close()
    with lock, pytest.raises(DataFolderBusy, match=f"process {os.getpid()}"):
        FolderLock(tmp_path).acquire()
    with FolderLock(tmp_path):
        pass


def test_a_reader_is_not_disturbed_by_a_long_write(database: Database) -> None:
    began, seen = threading.Event(), threading.Event()

    def write() -> None:
        with database.write() as tx:
            sources.add(tx, name="wiki", type="files", settings={})
            began.set()
            assert seen.wait(5)

    writer = threading.Thread(target=write)
    writer.start()
    assert began.wait(5)
    with database.read() as tx:
        assert sources.list_all(tx) == []
    seen.set()
    writer.join()
