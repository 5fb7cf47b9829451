"""What the database's own errors mean for people: one clear line each."""

from __future__ import annotations

import errno
import re
import sqlite3

from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from citebot.errors import DiskFull, StorageError

# Patterns in SQLite's and PostgreSQL's messages, lower case; the first that fits decides.
_FULL = "The disk is full: the database {where} cannot be written. Free some space and try again."
_MEANINGS = (
    ("database is locked", "The database {where} is busy: another process has been writing for too long. Try again."),
    ("disk is full", _FULL),
    ("no space left", _FULL),
    ("not a database", "{where} is not a Citebot database. Move it away to start afresh, or restore a backup."),
    ("malformed", "The database {where} is damaged. Move it away to start afresh, or restore a backup."),
    ("readonly database", "The database {where} may not be written. Check the owner and rights of file and folder."),
    ("unable to open", "The database {where} cannot be opened. Check that its folder exists and may be written."),
    ("disk i/o error", "Reading or writing the database {where} failed. Check the disk."),
    ("no such table", "The database {where} has no Citebot tables. Run: citebot db upgrade"),
    ("undefinedtable", "The database {where} has no Citebot tables. Run: citebot db upgrade"),
    ("locknotavailable", "The database {where} is busy: another process has been writing for too long. Try again."),
    ("lock timeout", "The database {where} is busy: another process has been writing for too long. Try again."),
    ("statement timeout", "The database {where} took too long to answer. Try again."),
    ("password authentication failed", "The database {where} refused the password. Check database.url."),
    (
        r"fatal:.*does not exist",
        "The database {where} refused: a database, role or table does not exist. Check database.url.",
    ),
)


def explain(error: BaseException, where: str) -> StorageError | None:
    """The one line for people, or None when the error is not about the database's state (a bug, a broken rule)."""
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return DiskFull(_FULL.format(where=where))
    if isinstance(error, PoolTimeout):
        return StorageError(f"All connections to the database {where} are in use. Try again.")
    # SQLite rolls back by itself on some errors, and then the way back out of a savepoint fails too: look at all.
    chain: BaseException | None = error
    while chain is not None:
        if isinstance(chain, DBAPIError):
            text = f"{type(chain.orig).__name__} {chain.orig}".lower()
            for pattern, meaning in _MEANINGS:
                if re.search(pattern, text):
                    return (DiskFull if meaning is _FULL else StorageError)(meaning.format(where=where))
        chain = chain.__context__
    if isinstance(error, OperationalError) and not isinstance(error.orig, sqlite3.Error):
        return StorageError(f"The database {where} does not answer. Check that it runs and that database.url is right.")
    return None
