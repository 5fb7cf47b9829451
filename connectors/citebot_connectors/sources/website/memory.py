"""What is remembered of a site between two reads: validators, digests and links, and how far a crawl has come."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Remembered:
    """A page as it was last seen. Never its text: what is deleted must be gone."""

    url: str
    etag: str
    modified: str
    digest: str
    links: tuple[str, ...]


class Memory:
    """One SQLite file. It may be lost: the next read then asks for everything again."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection
        with connection:
            connection.execute(
                "CREATE TABLE IF NOT EXISTS page (url TEXT PRIMARY KEY, etag TEXT NOT NULL DEFAULT '', "
                "modified TEXT NOT NULL DEFAULT '', digest TEXT NOT NULL DEFAULT '', links TEXT NOT NULL DEFAULT '[]', "
                "seen REAL NOT NULL DEFAULT 0)"
            )
            connection.execute(
                "CREATE TABLE IF NOT EXISTS frontier (url TEXT PRIMARY KEY, depth INTEGER NOT NULL, "
                "done INTEGER NOT NULL DEFAULT 0)"
            )

    def get(self, url: str) -> Remembered | None:
        """The page, if it was seen."""
        query = "SELECT url, etag, modified, digest, links FROM page WHERE url = ?"
        row = self._db.execute(query, (url,)).fetchone()
        if row is None:
            return None
        address, etag, modified, digest, links = row
        return Remembered(address, etag, modified, digest, tuple(json.loads(links)))

    def put(self, pages: Iterable[Remembered]) -> None:
        """Remember pages as they are now."""
        rows = [(p.url, p.etag, p.modified, p.digest, json.dumps(p.links), time.time()) for p in pages]
        with self._db:
            self._db.executemany("INSERT OR REPLACE INTO page VALUES (?, ?, ?, ?, ?, ?)", rows)

    def forget(self, url: str) -> None:
        """Forget a page that is gone."""
        with self._db:
            self._db.execute("DELETE FROM page WHERE url = ?", (url,))

    def longest_unseen(self, limit: int) -> list[str]:
        """Pages that were not asked for the longest time."""
        return [row[0] for row in self._db.execute("SELECT url FROM page ORDER BY seen LIMIT ?", (limit,))]

    # --- a crawl -------------------------------------------------------------------------------------------------

    def begin(self, url: str) -> None:
        """Begin a crawl at a page."""
        with self._db:
            self._db.execute("DELETE FROM frontier")
            self._db.execute("INSERT INTO frontier (url, depth) VALUES (?, 0)", (url,))

    def pending(self, limit: int) -> list[tuple[str, int]]:
        """Pages still to visit with their depth, nearest first."""
        query = "SELECT url, depth FROM frontier WHERE NOT done ORDER BY depth, url LIMIT ?"
        return self._db.execute(query, (limit,)).fetchall()

    def visited(self, urls: Sequence[str]) -> None:
        """These are done."""
        with self._db:
            self._db.executemany("UPDATE frontier SET done = 1 WHERE url = ?", [(url,) for url in urls])

    def enqueue(self, urls: Iterable[str], depth: int, *, limit: int) -> None:
        """Visit these too, as long as there are not more than `limit` pages in all."""
        with self._db:
            for url in urls:
                (known,) = self._db.execute("SELECT count(*) FROM frontier").fetchone()
                if known >= limit:
                    return
                self._db.execute("INSERT OR IGNORE INTO frontier (url, depth) VALUES (?, ?)", (url, depth))


@contextmanager
def opened(folder: Path) -> Iterator[Memory]:
    """The memory in a source's own folder; a damaged file is begun anew."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "site.sqlite"
    try:
        connection = sqlite3.connect(path)
        memory = Memory(connection)
    except sqlite3.DatabaseError:
        connection.close()
        path.unlink()
        connection = sqlite3.connect(path)
        memory = Memory(connection)
    with closing(connection):
        yield memory
