"""Who changed what as an admin: lines are added and never changed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select

from citebot.model import Json
from citebot.storage import clock
from citebot.storage.database import Transaction
from citebot.storage.tables import audit


@dataclass(frozen=True, slots=True)
class Line:
    """One change."""

    who: str
    """The team-wide id of a person, or the user of the machine."""
    account: str
    """What the platform calls them."""
    place: str
    """A place as `storage.conversations.Place` writes it, or `command line`."""
    action: str
    target: str
    before: Json = None
    after: Json = None
    at: datetime | None = None

    def to_json(self) -> dict[str, Any]:
        """The line for programs."""
        return {name: getattr(self, name) for name in self.__slots__}


def write(tx: Transaction, line: Line) -> None:
    """Add a line, in the transaction of the change itself."""
    row = line.to_json() | {"at": clock.now(tx)}
    tx.execute(insert(audit).values(row))


def recent(tx: Transaction, limit: int) -> list[Line]:
    """The newest lines first."""
    rows = tx.execute(select(audit).order_by(audit.c.id.desc()).limit(limit))
    return [Line(**{name: row._mapping[name] for name in Line.__slots__}) for row in rows]
