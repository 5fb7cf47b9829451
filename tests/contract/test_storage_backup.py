"""Backups of SQLite: one moment, whole or not there, ours alone; and their way back."""

from __future__ import annotations

import os
import resource
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from citebot.errors import CitebotError, StorageError, WrongUse
from citebot.model import Chunk, Document, Readers
from citebot.storage import Database, audit, backup, deletions, documents, index_log, marks, schema, sources

CHILD = """
import sys
from pathlib import Path
from citebot.storage import Database, backup
from citebot.testing.failpoints import kill_at
what, place, file, point = sys.argv[1:]
if point:
    kill_at(point)
if what == "backup":
    backup.write(Database(f"sqlite:///{place}"), Path(file), force=True)
else:
    backup.restore(Path(file), Path(place), folder=Path(place).parent)
"""


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    """A database with one source."""
    opened = Database(f"sqlite:///{tmp_path / 'data' / 'citebot.db'}")
    (tmp_path / "data").mkdir()
    schema.upgrade(opened)
    with opened.write() as tx:
        sources.add(tx, name="wiki", type="jsonl", settings={})
    yield opened
    opened.close()


def store(db: Database, name: str, *words: str) -> None:
    chunks = [Chunk(word, (), "", "paragraph", Readers.everyone(), word) for word in words]
    with db.write() as tx:
        row = sources.get(tx, "wiki")
        assert row is not None
        made = Document(name, f"about {name}", "", Readers.everyone())
        documents.save(tx, row.id, made, chunks, content_hash=" ".join(words), readers_tag="", version="1", sweep=1)


def remove(db: Database, *names: str) -> None:
    with db.write() as tx:
        row = sources.get(tx, "wiki")
        assert row is not None
        documents.remove(tx, row.id, list(names))


def texts(place: Path) -> set[str]:
    with closing(sqlite3.connect(place)) as opened:
        return {row[0] for row in opened.execute("SELECT text FROM passage")}


def run(what: str, place: Path, file: Path, point: str = "", **options: Any) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-c", CHILD, what, str(place), str(file), point]
    return subprocess.run(line, capture_output=True, text=True, timeout=100, check=False, **options)


def test_a_backup_shows_one_moment_of_a_database_in_use(db: Database, tmp_path: Path) -> None:
    ended = threading.Event()

    def write_on() -> None:
        number = 0
        while not ended.is_set():
            number += 1
            with db.write() as tx:
                for who in ("ann", "bob"):
                    audit.write(tx, audit.Line(who, "", "place", "write", str(number)))

    writer = threading.Thread(target=write_on)
    writer.start()
    try:
        for number in range(5):
            made = backup.write(db, tmp_path / f"{number}.db")
            assert made.schema == schema.head()
    finally:
        ended.set()
        writer.join()
    for number in range(5):
        with closing(sqlite3.connect(tmp_path / f"{number}.db")) as opened:
            (counts,) = [dict(opened.execute("SELECT who, count(*) FROM audit GROUP BY who"))]
            assert counts.get("ann", 0) == counts.get("bob", 0), "both lines of a transaction or none"
            assert opened.execute("PRAGMA journal_mode").fetchone()[0] == "delete", "one file, no journal beside"


def test_a_backup_is_ours_alone_and_replaces_nothing_unasked(db: Database, tmp_path: Path) -> None:
    file = tmp_path / "a b?#.db"
    backup.write(db, file)
    assert file.stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == [file.name, "data"]
    for target, says in (
        (file, "is there already. Name another file, or replace it with --force"),
        (tmp_path, "is a folder"),
        (Path(db.where), "is the database itself"),
    ):
        with pytest.raises(WrongUse, match=says):
            backup.write(db, target, force=target == Path(db.where))
    store(db, "a", "new")
    backup.write(db, file, force=True)
    assert texts(file) == {"new"}
    with pytest.raises(StorageError, match="cannot be written: No such file or directory"):
        backup.write(db, tmp_path / "missing" / "file.db")


