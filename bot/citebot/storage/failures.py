"""What the database's own errors mean for people: one clear line each."""

from __future__ import annotations

import errno
import re
import sqlite3

from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from citebot.errors import DiskFull, StorageError

# Patterns in SQLite's and PostgreSQL's messages; the first that fits decides.
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
    (
        r"permission denied for schema (\S+)",
        "The database {where} does not let its user make tables. Its owner runs: "
        "GRANT USAGE, CREATE ON SCHEMA {0} TO that user",
    ),
    (
        r"(?:permission denied for|must be owner of) (table|sequence|relation|index|database) (\S+)",
        "The database {where} does not let its user use the {0} {1}, which belongs to another. "
        "Use the user that made the tables, or let their owner GRANT ALL ON them.",
    ),
    ("read-only transaction", "The database {where} takes no changes: it may be a standby. Name the primary server."),
    ("password authentication failed", "The database {where} refused the password. Check database.url."),
    ("no password supplied", "The database {where} wants a password. Put it into database.url."),
    ("no pg_hba.conf entry", "The database {where} lets nobody in from here (pg_hba.conf). Ask who runs the server."),
    (r'database "([^"]*)" does not exist', "There is no database {0} at {where}. Make it, or check database.url."),
    (r'role "([^"]*)" does not exist', "The database {where} knows no user {0}. Make it, or check database.url."),
    (
        "too many (?:connections|clients)|remaining connection slots|query_wait_timeout",
        "The database {where} has no connection left. Let it take more, or lower database.connections.",
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
        if isinstance(chain, DBAPIError | sqlite3.Error):
            own = chain.orig if isinstance(chain, DBAPIError) else chain
            text = f"{type(own).__name__} {own}"
            for pattern, meaning in _MEANINGS:
                if found := re.search(pattern, text, re.IGNORECASE):
                    kind = DiskFull if meaning is _FULL else StorageError
                    return kind(meaning.format(*found.groups(), where=where))
        chain = chain.__context__
    if isinstance(error, OperationalError) and not isinstance(error.orig, sqlite3.Error):
        return StorageError(f"The database {where} does not answer. Check that it runs and that database.url is right.")
    return None


def waited_for_lock(error: StorageError) -> bool:
    """Whether a server gave up waiting for a lock: the same may go well a moment later."""
    cause = error.__cause__
    return isinstance(cause, DBAPIError) and type(cause.orig).__name__ == "LockNotAvailable"
