"""A database that cannot be used: one line that says what is wrong and what to do, whatever command meets it."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, make_url, text

from citebot.storage import Database, schema

PASSWORD = "hunter2-canary"


@pytest.fixture
def server(postgres_server: str) -> Iterator[Engine]:
    """The server, for whoever makes databases and users on it."""
    engine = create_engine(postgres_server, isolation_level="AUTOCOMMIT")
    yield engine
    engine.dispose()


@pytest.fixture
def guest(server: Engine) -> Iterator[str]:
    """A user without any rights."""
    name = f"guest_{uuid.uuid4().hex[:8]}"
    with server.connect() as connection:
        connection.execute(text(f"CREATE ROLE {name} LOGIN PASSWORD '{PASSWORD}'"))
    yield name
    with server.connect() as connection:
        connection.execute(text(f"DROP ROLE {name}"))


@pytest.fixture
def empty(server: Engine) -> Iterator[str]:
    """The address of an empty database."""
    name = f"citebot_test_{uuid.uuid4().hex[:8]}"
    with server.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    yield server.url.set(database=name).render_as_string(hide_password=False)
    with server.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))


def address(url: str, **parts: Any) -> str:
    return make_url(url).set(**parts).render_as_string(hide_password=False)


@pytest.fixture
def says(citebot: Any) -> Callable[..., str]:
    """What a command answers that fails with a database: one line."""

    def run(url: str, *args: str, env: dict[str, str] | None = None) -> str:
        bot = citebot
        bot.options = (*bot.options[:4], "--set", f"database.url={url}")
        done = bot(*args)
        assert done.exit_code in (1, 2), done.stdout
        assert "Traceback" not in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1, done.stderr
        assert PASSWORD not in done.stderr + done.stdout
        return str(done.stderr)

    return run


@pytest.mark.postgres
def test_a_server_that_lets_us_do_too_little_is_named(says: Callable[..., str], empty: str, guest: str) -> None:
    as_guest = address(empty, username=guest, password=PASSWORD)
    line = says(as_guest, "db", "upgrade")
    assert "does not let its user make tables" in line
    assert "GRANT USAGE, CREATE ON SCHEMA public" in line
    owner = Database(empty)
    schema.upgrade(owner)
    owner.close()
    for command in (("db", "check"), ("source", "list"), ("db", "restored")):
        line = says(as_guest, *command)
        assert "does not let its user use the table" in line
        assert "GRANT ALL" in line


@pytest.mark.postgres
def test_a_server_that_is_not_there_or_knows_us_not_is_named(
    says: Callable[..., str], empty: str, guest: str, server: Engine
) -> None:
    assert "There is no database nowhere at" in says(address(empty, database="nowhere"), "db", "upgrade")
    assert "knows no user nobody_" in says(address(empty, username="nobody_here"), "db", "current")
    for host in ("127.0.0.1:1", "no.such.host.invalid"):
        assert "does not answer. Check that it runs" in says(f"postgresql://u:{PASSWORD}@{host}/x", "db", "upgrade")


@pytest.mark.postgres
def test_a_schema_that_is_not_the_wanted_one_is_named(says: Callable[..., str], empty: str) -> None:
    assert "has schema none" in says(empty, "source", "list")
    db = Database(empty)
    schema.upgrade(db)
    for version, line in (
        ("9999", "written by a newer Citebot (schema 9999"),
        ("ae1027a6acf", "is the database of another application (its schema is called ae1027a6acf)"),
        ("0002", "has schema 0002, this Citebot needs"),
    ):
        with db.write() as tx:
            tx.execute(text(f"UPDATE alembic_version SET version_num = '{version}'"))
        for command in (("source", "list"), ("db", "check")):
            assert line in says(empty, *command)
        if version != "0002":
            assert line in says(empty, "db", "upgrade")
    db.close()


@pytest.mark.postgres
def test_a_database_of_somebody_else_is_left_as_it_is(says: Callable[..., str], empty: str) -> None:
    db = Database(empty)
    with db.write() as tx:
        tx.execute(text("CREATE TABLE source (theirs integer)"))
    assert "has tables of another application, such as source" in says(empty, "db", "upgrade")
    with db.write() as tx:
        assert tx.execute(text("SELECT theirs FROM source")).all() == []
    db.close()


@pytest.mark.postgres
def test_postgresql_is_backed_up_and_restored_by_its_own_tools(says: Callable[..., str], empty: str) -> None:
    url = address(empty, username="citebot", password=PASSWORD)
    line = says(url, "db", "backup", "/backups/a b.dump")
    assert "PostgreSQL is backed up by its own tool: pg_dump --format=custom '--file=/backups/a b.dump'" in line
    line = says(url, "db", "restore", "/backups/it.dump")
    assert "into an empty database, pg_restore --no-owner" in line
    assert "&& citebot db upgrade && citebot db restored" in line


def explained(message: str, kind: str = "OperationalError") -> str:
    """The line for what a server says that cannot be had from the one of the tests."""
    from sqlalchemy.exc import OperationalError

    from citebot.storage.failures import explain

    made = type(kind, (Exception,), {})(message)
    return str(explain(OperationalError("SELECT 1", {}, made), "postgresql://u:***@h/d"))


@pytest.mark.parametrize(
    ("message", "line"),
    [
        ('FATAL:  password authentication failed for user "u"', "refused the password. Check database.url."),
        ("connection failed: fe_sendauth: no password supplied", "wants a password. Put it into database.url."),
        ('FATAL:  no pg_hba.conf entry for host "10.0.0.1", user "u"', "lets nobody in from here (pg_hba.conf)"),
        ("FATAL:  sorry, too many clients already", "has no connection left"),
        ("cannot execute INSERT in a read-only transaction", "it may be a standby. Name the primary server."),
        ("must be owner of table source", "use the table source, which belongs to another"),
        ("server closed the connection unexpectedly", "does not answer"),
    ],
)
def test_what_servers_say_is_told_in_one_line(message: str, line: str) -> None:
    assert line in explained(message)


def test_backup_files_that_will_not_do_are_named(citebot: Any, tmp_path: Path) -> None:
    def failing(*args: str) -> str:
        done = citebot("db", *args)
        assert done.exit_code in (1, 2)
        assert len(done.stderr.strip().splitlines()) == 1, done.stderr
        return str(done.stderr)

    file = tmp_path / "it.db"
    assert "There is no database" in failing("backup", str(file))
    assert citebot("db", "upgrade").exit_code == 0
    assert citebot("db", "backup", str(file)).exit_code == 0
    assert "is there already. Name another file, or replace it with --force" in failing("backup", str(file))
    assert "No such file or directory" in failing("backup", str(tmp_path / "missing" / "it.db"))
    letter = tmp_path / "letter.txt"
    letter.write_text("Dear all,")
    assert "is no backup of a Citebot database" in failing("restore", str(letter), "--yes")
    assert "There is no file" in failing("restore", str(tmp_path / "missing.db"), "--yes")
    assert "no record of removals" in failing("restore", str(file), "--yes", "--tombstones", str(letter))
    assert "cannot be written" in failing("tombstones", str(tmp_path / "missing" / "r.log"))
    assert oct(file.stat().st_mode & 0o777) == "0o600"


def test_a_server_keeps_its_database_and_its_folder(citebot: Any, tmp_path: Path) -> None:
    from citebot.storage.folder_lock import FolderLock

    assert citebot("db", "upgrade").exit_code == 0
    file = tmp_path / "it.db"
    assert citebot("db", "backup", str(file)).exit_code == 0
    with FolderLock(citebot.folder):
        done = citebot("db", "restore", str(file), "--yes")
        assert done.exit_code == 1
        assert f"in use by process {os.getpid()}" in done.stderr
        assert citebot("db", "backup", str(file), "--force").exit_code == 0, "a backup disturbs nobody"
    asked = citebot("db", "restore", str(file), stdin="n\n")
    assert asked.exit_code == 1
    assert "Nothing was restored" in asked.stderr
    done = citebot.json("db", "restore", str(file), "--yes")
    assert done["reapplied"]["complete"] is True, "the database that goes has told what was removed"
    assert Path(done["replaced"]).is_file()
