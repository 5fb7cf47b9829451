"""From people to principals.

Everything here fails closed: a person we know nothing about has no group, a place whose readers we do not know has no
principal at all, and a group list that is older than the staleness bound opens nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from citebot.model import EVERYONE, Audience, Conversation, Person, channel_principal, group_principal, person_principal
from citebot.settings import AccessSettings
from citebot.storage import Database, people


class Directory:
    """Knows the groups that settings and sources report. Synchronous: call it from a thread."""

    def __init__(self, database: Database, settings: AccessSettings) -> None:
        self._database = database
        self._guests = frozenset(settings.guests)
        self._staleness = timedelta(seconds=settings.staleness)
        self._settled: dict[str, set[str]] = {}
        for group, members in settings.groups.items():
            for person in members:
                self._settled.setdefault(person, set()).add(group)

    def is_guest(self, person: Person) -> bool:
        """Whether platform or settings call this person a guest."""
        return person.guest or person.id in self._guests

    def principals_of(self, person: Person) -> frozenset[str]:
        """Everything one person may read as: themselves, their groups, and everyone unless they are a guest.

        A person without an id is a member of the team of whom nothing else is known.
        """
        principals = set() if self.is_guest(person) else {EVERYONE}
        if person.id:
            principals.add(person_principal(person.id))
            principals.update(map(group_principal, self._groups_of(person.id)))
        return frozenset(principals)

    def audience_of(self, seen_by: Iterable[Person] | None, *, conversation: Conversation | None = None) -> Audience:
        """The principals that cover every one of the people who will see an answer.

        None or nobody: it cannot be known who reads there, so nothing may be shown. In a channel its own principal is
        added, because its readers are exactly these people. An externally shared channel never counts as everyone:
        its platform may not tell us who of them is from outside.
        """
        readers = frozenset(seen_by or ())
        if not readers:
            return Audience(frozenset(), label="nobody known")
        shared = conversation is not None and conversation.visibility == "shared"
        covering = frozenset.intersection(*(self.principals_of(person) for person in readers))
        principals = set(covering - {EVERYONE} if shared else covering)
        if conversation is not None and conversation.visibility in {"public", "private", "shared"} and conversation.id:
            principals.add(channel_principal(conversation.platform, conversation.tenant, conversation.id))
        people = frozenset(person.id for person in readers if person.id)
        unchecked = set().union(*map(self._unchecked, people))
        return Audience(frozenset(principals), _label(readers, conversation), tuple(sorted(unchecked)), people)

    def _groups_of(self, person: str) -> frozenset[str]:
        with self._database.read() as tx:
            fresh_after = self._database.now(tx) - self._staleness
            reported = people.groups_of(tx, person, fresh_after=fresh_after)
        return reported | frozenset(self._settled.get(person, ()))

    def _unchecked(self, person: str) -> frozenset[str]:
        with self._database.read() as tx:
            return people.stale_origins(tx, person, fresh_after=self._database.now(tx) - self._staleness)


def _label(readers: frozenset[Person], conversation: Conversation | None) -> str:
    if conversation is not None and conversation.visibility != "dm":
        return f"#{conversation.id}"
    return ", ".join(sorted(person.name or person.id or "a member of the team" for person in readers)[:3])
