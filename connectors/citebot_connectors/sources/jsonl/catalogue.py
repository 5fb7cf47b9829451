"""Where each document's line begins: a small database in the source's state folder, so that memory does not grow.

It holds nothing that the files do not: when a file changes it is made anew, and it may be deleted at any time.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from citebot.errors import StopSync
from citebot_connectors.sources.jsonl.rows import explain, id_of

LONGEST_LINE = 64_000_000
BAD_KEPT = 100
AT_ONCE = 500
_TABLES = """
    PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;
    CREATE TABLE line (id TEXT NOT NULL UNIQUE, file INTEGER NOT NULL, start INTEGER NOT NULL, digest TEXT NOT NULL);
    CREATE TABLE fact (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""


@dataclass(frozen=True, slots=True)
class Place:
    """A line: its file, where it begins, and the digest of its bytes."""

    file: Path
    start: int
    digest: str


@dataclass(frozen=True, slots=True)
class Bad:
    """Lines that are no documents."""

    count: int
    examples: tuple[str, ...]
    """The first of them, each with the number of its line."""


class Catalogue:
    """The lines of some files."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "lines.sqlite"

    def refresh(self, files: Sequence[Path]) -> bool:
        """Read the files unless they are as they were, and say whether.

        Raises `StopSync` when one cannot be read, or changes meanwhile.
        """
        stamp = _stamp(files)
        try:
            if self._path.exists() and self._fact("stamp") == stamp:
                return False
        except (sqlite3.Error, TypeError):
            pass  # cut off while it was written: it is made anew
        self._path.parent.mkdir(parents=True, exist_ok=True)
        new = self._path.with_suffix(".new")
        new.unlink(missing_ok=True)
        with closing(sqlite3.connect(new)) as database:
            database.executescript(_TABLES)
            bad = _read_all(database, files)
            if _stamp(files) != stamp:
                raise StopSync(
                    f"{files[0].parent} changed while it was read; the next sync reads it. Nothing was removed."
                )
            facts = {"stamp": stamp, "files": json.dumps([str(file) for file in files]), "bad": json.dumps(bad)}
            database.executemany("INSERT INTO fact VALUES (?, ?)", facts.items())
            database.commit()
        new.replace(self._path)
        return True

    def refs(self) -> Iterator[list[tuple[str, str]]]:
        """Ids and digests in the order of the lines, in pages."""
        after = 0
        with closing(sqlite3.connect(self._path)) as database:
            query = "SELECT rowid, id, digest FROM line WHERE rowid > ? ORDER BY rowid LIMIT 2000"
            while page := database.execute(query, (after,)).fetchall():
                after = page[-1][0]
                yield [(key, digest) for _, key, digest in page]

    def places(self, ids: Sequence[str]) -> dict[str, Place]:
        """Where the documents of these ids are."""
        files = [Path(name) for name in json.loads(self._fact("files"))]
        found: dict[str, Place] = {}
        with closing(sqlite3.connect(self._path)) as database:
            for at in range(0, len(ids), AT_ONCE):
                some = ids[at : at + AT_ONCE]
                query = f"SELECT id, file, start, digest FROM line WHERE id IN ({','.join('?' * len(some))})"  # noqa: S608
                found.update(
                    (key, Place(files[file], start, digest))
                    for key, file, start, digest in database.execute(query, some)
                )
        return found

    def count(self) -> int:
        """How many documents there are."""
        with closing(sqlite3.connect(self._path)) as database:
            return int(database.execute("SELECT count(*) FROM line").fetchone()[0])

    def bad(self) -> Bad:
        """What could not be read."""
        count, examples = json.loads(self._fact("bad"))
        return Bad(count, tuple(examples))

    def _fact(self, name: str) -> str:
        with closing(sqlite3.connect(self._path)) as database:
            return str(database.execute("SELECT value FROM fact WHERE name = ?", (name,)).fetchone()[0])


def _stamp(files: Sequence[Path]) -> str:
    try:
        stats = [(str(file), file.stat()) for file in files]
    except OSError as error:
        raise StopSync(f"{error.filename} cannot be read: {error.strerror}. Nothing was removed.") from error
    return json.dumps([(name, found.st_size, found.st_mtime_ns, found.st_ino) for name, found in stats])


def _read_all(database: sqlite3.Connection, files: Sequence[Path]) -> tuple[int, list[str]]:
    bad: list[str] = []
    count = 0
    for number, file in enumerate(files):
        try:
            with file.open("rb") as stream:
                for why in _read_file(database, number, file, stream):
                    count += 1
                    if len(bad) < BAD_KEPT:
                        bad.append(why)
        except OSError as error:
            raise StopSync(f"{file} cannot be read: {error.strerror}. Nothing was removed.") from error
    return count, bad


def _read_file(database: sqlite3.Connection, number: int, file: Path, stream: BinaryIO) -> Iterator[str]:
    """Put the lines into the table; yields what is wrong with those that are no documents."""
    insert = "INSERT OR IGNORE INTO line VALUES (?, ?, ?, ?)"
    start = 0
    for count, line in enumerate(_lines(stream), 1):
        where = f"{file.name} line {count}"
        if not line:
            yield f"{where}: longer than {LONGEST_LINE:,} bytes"
        elif line.strip():
            try:
                key = id_of(json.loads(line))
            except (ValueError, TypeError, KeyError, RecursionError) as error:
                yield f"{where}: {explain(error)}"
            else:
                row = (key, number, start, hashlib.sha256(line).hexdigest()[:32])
                if not database.execute(insert, row).rowcount:
                    yield f"{where}: the id {key} was used before; the first line counts"
        start = stream.tell()


def _lines(stream: BinaryIO) -> Iterator[bytes]:
    """Lines as they are; an empty one stands for a line too long to hold."""
    while line := stream.readline(LONGEST_LINE):
        if len(line) == LONGEST_LINE and not line.endswith(b"\n"):
            while len(rest := stream.readline(LONGEST_LINE)) == LONGEST_LINE and not rest.endswith(b"\n"):
                pass
            line = b""
        yield line
