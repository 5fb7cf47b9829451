"""Servers, people, roles and places of a Discord, as lists: who is where, who sees what, and what happens to it.

What happens is written down with the time when it began and the time when the app had heard of it.
"""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar

from citebot.testing.discord import App, Channel, FakeDiscord, Guild, Outcome, Permission, Role, User
from citebot.testing.discord.permissions import EVERYONE

V = TypeVar("V")
Heard = tuple[bool, bool]
"""Whether that counts of which the app is still hearing, of people and of places."""
VIEW = Permission.VIEW_CHANNEL
UNDER_WAY = 0.1
"""Seconds that a call may be under way when the app hears of a change."""
TEAM = ("alice", "bob", "carol", "dan", "erik", "fay")
GUESTS = ("gina", "hugo")
LOOKS = (
    *("team", "team", "team", "roles", "roles", "people", "people", "mixed", "mixed"),
    *("category", "open", "invited", "annex", "annex", "closed annex", "elsewhere", "adult"),
)
"""Who may see a channel."""
ONLY = {"carried": "abroad", "demoted": "team"}
"""The same for some kinds of asking: where the app is not, and where one can become a guest."""


class Past(Generic[V]):
    """What was so when."""

    def __init__(self, value: V) -> None:
        self._values: list[tuple[float, float, V]] = [(0.0, 0.0, value)]

    @property
    def now(self) -> V:
        """What is so."""
        return self._values[-1][2]

    def begin(self, value: V) -> None:
        """It changes, and the app has not heard of it."""
        self._values.append((time.time(), math.inf, value))

    def heard(self) -> None:
        """The app has heard of it."""
        began, _, value = self._values[-1]
        self._values[-1] = (began, time.time(), value)

    def at(self, moment: float, *, hearing: bool) -> V:
        """What was so at a moment; with `hearing` what the app was about to hear."""
        return [value for began, heard, value in self._values if (began if hearing else heard) <= moment][-1]


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody: the servers they are in, and their roles there."""

    servers: frozenset[str]
    roles: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Rules:
    """Who may see a channel: what its overrides allow and deny, by id."""

    roles: Mapping[str, bool] = field(default_factory=dict)
    people: Mapping[str, bool] = field(default_factory=dict)
    adult: bool = False


@dataclass(slots=True)
class Room:
    """A channel, and where in it is asked."""

    look: str
    kind: str
    channel: Channel
    category: Channel | None = None
    rules: Past[Rules] = field(default_factory=lambda: Past(Rules()))
    thread: Channel | None = None
    """A private one."""
    inside: Past[frozenset[str]] = field(default_factory=lambda: Past(frozenset()))
    """Who is in that."""

    @property
    def place(self) -> str:
        """The conversation that documents can be marked for."""
        return self.thread.id if self.thread else self.channel.id

    @property
    def mark(self) -> str:
        """How lists of readers call it."""
        return f"channel:discord:{self.channel.guild}:{self.place}"


class Town:
    """Four servers and whoever is in them."""

    def __init__(self, discord: FakeDiscord, chance: random.Random) -> None:
        self.discord, self.chance = discord, chance
        self.main, self.modals = discord.guild, asyncio.Lock()
        # In the annex nobody sees anything but by a role; abroad the app is only where a person brings it along.
        self.annex = discord.add_guild("Annex", everyone=EVERYONE & ~VIEW)
        self.elsewhere, self.abroad = discord.add_guild("Elsewhere"), discord.add_guild("Abroad")
        self.people: dict[str, Past[Person]] = {}
        self.users: dict[str, User] = {}
        self._employ()
        self._invite()
        self.known = [*self.users.values()]
        """Whoever is there from the start."""
        self.app = discord.add_app("citebot", intents=(), guilds=(self.main, self.annex, self.elsewhere))
        self.fence = discord.add_channel("fence")
        self.rooms: list[Room] = []

    # -- people ---------------------------------------------------------------------------------------------------

    def _employ(self) -> None:
        """The team, with roles; the owner and whoever may all see everything."""
        add = self.discord.add_role
        self.lead, self.crew, self.helper, self.admin = (add(name) for name in ("lead", "crew", "helper", "admin"))
        self.admin.permissions = Permission.ADMINISTRATOR
        self.staff = add("staff", permissions=VIEW, guild=self.annex)
        both = (self.main, self.annex)
        self.add("olga", both, owner=True)
        self.add("ada", (self.main,), self.admin)
        roles = {"alice": [self.lead], "carol": [self.lead, self.helper], "erik": [], "fay": [self.helper]}
        for name in TEAM:
            staff = name in ("bob", "carol", "dan")
            own = [*roles.get(name, [self.crew]), *([self.staff] if staff else [])]
            servers = [*(both if staff else (self.main,)), *([self.elsewhere, self.abroad] if name == "alice" else [])]
            self.add(name, servers, *own)
        self.mighty = {self.users["olga"].id, self.admin.id}
        """People and roles that see everything."""

    def _invite(self) -> None:
        """Guests of two kinds in the main server, one in the annex, and strangers; one has a member's name."""
        self.guest, self.visitor = self.discord.add_role("guest"), self.discord.add_role("visitor")
        self.temp = self.discord.add_role("temp", permissions=VIEW, guild=self.annex)
        self.seeing = {self.staff.id, self.temp.id}
        """Roles that see all of the annex that is not taken from them."""
        self.guests = {role.id for role in (self.guest, self.visitor, self.temp)}
        """Roles."""
        # None of them has a second role: Discord does not tell who has two, so such a guest is not known from a member.
        self.add("gina", (self.main, self.elsewhere), self.guest)
        self.add("hugo", (self.main,), self.visitor)
        self.add("ines", (self.annex,), self.temp)
        alice, strangers = self.users["alice"], {"pat": self.elsewhere, "zoe": self.abroad, "alice": self.elsewhere}
        self.strangers = [self.add(name, (server,)) for name, server in strangers.items()]
        self.users |= {"alice": alice, "other": self.strangers[-1]}

    def add(self, name: str, servers: Any, *roles: Role, owner: bool = False) -> User:
        """Somebody new; nobody is told who comes into a server."""
        self.users[name] = user = self.discord.add_user(name, guilds=servers, roles=roles, owner=owner)
        self.people[user.id] = past = Past(Person(frozenset()))
        past.begin(Person(frozenset(s.id for s in servers), frozenset(r.id for r in roles)))
        past.heard()
        return user

    # -- places -----------------------------------------------------------------------------------------------------

    async def build(self, kinds: list[str]) -> None:
        """A place for each kind of asking."""
        for name in ("alice", "zoe"):
            await self.discord.install_for(self.app, self.users[name])
        for number, kind in enumerate(kinds):
            self.rooms.append(await self._room(number, kind))

    async def _room(self, number: int, kind: str) -> Room:
        look = ONLY.get(kind) or self.chance.choice(LOOKS)
        guild = {"elsewhere": self.elsewhere, "abroad": self.abroad}.get(look, self.main)
        guild = self.annex if "annex" in look else guild
        category = self.discord.add_category(f"category{number}", guild=guild) if look == "category" else None
        forum: Any = "forum" if kind == "post" else "text"
        channel = self.discord.add_channel(f"c{number}", guild=guild, kind=forum, category=category)
        room = Room(look, kind, channel, category)
        for who, allow in self._overrides(look):
            room.rules = Past(_ruled(room.rules.now, who, allow=allow))
            await self._override(room, who, allow=allow)
        if look == "adult":
            await self.discord.mark_nsfw(channel)
            room.rules = Past(replace(room.rules.now, adult=True))
        if kind == "quiet":
            await self._withdraw(room)
        return room

    def _overrides(self, look: str) -> Iterator[tuple[Role | User | App, bool]]:
        """Whom a channel is opened to and closed to."""
        team, chance = [self.users[name] for name in TEAM], self.chance
        guests = [self.users[name] for name in GUESTS]
        roles = [self.lead, self.crew, self.helper]
        if look in ("team", "invited", "adult"):
            yield from ((role, False) for role in (self.guest, self.visitor))
        if look == "invited":
            yield chance.choice(guests), True
        if look not in ("elsewhere", "abroad"):
            yield self.app, True
        if look in ("roles", "people", "mixed", "category", "closed annex"):
            yield self.discord.everyone(self.annex if look == "closed annex" else self.main), False
        if look in ("roles", "mixed", "category"):
            yield from ((role, chance.random() < 0.8) for role in chance.sample(roles, chance.randint(1, 2)))
        if look in ("people", "mixed", "category"):
            some = chance.sample([*team, *guests], chance.randint(1, 4))
            yield from ((user, look == "people" or chance.random() < 0.7) for user in some)
        if look == "closed annex":
            yield from ((role, chance.random() < 0.5) for role in (self.staff, self.temp))

    async def _withdraw(self, room: Room) -> None:
        """A private thread of some who see the channel."""
        who = self.seers(room)
        some = self.chance.sample(who, min(len(who), self.chance.randint(1, 3)))
        room.thread = await self.discord.start_thread(
            some[0], room.channel, "quiet", private=True, members=[*some, self.app]
        )
        room.inside = Past(frozenset(user.id for user in some))

    async def _override(self, room: Room, who: Role | User | App, *, allow: bool) -> None:
        given = {"allow": VIEW} if allow else {"deny": VIEW}
        await self.discord.permit(room.category or room.channel, who, **given)

    # -- changes --------------------------------------------------------------------------------------------------

    async def permit(self, room: Room, who: Role | User, *, allow: bool) -> None:
        """An override of a channel, or of its category."""
        async with self._hearing(room.rules, _ruled(room.rules.now, who, allow=allow)):
            await self._override(room, who, allow=allow)

    async def restrict(self, room: Room) -> None:
        """From now on it is for adults."""
        async with self._hearing(room.rules, replace(room.rules.now, adult=True)):
            await self.discord.mark_nsfw(room.channel)

    async def bring(self, room: Room, user: User) -> None:
        """Somebody more in a private thread."""
        assert room.thread is not None
        inviter = self.users["olga"]
        async with self._hearing(room.inside, room.inside.now | {user.id}):
            await self.discord.invite(inviter, room.thread, user)

    async def give(self, role: Role, user: User, act: Callable[[], Awaitable[Any]] | None = None) -> None:
        """A role for somebody; the app hears of it by what they do next, `act`."""
        person = self.people[user.id]
        async with self._hearing(person, replace(person.now, roles=person.now.roles | {role.id})):
            await self.discord.give(role, user)
            if act is not None:
                await act()

    async def dismiss(self, user: User, server: Guild) -> None:
        """Somebody leaves a server; the override that they have in a channel stays."""
        async with self._hearing(self.people[user.id], Person(frozenset())):
            await self.discord.kick(user, server)

    @asynccontextmanager
    async def _hearing(self, past: Past[V], value: V) -> AsyncIterator[None]:
        """What happens within is heard by the app at the end."""
        past.begin(value)
        yield
        await self.settle()
        past.heard()

    async def settle(self) -> None:
        """Wait until the app has taken all that it was told until now: it answers what comes after that."""
        while not (await self.type(self.users["olga"], self.fence)).acked:
            pass  # a busy machine is late
        await asyncio.sleep(UNDER_WAY)

    async def type(self, user: User, where: Channel) -> Outcome:
        """Begin a question, and be offered titles."""
        return await self.discord.autocomplete(user, where, "ask", "question", "title")

    # -- who sees what ----------------------------------------------------------------------------------------------

    def seers(self, room: Room) -> list[User]:
        """Who sees it now."""
        return [user for user in self.known if self.sees(user.id, room, time.time())]

    def is_mighty(self, user: User) -> bool:
        """Whether somebody sees everything."""
        return bool({user.id, *self.people[user.id].now.roles} & self.mighty)

    def sees(self, user: str, room: Room, at: float, *, inside: bool = False, now: Heard = (True, True)) -> bool:
        """Whether somebody sees a channel, or the private thread in it."""
        person = self.people[user].at(at, hearing=now[0])
        rules = room.rules.at(at, hearing=now[1])
        if room.channel.guild not in person.servers:
            return False
        if {user, *person.roles} & self.mighty:
            return True
        open_ = room.channel.guild != self.annex.id or bool(person.roles & self.seeing)
        open_ = rules.roles.get(room.channel.guild, open_)  # the role of all in a server has its id
        by_roles = {rules.roles[role] for role in person.roles if role in rules.roles}
        open_ = True in by_roles or (open_ and False not in by_roles)
        open_ = rules.people.get(user, open_)
        return open_ and (not inside or user in room.inside.at(at, hearing=now[1]))


def _ruled(rules: Rules, who: Role | User | App, *, allow: bool) -> Rules:
    """With one more override; those of apps say nothing of people."""
    if isinstance(who, Role):
        return replace(rules, roles={**rules.roles, who.id: allow})
    return replace(rules, people={**rules.people, who.id: allow}) if isinstance(who, User) else rules
