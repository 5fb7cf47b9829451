"""Which schema a database has, which one this Citebot wants, and the way from one to the other."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from sqlalchemy import inspect, text

from citebot.errors import SchemaTooNew, StorageError
from citebot.storage import marks
from citebot.storage.database import Database, Transaction
from citebot.storage.failpoints import failpoint
from citebot.storage.failures import waited_for_lock
from citebot.storage.tables import metadata

if TYPE_CHECKING:
    from alembic.config import Config

REVISIONS = ("0001", "0002", "0003", "0004", "0005", "0006", "0007", "0008", "0009", "0010", "0011", "0012")
"""Every revision, oldest first; kept here so that a current database needs no migration library at start."""
SERVES = "0010"
"""The oldest revision whose code works on the newest schema. A migration that takes something away raises it."""

_OURS = re.compile(r"\d{4}")
_LOCK = 7_241_002
LOCK_SECONDS = 3
"""How long a step of an upgrade waits for a table on a server: whoever comes after it waits as well."""
TRIES = 10
PAUSE = 1.0
"""Seconds between two of them."""


def head() -> str:
    """The revision this Citebot wants."""
    return REVISIONS[-1]


def current(db: Database) -> str | None:
    """The revision a database has; None when it is empty."""
    with db.read() as tx:
        return _current(tx)


def check(db: Database) -> None:
    """Raise unless we can use the schema: `SchemaTooNew`, or `StorageError` that says what to run.

    A newer one that says so itself serves us too: while a new Citebot is rolled out, old processes go on and may start.
    """
    with db.read() as tx:
        found = _current(tx)
        if _serves_us(tx, found):
            return
    _refuse_unknown(db, found)
    raise StorageError(
        f"The database {db.where} has schema {found or 'none'}, this Citebot needs {head()}. Run: citebot db upgrade"
    )


def upgrade(db: Database) -> None:
    """Bring the schema to the wanted revision, all or nothing; several processes may try at once."""
    for left in reversed(range(TRIES)):
        try:
            _upgrade(db)
            return
        except StorageError as error:
            if not left or not waited_for_lock(error):
                raise
        time.sleep(PAUSE)


def _upgrade(db: Database) -> None:
    with db.read() as tx:
        found = _current(tx)
        if _serves_us(tx, found) and marks.read(tx).identity:
            return
    _refuse_unknown(db, found)
    with db.reshape() as tx:
        if db.dialect != "sqlite":
            # A turn may take as long as whoever has it needs, a statement as long as there are rows.
            tx.exec_driver_sql("SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0")
            tx.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
            tx.exec_driver_sql(f"SET LOCAL lock_timeout = '{LOCK_SECONDS}s'")
        # Another process may have been faster while we waited for the lock.
        found = _current(tx)
        _refuse_unknown(db, None if _serves_us(tx, found) else found)
        if found is None:
            _refuse_others(db, tx)
        if found is None or found in REVISIONS[:-1]:
            _migrate(tx)
        _mark(tx)
        failpoint("before-upgrade-commit")


def _mark(tx: Transaction) -> None:
    found = marks.read(tx)
    named = replace(found, identity=found.identity or marks.new_identity())
    if _current(tx) == head():
        named = replace(named, schema=head(), serves=SERVES)
    marks.write(tx, named)


def _migrate(tx: Transaction) -> None:
    # Imported here: a start with a current schema must not pay for it.
    from alembic import command

    command.upgrade(alembic_config(tx), "head")


def alembic_config(tx: Transaction) -> Config:
    """The configuration of Alembic's own commands on an open transaction; needs no ini file."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "citebot_migrations:.")
    config.attributes["connection"] = tx
    return config


def _current(tx: Transaction) -> str | None:
    if not inspect(tx).has_table("alembic_version"):
        return None
    return tx.execute(text("SELECT version_num FROM alembic_version")).scalar()


def _serves_us(tx: Transaction, found: str | None) -> bool:
    if found is None or found in REVISIONS:
        return found == head()
    says = marks.read(tx)
    return says.schema == found and says.serves in REVISIONS


def _refuse_unknown(db: Database, found: str | None) -> None:
    if found is None or found in REVISIONS:
        return
    if not _OURS.fullmatch(found):
        raise StorageError(
            f"{db.where} is the database of another application (its schema is called {found}). "
            "Give Citebot a database of its own."
        )
    raise SchemaTooNew(
        f"The database {db.where} was written by a newer Citebot (schema {found}, this one knows {head()}). "
        "Upgrade Citebot, or use another data folder."
    )


def _refuse_others(db: Database, tx: Transaction) -> None:
    taken = sorted({*metadata.tables} & {*inspect(tx).get_table_names()})
    if taken:
        raise StorageError(
            f"{db.where} has tables of another application, such as {taken[0]}. Give Citebot a database of its own."
        )
