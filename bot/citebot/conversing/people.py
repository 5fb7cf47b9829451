"""Who somebody is, what a channel is, and who reads there. What the platform does not tell is not guessed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

import structlog

from citebot.conversing.known import FRESH, Known
from citebot.errors import CannotShow, Retry
from citebot.model import Conversation, Helper, Person, Visibility

log = structlog.get_logger("citebot.conversing")

FEW = 20
"""Unknown people up to this number are asked for one by one, more by the list of all."""
HELPERS_MOST = 5
ANYBODY = Person("", "a member of the team")
"""Whoever may join: a member of the team of whom nothing else is known."""


@dataclass(frozen=True, slots=True)
class Member:
    """An account of a platform, and the person it is to us."""

    account: str
    person: Person
    name: str
    locale: str = ""
    reads: bool = True
    """False for bots, which read nothing, and closed accounts."""


@dataclass(frozen=True, slots=True)
class Place:
    """A channel."""

    visibility: Visibility
    name: str = ""


class Directory(Protocol):
    """What a platform tells of people and places. Raises `CannotShow` for what it does not know, and `Retry`."""

    async def member(self, account: str) -> Member:
        """One account."""

    def members(self) -> AsyncIterator[Member]:
        """All of the team."""

    async def place(self, channel: str) -> Place:
        """What kind of conversation an id is."""

    def readers(self, channel: str) -> AsyncIterator[str]:
        """The accounts that see what is written there."""

    def is_alone(self, conversation: Conversation) -> bool:
        """Whether nobody but the asker reads there."""


class People:
    """Members and channels of one team, as its directory said lately."""

    def __init__(self, directory: Directory, *, clock: Callable[[], float], fresh: float = FRESH) -> None:
        self._directory = directory
        self._members: Known[str, Member] = Known(clock, fresh=fresh)
        self._places: Known[str, Place] = Known(clock)
        self._readers: Known[str, tuple[str, ...]] = Known(clock)
        self._listing = asyncio.Lock()

    async def member(self, account: str) -> Member:
        """One member; raises `CannotShow` for one that is not known."""

        async def ask() -> Member:
            try:
                return await self._directory.member(account)
            except Retry as error:
                if error.after is None:
                    raise
                return await self._listed(account, error)

        return await self._members.fetch(account, ask)

    async def member_or_guest(self, account: str) -> Member:
        """One member; one that is not known is a guest."""
        try:
            return await self.member(account)
        except CannotShow as error:
            log.warning("account not known, taken for a guest", why=str(error))
            return _stranger(account)

    async def _listed(self, account: str, limited: Retry) -> Member:
        """Where too many people are asked for one by one, the list of all of them is read once."""
        async with self._listing:
            if self._members.get(account) is None:
                await self._read_all()
        if (found := self._members.get(account)) is None:
            raise limited
        return found

    async def _read_all(self) -> None:
        async for member in self._directory.members():
            self._members.keep(member.account, member)

    def name_of(self, account: str) -> str:
        """The name of a member, as far as it is known already."""
        known = self._members.get(account)
        return known.name if known else account

    def locale_of(self, account: str) -> str:
        """The language of a member, as far as it is known already."""
        known = self._members.get(account)
        return known.locale if known else ""

    async def place(self, channel: str) -> Place:
        """What kind of conversation an id is."""
        return await self._places.fetch(channel, lambda: self._directory.place(channel))

    def forget_channel(self, channel: str) -> None:
        """Something about a channel has changed."""
        self._places.drop(channel)
        self._readers.drop(channel)

    def forget_places(self) -> None:
        """Something about any channel, or about who reads in all of them, has changed."""
        self._places.clear()
        self._readers.clear()

    def forget_member(self, account: str) -> None:
        """Something about a member has changed."""
        self._members.drop(account)

    async def readers(self, conversation: Conversation, asker: Person) -> frozenset[Person] | None:
        """Everybody who will see an answer there, None when the platform does not say. Raises `Retry`."""
        if self._directory.is_alone(conversation):
            return frozenset({asker})
        try:
            place = await self.place(conversation.id)
            people = {member.person for member in await self.members(conversation.id) if member.reads}
        except CannotShow:
            return None
        if place.visibility == "shared" and conversation.visibility != "shared":
            return None  # it was shared after the question: what counted as everyone then does not now
        anybody = {ANYBODY} if place.visibility == "public" else set()
        return frozenset({asker, *people, *anybody})

    async def members(self, channel: str) -> list[Member]:
        """Everybody in a channel. Raises `CannotShow` and `Retry`."""
        strangers = (await self.place(channel)).visibility == "shared"

        async def ask() -> tuple[str, ...]:
            return tuple([account async for account in self._directory.readers(channel)])

        accounts = await self._readers.fetch(channel, ask)
        if sum(self._members.get(account) is None for account in accounts) > FEW:
            await self._read_all()
            if strangers:
                # There may be thousands of them; as guests they open nothing.
                for account in (account for account in accounts if self._members.get(account) is None):
                    self._members.keep(account, _stranger(account))
        return [await self.member(account) for account in accounts]

    async def helpers(self, channel: str, *, authors: Collection[str], named: Sequence[str]) -> list[Helper]:
        """Those in a channel who wrote something, by the ids of persons, and the named ones; guests help nobody."""
        inside = {one.account: one.person for one in await self.members(channel) if one.reads and not one.person.guest}
        wrote = [account for account, person in inside.items() if person.id in authors]
        chosen = [account for account in dict.fromkeys([*wrote, *named]) if account in inside]
        return [Helper(account, inside[account]) for account in chosen[:HELPERS_MOST]]


def _stranger(account: str) -> Member:
    return Member(account, Person(account, guest=True), account)