def test_a_backup_that_is_killed_leaves_what_was_there(db: Database, tmp_path: Path) -> None:
    store(db, "a", "first")
    file = tmp_path / "it.db"
    backup.write(db, file)
    store(db, "b", "second")
    assert run("backup", Path(db.where), file, "before-backup").returncode == -signal.SIGKILL
    assert texts(file) == {"first"}
    assert run("backup", Path(db.where), file).returncode == 0
    assert texts(file) == {"first", "second"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "it.db"]


def test_two_backups_to_one_file_do_not_mix(db: Database, tmp_path: Path) -> None:
    from citebot.storage import own_file

    with own_file.opened(tmp_path / "it.db.partial"), pytest.raises(StorageError, match="Another process is writing"):
        backup.write(db, tmp_path / "it.db")
    backup.write(db, tmp_path / "it.db")


def test_a_disk_without_room_is_named_and_nothing_is_left(db: Database, tmp_path: Path) -> None:
    store(db, "a", *(f"{n} {'x' * 5000}" for n in range(200)))

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))

    done = run("backup", Path(db.where), tmp_path / "it.db", preexec_fn=limit)
    assert done.returncode == 1
    assert "it.db" in done.stderr.splitlines()[-1]
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Mounts a small disk; only root may."""
    mounted: list[Path] = []

    def mount(options: str) -> Path:
        place = tmp_path / f"disk{len(mounted)}"
        place.mkdir()
        if subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", place], capture_output=True).returncode:
            pytest.skip("nobody may mount a disk here")
        mounted.append(place)
        return place

    yield mount
    for place in mounted:
        subprocess.run(["umount", place], check=True)


def test_full_and_read_only_disks_are_named(db: Database, small_disk: Callable[[str], Path]) -> None:
    store(db, "a", *(f"{n} {'x' * 5000}" for n in range(200)))
    for options, says in (("size=100k", "disk is full"), ("size=10m,ro", "cannot be written: Read-only file system")):
        folder = small_disk(options)
        with pytest.raises(StorageError, match=says):
            backup.write(db, folder / "it.db")
        assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda file: file.unlink(), "There is no file"),
        (lambda file: file.write_bytes(b"a letter " * 900), "is no backup of a Citebot database"),
        (lambda file: file.write_bytes(b""), "is no backup of a Citebot database"),
        (lambda file: _change(file, "DROP TABLE alembic_version"), "is no backup of a Citebot database"),
        (lambda file: _change(file, "DROP TABLE inbox"), "is no backup of a Citebot database"),
        (lambda file: _change(file, "UPDATE alembic_version SET version_num = '9999'"), r"newer Citebot \(schema 9999"),
        (lambda file: _scratch(file), "is damaged. Use another backup"),
    ],
)
def test_what_is_no_backup_is_refused_and_nothing_changes(
    db: Database, tmp_path: Path, spoil: Callable[[Path], object], says: str
) -> None:
    store(db, "a", *(f"{n} {'x' * 500}" for n in range(50)))
    file = tmp_path / "it.db"
    backup.write(db, file)
    spoil(file)
    before = texts(Path(db.where))
    db.close()
    with pytest.raises(CitebotError, match=says):
        backup.restore(file, Path(db.where), folder=tmp_path / "data")
    assert texts(Path(db.where)) == before
    assert not list((tmp_path / "data").glob("*.restoring*"))


def _change(file: Path, statement: str) -> None:
    with closing(sqlite3.connect(file)) as opened, opened:
        opened.execute(statement)


def _scratch(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[8192:20480] = os.urandom(12288)
    file.write_bytes(data)


def test_a_database_in_use_is_not_replaced(db: Database, tmp_path: Path) -> None:
    file = tmp_path / "it.db"
    backup.write(db, file)
    with db.read() as tx:
        sources.list_all(tx)
    with pytest.raises(StorageError, match=r"citebot\.db is in use\. Stop every Citebot"):
        backup.restore(file, Path(db.where), folder=tmp_path / "data")
    db.close()
    assert backup.restore(file, Path(db.where), folder=tmp_path / "data").replaced is not None


def test_what_was_removed_after_the_backup_stays_removed(db: Database, tmp_path: Path) -> None:
    place, folder, file = Path(db.where), tmp_path / "data", tmp_path / "it.db"
    for name in ("keep", "go", "edit"):
        store(db, name, f"{name} one", f"{name} two")
    backup.write(db, file)
    with db.read() as tx:
        head = index_log.head(tx)
    remove(db, "go")
    store(db, "edit", "edit one", "edit three")
    store(db, "new", "new")
    db.close()
    done = backup.restore(file, place, folder=folder)
    assert texts(place) == {"keep one", "keep two", "edit one"}
    assert done.reapplied.removed == {"passage": 3, "document": 1, "source": 0, "curated_answer": 0}
    assert done.reapplied.complete
    assert done.replaced == folder / "citebot.db.replaced"
    assert texts(done.replaced) == {"keep one", "keep two", "edit one", "edit three", "new"}
    assert b"go two" not in place.read_bytes()
    again = Database(f"sqlite:///{place}")
    schema.check(again)
    with again.read() as tx:
        row = sources.get(tx, "wiki")
        assert row is not None
        assert documents.versions(tx, row.id, ["keep"])["keep"].version == "1"
        assert documents.versions(tx, row.id, ["edit"])["edit"].version == "", "it is fetched again"
        assert index_log.head(tx) > head + 2**31, "every index is cut off"
        assert index_log.oldest(tx) is None
    store(again, "after", "after")
    with again.read() as tx:
        newest = tx.execute(text("SELECT max(id) FROM passage")).scalar_one()
    assert newest > 10_000, "an id that was given out since the backup does not come back"
    again.close()
    second = backup.restore(file, place, folder=folder)
    assert second.reapplied.complete
    assert texts(place) == {"keep one", "keep two", "edit one"}


@pytest.mark.parametrize("lost", ["the database", "its text", "everything"])
def test_the_record_of_removals_outlives_the_database(db: Database, tmp_path: Path, lost: str) -> None:
    place, folder, file = Path(db.where), tmp_path / "data", tmp_path / "it.db"
    store(db, "keep", "keep")
    store(db, "go", "go")
    backup.write(db, file)
    remove(db, "go")
    deletions.Record(folder).catch_up(db)
    elsewhere = tmp_path / "removed.log"
    deletions.record(db, elsewhere)
    db.close()
    if lost == "its text":
        place.write_bytes(b"\xa5" * 50_000)
        place.with_name("citebot.db-wal").write_bytes(b"old journal")
    else:
        for path in list(folder.iterdir()):
            if lost == "everything" or path.name.startswith("citebot.db"):
                path.unlink()
    tombstones = [elsewhere] if lost == "everything" else []
    done = backup.restore(file, place, folder=folder, tombstones=tombstones)
    assert done.reapplied.complete
    assert texts(place) == {"keep"}
    assert not place.with_name("citebot.db-wal").exists()
    assert backup.verify(place) == schema.head()


def test_without_a_record_the_report_says_so(db: Database, tmp_path: Path) -> None:
    store(db, "go", "go")
    backup.write(db, tmp_path / "it.db")
    remove(db, "go")
    db.close()
    Path(db.where).unlink()
    done = backup.restore(tmp_path / "it.db", Path(db.where), folder=tmp_path / "data")
    assert not done.reapplied.complete
    assert texts(Path(db.where)) == {"go"}


def test_a_record_begun_after_the_backup_is_not_taken_for_whole(db: Database, tmp_path: Path) -> None:
    store(db, "go", "go")
    backup.write(db, tmp_path / "it.db")
    remove(db, "go")
    store(db, "b", "b")
    with db.write() as tx:
        index_log.trim(tx, index_log.head(tx) - 1)
    deletions.record(db, tmp_path / "removed.log")
    db.close()
    Path(db.where).unlink()
    done = backup.restore(
        tmp_path / "it.db", Path(db.where), folder=tmp_path / "data", tombstones=[tmp_path / "removed.log"]
    )
    assert not done.reapplied.complete


def test_records_of_other_databases_and_other_files_are_refused(db: Database, tmp_path: Path) -> None:
    backup.write(db, tmp_path / "it.db")
    other = Database(f"sqlite:///{tmp_path / 'other.db'}")
    schema.upgrade(other)
    deletions.record(other, tmp_path / "others.log")
    (tmp_path / "letter.txt").write_text("hello\n")
    db.close()
    refused = {"others.log": "of another database", "letter.txt": "no record of removals", "x": "No such file"}
    for file, says in refused.items():
        with pytest.raises(WrongUse, match=says):
            backup.restore(tmp_path / "it.db", Path(db.where), folder=tmp_path / "data", tombstones=[tmp_path / file])
    with pytest.raises(WrongUse, match="not the record of this database"):
        deletions.record(db, tmp_path / "others.log")
    other.close()
    db.close()


@pytest.mark.parametrize("point", ["before-restore", "after-restore"])
def test_a_restore_that_is_killed_leaves_one_whole_database(db: Database, tmp_path: Path, point: str) -> None:
    place, file = Path(db.where), tmp_path / "it.db"
    store(db, "keep", "keep")
    store(db, "go", "go")
    backup.write(db, file)
    remove(db, "go")
    store(db, "new", "new")
    db.close()
    assert run("restore", place, file, point).returncode == -signal.SIGKILL
    assert texts(place) == ({"keep", "new"} if point == "before-restore" else {"keep"})
    assert backup.verify(place) == schema.head()
    done = run("restore", place, file)
    assert done.returncode == 0, done.stderr
    assert texts(place) == {"keep"}


def test_a_backup_of_an_older_schema_is_upgraded(tmp_path: Path) -> None:
    from alembic import command

    old = Database(f"sqlite:///{tmp_path / 'old.db'}")
    with old.reshape() as tx:
        command.upgrade(schema.alembic_config(tx), "0003")
        tx.execute(
            text(
                "INSERT INTO source (name, type, settings, paused, sweep, created_at) VALUES ('w', 'f', '{}', 0, 0, 0)"
            )
        )
    backup.write(old, tmp_path / "it.db")
    old.close()
    (tmp_path / "data").mkdir()
    place = tmp_path / "data" / "citebot.db"
    assert backup.restore(tmp_path / "it.db", place, folder=tmp_path / "data").schema == "0003"
    assert backup.verify(place) == schema.head()


def test_a_record_is_small_survives_a_torn_line_and_forgets_its_older_half(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "removed.log"
    store(db, "a", *(f"text {n}" for n in range(1000)))
    deletions.record(db, file)
    assert file.stat().st_size < 200, "a thousand changes in a row are one line"
    with file.open("a") as torn:
        torn.write("1001 1 10")
    remove(db, "a")
    deletions.record(db, file)
    with db.read() as tx:
        identity = marks.read(tx).identity
    runs = list(deletions.read(file, identity))
    assert [(run.count, run.what) for run in runs] == [(0, "begin"), (1000, "put"), (1000, "remove")]
    monkeypatch.setattr(deletions, "KEPT_BYTES", 400)
    for number in range(40):
        store(db, f"d{number}", f"odd {number}")
        remove(db, f"d{number}")
        deletions.record(db, file)
    assert file.stat().st_size < 600
    runs = list(deletions.read(file, identity))
    assert runs[0].what == "begin"
    assert runs[0].seq + 1 == runs[1].seq
    assert runs[-1].what == "remove"
