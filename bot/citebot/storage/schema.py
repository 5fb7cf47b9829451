"""Which schema a database has, which one this Citebot wants, and the way from one to the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import inspect, text

from citebot.errors import SchemaTooNew, StorageError
from citebot.storage.database import Database, Transaction

if TYPE_CHECKING:
    from alembic.config import Config

REVISIONS = ("0001", "0002", "0003", "0004", "0005", "0006", "0007", "0008", "0009", "0010")
"""Every revision, oldest first; kept here so that a current database needs no migration library at start."""

_LOCK = 7_241_002


def head() -> str:
    """The revision this Citebot wants."""
    return REVISIONS[-1]


def current(db: Database) -> str | None:
    """The revision a database has; None when it is empty."""
    with db.read() as tx:
        return _current(tx)


def check(db: Database) -> None:
    """Raise unless the schema is the wanted one: `SchemaTooNew`, or `StorageError` that says what to run."""
    found = current(db)
    _refuse_newer(db, found)
    if found != head():
        raise StorageError(
            f"The database {db.where} has schema {found or 'none'}, this Citebot needs {head()}. "
            "Run: citebot db upgrade"
        )


def upgrade(db: Database) -> None:
    """Bring the schema to the wanted revision, all or nothing; several processes may try at once."""
    found = current(db)
    _refuse_newer(db, found)
    if found == head():
        return
    with db.write() as tx:
        if db.dialect != "sqlite":
            tx.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        # Another process may have been faster while we waited for the lock.
        if _current(tx) != head():
            _migrate(tx)


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


def _refuse_newer(db: Database, found: str | None) -> None:
    if found is not None and found not in REVISIONS:
        raise SchemaTooNew(
            f"The database {db.where} was written by a newer Citebot (schema {found}, this one knows {head()}). "
            "Upgrade Citebot, or use another data folder."
        )
