"""What parts keep encrypted: envelopes (see `citebot.storage.secrets`) by part and name."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import delete, select

from citebot.storage import clock
from citebot.storage.database import Transaction
from citebot.storage.secrets import Envelope
from citebot.storage.tables import vault
from citebot.storage.upsert import insert

HEARD = "heard-"
"""Begins the names under which platforms note how far they have heard a team."""


@dataclass(frozen=True, slots=True)
class Kept:
    """One value of one part."""

    part: str
    name: str
    body: Envelope


def get(tx: Transaction, part: str, name: str) -> Envelope | None:
    """The envelope under a name."""
    query = select(vault.c.body).where(vault.c.part == part, vault.c.name == name)
    found: Envelope | None = tx.execute(query).scalar_one_or_none()
    return found


def put(tx: Transaction, part: str, name: str, body: Envelope) -> None:
    """Keep an envelope in the place of whatever is there."""
    values = {"body": body, "changed_at": clock.now(tx)}
    statement = insert(tx, vault).values(part=part, name=name, **values)
    tx.execute(statement.on_conflict_do_update(index_elements=[vault.c.part, vault.c.name], set_=values))


def remove(tx: Transaction, part: str, name: str) -> None:
    """Forget what is under a name."""
    tx.execute(delete(vault).where(vault.c.part == part, vault.c.name == name))


def names(tx: Transaction, part: str, prefix: str = "") -> list[str]:
    """The names that begin so, in order."""
    query = select(vault.c.name).where(vault.c.part == part).order_by(vault.c.name)
    return [name for name in tx.execute(query).scalars() if name.startswith(prefix)]


def list_all(tx: Transaction) -> list[Kept]:
    """Everything, for a change of keys."""
    query = select(vault.c.part, vault.c.name, vault.c.body).order_by(vault.c.part, vault.c.name)
    return [Kept(*row) for row in tx.execute(query)]
