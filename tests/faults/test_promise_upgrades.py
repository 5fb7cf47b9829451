"""Promise P32: an upgrade that is killed anywhere has not happened, and the next one completes it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import inspect, text

from citebot.storage import Database, schema, sources

ZYGOTE = Path(__file__).parent / "upgrade_zygote.py"
KILLED = -9
FIRST = "INSERT INTO source (id, name, type, settings, paused, sweep, created_at) " \
        "VALUES (7, 'wiki', 'files', '{}', :no, 0, '2026-01-01 00:00:00.000000')"  # fmt: skip
UPGRADE = "import sys; from citebot.storage import Database, schema\n" \
          "from citebot.testing.failpoints import kill_at\n" \
          "print('ready', flush=True); sys.stdin.readline()\n" \
          "if len(sys.argv) > 2: kill_at(sys.argv[2])\n" \
          "schema.upgrade(Database(sys.argv[1]))"  # fmt: skip


class Upgrader:
    """Makes upgrades in processes of their own."""

    def __init__(self, url: str) -> None:
        self._url = url
        pipe = subprocess.PIPE
        self._zygote = subprocess.Popen([sys.executable, str(ZYGOTE)], stdin=pipe, stdout=pipe, text=True)

    def __call__(self, to: str, *, at: int = 0, commit: bool = True) -> tuple[int, int]:
        """How many statements it came to, and its exit code."""
        assert self._zygote.stdin is not None
        assert self._zygote.stdout is not None
        self._zygote.stdin.write(json.dumps({"url": self._url, "to": to, "at": at, "commit": commit}) + "\n")
        self._zygote.stdin.flush()
        made, code = self._zygote.stdout.readline().split()
        return int(made), int(code)

    def close(self) -> None:
        self._zygote.communicate()


@pytest.fixture
def upgrade(empty_url: str) -> Iterator[Upgrader]:
    """Upgrades of the database."""
    made = Upgrader(empty_url)
    yield made
    made.close()


def state(db: Database) -> object:
    """Everything that an upgrade changes, and the row that was there before."""
    with db.read() as tx:
        look = inspect(tx)
        tables = sorted(look.get_table_names())
        columns = {name: [(column["name"], column["nullable"]) for column in look.get_columns(name)] for name in tables}
        indexes = {name: sorted(str(index["name"]) for index in look.get_indexes(name)) for name in tables}
        version = tx.execute(text("SELECT version_num FROM alembic_version")).scalars().all() if tables else []
        there = tx.execute(text("SELECT id, name FROM source")).all() if "source" in tables else []
    return columns, indexes, version, there


@pytest.mark.timeout(600)
def test_every_migration_may_be_killed_at_its_statements(
    empty_url: str, upgrade: Upgrader, count: Callable[[int, int], int]
) -> None:
    db = Database(empty_url)
    kills = 0
    for revision in schema.REVISIONS:
        before = state(db)
        statements, code = upgrade(revision, commit=False)
        assert (code, state(db)) == (0, before)
        # The first statements only look where the database stands; one more is after the last.
        points = range(1, statements + 2)
        for at in points if count(0, 1) else (points[len(points) // 2], points[-1])[: 1 + (revision == schema.head())]:
            assert upgrade(revision, at=at)[1] == KILLED
            assert state(db) == before, f"{revision}, killed at statement {at}"
            kills += 1
        assert upgrade(revision)[1] == 0
        assert schema.current(db) == revision
        if revision == schema.REVISIONS[0]:
            with db.write() as tx:
                tx.execute(text(FIRST), {"no": False})
    schema.upgrade(db)
    schema.check(db)
    with db.read() as tx:
        assert [row.name for row in sources.list_all(tx)] == ["wiki"]
    db.close()
    assert kills > len(schema.REVISIONS)


def test_processes_that_upgrade_at_once_and_die_do_not_harm_each_other(empty_url: str, upgrade: Upgrader) -> None:
    assert upgrade(schema.REVISIONS[2])[1] == 0
    started = [
        subprocess.Popen(
            [sys.executable, "-c", UPGRADE, empty_url, *failpoint],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for failpoint in (["before-upgrade-commit"], [], [])
    ]
    for process in started:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in started:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    codes = [process.wait(100) for process in started]
    for process in started:
        process.communicate()
    assert codes[1:] == [0, 0]
    assert codes[0] in {0, KILLED}
    db = Database(empty_url)
    schema.check(db)
    with db.write() as tx:
        from alembic import command

        command.check(schema.alembic_config(tx))
    db.close()
