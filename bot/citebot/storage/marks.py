"""What a database says of itself outside its tables: which one it is, and which older Citebot may use its schema.

SQLite has two free numbers in the header of its file, PostgreSQL the comment of a table; backups have them too. Both
numbers are below 2**31.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass

from sqlalchemy import text

from citebot.storage.database import Transaction

_COMMENT = re.compile(r"citebot ([0-9a-f]{8}), schema (\d{4}) serves (\d{4})")


@dataclass(frozen=True, slots=True)
class Marks:
    """The marks of one database."""

    identity: int = 0
    """A random number that its backups have too; 0: none yet."""
    schema: str = ""
    """The revision that `serves` is said of."""
    serves: str = ""
    """The oldest revision whose code works on this schema."""

    @property
    def name(self) -> str:
        """The identity in eight digits."""
        return f"{self.identity:08x}"


def new_identity() -> int:
    """One that no other database has."""
    return 1 + secrets.randbelow(2**31 - 1)


def read(tx: Transaction) -> Marks:
    """The marks; a database of another application has none of ours."""
    if tx.dialect.name == "sqlite":
        identity = tx.exec_driver_sql("PRAGMA application_id").scalar_one()
        schema, serves = divmod(tx.exec_driver_sql("PRAGMA user_version").scalar_one(), 10_000)
        return Marks(identity, f"{schema:04}", f"{serves:04}")
    comment = tx.execute(text("SELECT obj_description(to_regclass('alembic_version'), 'pg_class')")).scalar()
    found = _COMMENT.fullmatch(comment or "")
    return Marks(int(found[1], 16), found[2], found[3]) if found else Marks()


def write(tx: Transaction, marks: Marks) -> None:
    """Set all marks, in a transaction like everything else."""
    if tx.dialect.name == "sqlite":
        tx.exec_driver_sql(f"PRAGMA application_id = {marks.identity:d}")
        tx.exec_driver_sql(f"PRAGMA user_version = {int(marks.schema + marks.serves):d}")
        return
    comment = f"citebot {marks.name}, schema {marks.schema} serves {marks.serves}"
    assert _COMMENT.fullmatch(comment), "it goes into a statement as it is"
    tx.exec_driver_sql(f"COMMENT ON TABLE alembic_version IS '{comment}'")
