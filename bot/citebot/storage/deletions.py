"""What was removed, kept outside the database, so that it stays removed when a backup is restored.

A record is a copy of the database's log of changes in a file of its own, which is in no backup and which no restore
turns back. It has row ids alone: they say nothing of what was in the rows. A line is a run of the log, `SEQ ROW COUNT
WHAT`: the rows ROW, ROW + 1 … at the positions SEQ, SEQ + 1 ….
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import structlog

from citebot.errors import CitebotError, StorageError, WrongUse
from citebot.storage import index_log, marks, own_file
from citebot.storage.database import Database
from citebot.storage.index_log import LogRow

log = structlog.get_logger("citebot.storage")

BEGIN = "begin"
"""Of a run without rows: what came before it may be missing, what comes after is here."""
RESTORED = "restored"
"""Of a run without rows: nothing is missing, although the numbers make a leap."""
KEPT_BYTES = 64_000_000
"""Of a longer record the older half goes: about a million changes."""
_AT_ONCE = 20_000
_HEADER = "citebot removed rows of "
_NAME = re.compile(rf"{_HEADER}([0-9a-f]{{8}})")


@dataclass(frozen=True, slots=True)
class Run:
    """Changes of one kind that follow each other."""

    seq: int
    row: int
    count: int
    what: str

    @property
    def last(self) -> int:
        """The position of the last one."""
        return self.seq + max(0, self.count - 1)

    def after(self, seq: int) -> Run | None:
        """What of it came after a position."""
        cut = max(0, seq + 1 - self.seq)
        return Run(self.seq + cut, self.row + cut, self.count - cut, self.what) if cut < self.count else None

    def __str__(self) -> str:
        return f"{self.seq} {self.row} {self.count} {self.what}\n"


class Record:
    """Follows the log of a database into a file of its own in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen = -1
        self._ill = False

    def follow(self, db: Database) -> None:
        """Bring it up to date. One that cannot be written hinders nobody: it is tried again."""
        try:
            self.catch_up(db)
            self._ill = False
        except (CitebotError, OSError) as error:
            if not self._ill:
                log.warning("removals are not recorded, a restore would not know them", why=str(error))
            self._ill = True

    def catch_up(self, db: Database) -> None:
        """The same, and raises what hinders it."""
        with db.read() as tx:
            head, mark = index_log.head(tx), marks.read(tx)
        if mark.identity and head != self._seen:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._seen = record(db, file_of(self._folder, mark.identity))


def file_of(folder: Path, identity: int) -> Path:
    """The record of a database in a folder."""
    return folder / f"removed-{identity:08x}.log"


def record(db: Database, path: Path) -> int:
    """Write down everything that the log has and the file has not; returns the position where it ends."""
    with db.read() as tx:
        mark = marks.read(tx)
    if not mark.identity:
        raise StorageError(f"The database {db.where} has no identity yet. Run: citebot db upgrade")
    with own_file.opened(path) as file:
        position = _append(file, path, db, mark)
    if path.stat().st_size > KEPT_BYTES:
        _shorten(path)
    return position


def note_restored(path: Path, position: int) -> None:
    """A backup was restored and the log goes on after this position: between is nothing."""
    if path.exists():
        with own_file.opened(path) as file:
            os.lseek(file, 0, os.SEEK_END)
            _write(file, [Run(position, 0, 0, RESTORED)])


def read(path: Path, identity: int) -> Iterator[Run]:
    """The runs in a record; refuses that of another database, whose row ids mean something else."""
    try:
        lines = path.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError as error:
        raise WrongUse(f"{path} cannot be read: {error.strerror}.") from error
    named = _NAME.fullmatch(lines[0]) if lines else None
    if named is None:
        raise WrongUse(f"{path} is no record of removals. It is made by: citebot db tombstones FILE")
    if int(named[1], 16) != identity:
        raise WrongUse(f"{path} is the record of another database ({named[1]}, not {identity:08x}).")
    for line in lines[1:]:
        found = _run(line)
        if found is not None:
            yield found


def _append(file: int, path: Path, db: Database, mark: marks.Marks) -> int:
    """Returns the position up to which the record goes now."""
    position = _position(file, path, mark)
    with db.read() as tx:
        oldest, head = index_log.oldest(tx), index_log.head(tx)
        if position is None or position < (head if oldest is None else oldest - 1):
            position = head if oldest is None else oldest - 1
            _write(file, [Run(position, 0, 0, BEGIN)])
        elif position > head:
            # Not the newest state: somebody put an older one in its place and has not said so.
            raise StorageError(f"{db.where} is older than {path}. After a restore, run: citebot db restored")
        while rows := index_log.since(tx, position, _AT_ONCE):
            _write(file, _runs(rows))
            position = rows[-1].seq
    return position


def _position(file: int, path: Path, mark: marks.Marks) -> int | None:
    """Where the record ends; None when it is empty. A line that was cut short is taken off."""
    size = os.lseek(file, 0, os.SEEK_END)
    if not size:
        os.write(file, f"{_HEADER}{mark.name}\n".encode())
        return None
    first = os.pread(file, 100, 0).partition(b"\n")[0].decode(errors="replace")
    if first != f"{_HEADER}{mark.name}":
        raise WrongUse(f"{path} is not the record of this database. Name another file.")
    tail = os.pread(file, 4096, max(0, size - 4096))
    whole = tail.rpartition(b"\n")[0]
    os.ftruncate(file, size - (len(tail) - len(whole) - 1))
    os.lseek(file, 0, os.SEEK_END)
    last = _run(whole.rpartition(b"\n")[2].decode(errors="replace"))
    return last.last if last else None


def _runs(rows: Iterable[LogRow]) -> Iterator[Run]:
    run: Run | None = None
    for row in rows:
        if run and (row.seq, row.passage_id, row.what) == (run.seq + run.count, run.row + run.count, run.what):
            run = Run(run.seq, run.row, run.count + 1, run.what)
            continue
        if run:
            yield run
        run = Run(row.seq, row.passage_id, 1, row.what)
    if run:
        yield run


def _write(file: int, runs: Iterable[Run]) -> None:
    data = "".join(map(str, runs)).encode()
    while data:
        data = data[os.write(file, data) :]
    os.fsync(file)


def _run(line: str) -> Run | None:
    words = line.split(" ")
    if len(words) != 4 or not all(word.isdecimal() for word in words[:3]):
        return None
    return Run(int(words[0]), int(words[1]), int(words[2]), words[3])


def _shorten(path: Path) -> None:
    with own_file.opened(path):
        lines = path.read_text(encoding="ascii").splitlines(keepends=True)
        kept = lines[len(lines) // 2 :]
        first = _run(kept[0].rstrip("\n"))
        assert first is not None, "we wrote it"
        shorter = path.with_name(f"{path.name}.shorter")
        with own_file.opened(shorter) as file:
            os.ftruncate(file, 0)
            os.write(file, lines[0].encode())
            _write(file, [Run(first.seq - 1, 0, 0, BEGIN)])
            os.write(file, "".join(kept).encode())
            own_file.put_in_place(shorter, path)
