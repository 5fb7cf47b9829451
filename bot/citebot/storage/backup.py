"""A database in one file: written while it is used, checked before it counts, and put back with care (SQLite)."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.exc import DBAPIError

from citebot.errors import DiskFull, StorageError, WrongUse
from citebot.storage import marks, own_file, restoring, schema
from citebot.storage.database import Database
from citebot.storage.deletions import Record, file_of, note_restored
from citebot.storage.failpoints import failpoint
from citebot.storage.failures import explain
from citebot.storage.purge import REPLACED
from citebot.storage.restoring import Reapplied

BUSY_SECONDS = 2.0
_JOURNALS = ("-wal", "-shm", "-journal")


@dataclass(frozen=True, slots=True)
class Copied:
    """A backup that was written and checked."""

    file: Path
    schema: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Restored:
    """A backup in its place."""

    schema: str
    """Of the backup; the database has the newest."""
    replaced: Path | None
    """The database that was there before."""
    reapplied: Reapplied


def write(db: Database, target: Path, *, force: bool = False) -> Copied:
    """Copy the database as it is at one moment, while others read and write it; the file is whole or not there."""
    if not Path(db.where).is_file():
        raise StorageError(f"There is no database {db.where} to back up.")
    if target.is_dir():
        raise WrongUse(f"{target} is a folder. Name the file to write.")
    if target.exists() and target.samefile(db.where):
        raise WrongUse(f"{target} is the database itself. Name another file.")
    if target.exists() and not force:
        raise WrongUse(f"{target} is there already. Name another file, or replace it with --force.")
    partial = target.with_name(f"{target.name}.partial")
    with _complaints(target), own_file.opened(partial, wait=False) as file:
        try:
            os.ftruncate(file, 0)
            with _connected(Path(db.where)) as source, _connected(partial) as copy:
                source.backup(copy)
                copy.execute("PRAGMA journal_mode = DELETE")
            found = verify(partial)
            failpoint("before-backup")
            own_file.put_in_place(partial, target)
        except BaseException:
            _remove(partial)
            raise
    return Copied(target, found, target.stat().st_size)


def verify(file: Path) -> str:
    """The schema of a file that is a whole database of Citebot; raises `StorageError` for everything else."""
    if not file.is_file():
        raise WrongUse(f"There is no file {file}.")
    try:
        with _connected(file, how="ro") as opened:
            says = [row[0] for row in opened.execute("PRAGMA integrity_check(1)")]
            tables = {row[0] for row in opened.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            found = opened.execute("SELECT version_num FROM alembic_version").fetchone() if says == ["ok"] else None
    except sqlite3.Error as error:
        if "malformed" in str(error):
            raise StorageError(f"{file} is damaged. Use another backup.") from error
        raise StorageError(f"{file} is no backup of a Citebot database.") from error
    if says != ["ok"]:
        raise StorageError(f"{file} is damaged. Use another backup.")
    if found is None or not {"source", "passage", "inbox"} <= tables:
        raise StorageError(f"{file} is no backup of a Citebot database.")
    if found[0] not in schema.REVISIONS:
        raise StorageError(
            f"{file} was written by a newer Citebot (schema {found[0]}, this one knows {schema.head()}). "
            "Upgrade Citebot."
        )
    return str(found[0])


def restore(file: Path, place: Path, *, folder: Path, tombstones: Sequence[Path] = ()) -> Restored:
    """Put a backup in the place of the database, which is kept beside it. The caller owns the data `folder`."""
    found = verify(file)
    prepared = place.with_name(f"{place.name}.restoring")
    with _complaints(place), own_file.opened(prepared, wait=False) as handle:
        try:
            os.ftruncate(handle, 0)
            with _held(place, Record(folder)):
                with _connected(file, how="ro") as source, _connected(prepared) as copy:
                    source.backup(copy)
                identity, made = _finish(prepared, folder, tombstones)
                with suppress(PermissionError):  # whoever restores may not be who serves
                    os.chown(prepared, folder.stat().st_uid, folder.stat().st_gid)
                failpoint("before-restore")
                replaced = _swap(prepared, place)
        except BaseException:
            _remove(prepared)
            raise
    failpoint("after-restore")
    _prove(place, replaced)
    note_restored(file_of(folder, identity), made.position)
    return Restored(found, replaced, made)


def _finish(prepared: Path, folder: Path, tombstones: Sequence[Path]) -> tuple[int, Reapplied]:
    db = Database(f"sqlite:///{prepared}")
    try:
        schema.upgrade(db)
        with db.read() as tx:
            identity = marks.read(tx).identity
        own = file_of(folder, identity)
        made = restoring.finish(db, [*([own] if own.exists() else []), *tombstones])
    finally:
        db.close()
    _alone(prepared)
    return identity, made


@contextmanager
def _held(place: Path, record: Record) -> Iterator[None]:
    """Keep everybody away from the database that goes, once its last removals are recorded."""
    if not place.exists() or not _last_words(place, record):
        yield
        return
    with _connected(place) as opened:
        opened.execute("BEGIN EXCLUSIVE")
        yield


def _last_words(place: Path, record: Record) -> bool:
    """Record its last removals; False of a damaged database, which cannot tell any. Refuses one that is in use."""
    try:
        _alone(place)
        db = Database(f"sqlite:///{place}")
        try:
            with suppress(StorageError, DBAPIError):
                record.catch_up(db)
        finally:
            db.close()
        _alone(place)
    except sqlite3.DatabaseError:
        return False
    return True


def _alone(place: Path) -> None:
    """Fold the journal into the file, which can be done only where nobody else has it open."""
    try:
        with _connected(place) as opened:
            opened.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.OperationalError as error:
        raise StorageError(f"{place} is in use. Stop every Citebot that uses it and try again.") from error


def _swap(prepared: Path, place: Path) -> Path | None:
    """At no moment is there no database; a journal of the old one must not be taken for one of the new."""
    kept = place.with_name(f"{place.name}{REPLACED}")
    _remove(kept)
    there = place.exists()
    if there:
        os.link(place, kept)
    for ending in _JOURNALS:
        with suppress(FileNotFoundError):
            place.with_name(f"{place.name}{ending}").replace(kept.with_name(f"{kept.name}{ending}"))
    own_file.put_in_place(prepared, place)
    return kept if there else None


def _prove(place: Path, replaced: Path | None) -> None:
    db = Database(f"sqlite:///{place}")
    try:
        schema.check(db)
    except BaseException:
        if replaced is not None:
            replaced.replace(place)
        raise
    finally:
        db.close()


@contextmanager
def _connected(file: Path, *, how: str = "rw") -> Iterator[sqlite3.Connection]:
    address = f"{file.absolute().as_uri()}?mode={how}"
    with closing(sqlite3.connect(address, uri=True, timeout=BUSY_SECONDS, isolation_level=None)) as connection:
        yield connection


def _remove(file: Path) -> None:
    for ending in ("", *_JOURNALS):
        file.with_name(f"{file.name}{ending}").unlink(missing_ok=True)


@contextmanager
def _complaints(file: Path) -> Iterator[None]:
    try:
        yield
    except BlockingIOError as error:
        raise StorageError(f"Another process is writing {file}. Wait for it.") from error
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise DiskFull(f"{file} cannot be written: the disk is full. Nothing was changed.") from error
        raise StorageError(f"{file} cannot be written: {error.strerror}.") from error
    except sqlite3.Error as error:
        raise explain(error, str(file)) or StorageError(f"{file} cannot be written: {error}.") from error
