"""Who may read what in `discord_town.py`: decided once more, and where the payloads go.

While the app hears of a change both may be shown, what was and what is.
"""

from __future__ import annotations

import random
from typing import Any

from audience import Fact, Truth, make_facts
from discord_town import GUESTS, TEAM, Heard, Room, Town

from citebot.testing.discord import FakeDiscord
from citebot.testing.discord.core import Sent

EPHEMERAL, REFUSED = 1 << 6, 300
FIRST = "create_interaction_response"
SAID = (4, 5)
"""Kinds of first answers to an interaction that others than its user may see."""
UNNAMED = ("erik", "fay")
"""Whom lists of readers call by their ids in Discord."""


class World(Town, Truth[Sent]):
    """The town, and documents for people and places in it."""

    def __init__(self, discord: FakeDiscord, chance: random.Random) -> None:
        super().__init__(discord, chance)
        self.called = self._name()
        self.groups = self._group()
        self._by_id: dict[str, Room] = {}

    async def furnish(self, kinds: list[str]) -> None:
        """Places for these kinds of asking, and the documents."""
        await self.build(kinds)
        for room in self.rooms:
            self._by_id |= {room.channel.id: room, room.place: room}
        marks = [room.mark for room in self.rooms if room.thread or self.chance.random() < 0.15]
        people = {self.called.get(self.users[name].id, self.users[name].id) for name in (*TEAM, *GUESTS)}
        self.facts = make_facts(self.chance, people=people, groups=self.groups, places=marks)

    def _name(self) -> dict[str, str]:
        """The setting `people`."""
        named = [*(one for one in TEAM if one not in UNNAMED), *GUESTS, "olga"]
        return {self.users[name].id: f"{name}@example.com" for name in named}

    def _group(self) -> dict[str, list[str]]:
        """The setting `access.groups`; the owner of the servers is in all but one, so no channel reads that."""
        called, ada, olga = self.called, [self.users["ada"].id, f"role:{self.admin.id}"], "olga@example.com"
        alice, bob, carol, dan, gina = (called[self.users[n].id] for n in ("alice", "bob", "carol", "dan", "gina"))
        return {
            "board": [alice, carol, f"role:{self.lead.id}", *ada, olga],
            "crew": [alice, bob, dan, gina, f"role:{self.crew.id}", f"role:{self.staff.id}", *ada, olga],
            "eng": [bob, carol, self.users["erik"].id, f"role:{self.helper.id}", *ada],
        }

    @property
    def settings(self) -> dict[str, Any]:
        """Of the platform."""
        return {
            "guilds": [self.main.id, self.annex.id],
            "guest_roles": sorted(self.guests),
            "people": self.called,
        }

    # -- who may read what ------------------------------------------------------------------------------------------

    def may_read(self, user: str, fact: Fact, at: float, *, now: Heard) -> bool:
        """Whether one person may."""
        person = self.people[user].at(at, hearing=now[0])
        name = self.called.get(user, user)
        names = {name, *(f"role:{role}" for role in person.roles)}
        mine = {f"person:{name}", *(f"group:{group}" for group, listed in self.groups.items() if names & {*listed})}
        if person.servers & {self.main.id, self.annex.id} and not person.roles & self.guests:
            mine.add("everyone")
        if mine & {*fact.readers}:
            return True
        marked = [self._by_id[one.rpartition(":")[2]] for one in fact.readers if one.startswith("channel:")]
        return any(self.sees(user, room, at, inside=room.thread is not None, now=now) for room in marked)

    def may_stand(self, fact: Fact, channel: str, user: str, at: float) -> bool:
        both = (False, True)
        return any(self._may_stand(fact, channel, user, at, (people, places)) for people in both for places in both)

    def _may_stand(self, fact: Fact, channel: str, user: str, at: float, now: Heard) -> bool:
        place = self.discord.world.channels[channel]
        if user or place.kind == "dm":
            readers = [user] if user else [one for one in place.recipients if one != self.app.bot.id]
            return all(self.may_read(one, fact, at, now=now) for one in readers)
        room = self._by_id[place.id if place.id in self._by_id else place.parent]
        if room.rules.at(at, hearing=now[1]).adult:
            return False
        inside = place.kind == "private_thread"
        readers = [one for one in self.people if self.sees(one, room, at, inside=inside, now=now)]
        return all(self.may_read(one, fact, at, now=now) for one in readers)

    # -- where payloads go ----------------------------------------------------------------------------------------

    def place_of(self, sent: Sent) -> tuple[str, str]:
        kind, _, *rest = sent.path.strip("/").split("/")
        if kind == "channels":
            return sent.path.split("/")[2], ""
        if kind not in ("interactions", "webhooks"):
            return "", ""
        begun = self.discord.world.interactions[rest[0]]
        data = sent.result if sent.method != FIRST else sent.args.get("data") or {}
        hidden = int(data.get("flags") or 0) & EPHEMERAL or (sent.method == FIRST and sent.args["type"] not in SAID)
        # What Discord refuses nobody sees; it was for whoever had asked.
        return begun.channel.id, begun.user if hidden or sent.status >= REFUSED else ""
