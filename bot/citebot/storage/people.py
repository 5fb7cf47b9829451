"""Who is in which group, who says so, and since when we know."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import delete, func, insert, or_, select

from citebot.model import Group
from citebot.storage import clock
from citebot.storage.database import Transaction
from citebot.storage.tables import membership

SETTINGS = "settings"
"""The origin of groups written in the settings: read at every start, so never stale."""


def replace(tx: Transaction, origin: str, groups: Iterable[Group]) -> None:
    """Make these the groups that `origin` reports; what it reported before is forgotten."""
    now = clock.now(tx)
    pairs = {(group.name, person) for group in groups for person in group.people}
    tx.execute(delete(membership).where(membership.c.origin == origin))
    if pairs:
        rows = [{"group_name": g, "person": p, "origin": origin, "seen_at": now} for g, p in sorted(pairs)]
        tx.execute(insert(membership), rows)


def groups_of(tx: Transaction, person: str, *, fresh_after: datetime | None) -> frozenset[str]:
    """Names of the groups of a person; those reported before `fresh_after` do not count."""
    query = select(membership.c.group_name).where(membership.c.person == person)
    if fresh_after is not None:
        fresh = membership.c.seen_at >= clock.stored(fresh_after)
        query = query.where(or_(membership.c.origin == SETTINGS, fresh))
    return frozenset(tx.execute(query).scalars())


def stale_origins(tx: Transaction, person: str, *, fresh_after: datetime) -> frozenset[str]:
    """Who reported groups of a person before `fresh_after`, and not since."""
    query = select(membership.c.origin).where(
        membership.c.person == person,
        membership.c.origin != SETTINGS,
        membership.c.seen_at < clock.stored(fresh_after),
    )
    return frozenset(tx.execute(query).scalars())


def seen(tx: Transaction) -> dict[str, datetime]:
    """When each source last said who is in its groups."""
    query = select(membership.c.origin, func.min(membership.c.seen_at)).where(membership.c.origin != SETTINGS)
    return {row[0]: row[1] for row in tx.execute(query.group_by(membership.c.origin))}


def members(tx: Transaction, group: str) -> frozenset[str]:
    """Everybody in a group, whoever says so."""
    return frozenset(tx.execute(select(membership.c.person).where(membership.c.group_name == group)).scalars())


def all_groups(tx: Transaction) -> dict[str, frozenset[str]]:
    """Every group with its people."""
    found: dict[str, set[str]] = {}
    for name, person in tx.execute(select(membership.c.group_name, membership.c.person)):
        found.setdefault(name, set()).add(person)
    return {name: frozenset(people) for name, people in sorted(found.items())}
