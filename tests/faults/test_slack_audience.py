"""P14: whatever is asked and wherever, nobody reads in Slack what they may not read.

As `audience.py` has it: every document carries words that stand nowhere else, in its text, its title and its address.
Every payload the app sends is looked through. Channels change while an answer is being written.
"""

from __future__ import annotations

import asyncio
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("slack_bolt")
sys.path.insert(0, str(Path(__file__).parent))  # the tests are no package

import audience
from audience import AT_ONCE, Fact, Teller, Truth, hold, make_facts, run_all
from slack_office import FEEDBACK, Office, add_app, office

from citebot.testing.slack import Channel, FakeSlack, Message, User
from citebot.testing.slack.core import Sent
from citebot.testing.slack.events import announce
from citebot_connectors.platforms.slack.manifest import SHORTCUT
from citebot_connectors.platforms.slack.private import ALONE, SHARE

GROUPS = {"board": ("alice", "carol"), "crew": ("alice", "bob", "dan", "gina"), "eng": ("bob", "carol", "erik")}
KINDS = ("mention", "mention", "thread", "direct", "command", "shortcut", "share", "edit")
CHANGES = ("none", "none", "join", "leave", "guest", "shared")


class World(Truth[Sent]):
    """People, channels and documents; and what each of them may read, at any moment."""

    def __init__(self, slack: FakeSlack, chance: random.Random, cases: int) -> None:
        self.slack, self.chance = slack, chance
        self.modals = asyncio.Lock()
        self.partner = slack.add_workspace("Partner")
        self.team = {name: slack.add_user(name) for name in ("alice", "bob", "carol", "dan", "erik", "fay")}
        self.team["gina"] = slack.add_user("gina", guest="single")
        self.team["hugo"] = slack.add_user("hugo", guest="multi")
        # One of them is called like a member of the board and has her address.
        self.strangers = {name: slack.add_user(name, workspace=self.partner) for name in ("alice", "pat")}
        self.app = add_app(slack)
        self.channels = [self._channel(number) for number in range(cases)]
        self.history = {channel.id: [(0.0, self._people(channel))] for channel in self.channels}
        self.guests = {user.id: [(0.0, user.is_restricted)] for user in self.team.values()}
        own = [f"channel:slack:{slack.workspace.id}:{c.id}" for c in self.channels if chance.random() < 0.1]
        people = {f"{name}@example.com" for name in self.team}
        self.facts = make_facts(chance, people=people, groups=GROUPS, places=own)

    def _channel(self, number: int) -> Channel:
        kind = self.chance.choice(("public", "public", "private", "private", "shared"))
        members: list[Any] = [u for u in self.team.values() if self.chance.random() < 0.35] or [self.team["bob"]]
        members += self.strangers.values() if kind == "shared" else []
        shared = [self.partner] if kind == "shared" else []
        return self.slack.add_channel(f"c{number}", [*members, self.app], private=kind == "private", shared_with=shared)

    def _people(self, channel: Channel) -> frozenset[str]:
        """Whoever reads there now; in a public channel also anybody else in the team."""
        people = {key for key in channel.members if not self.slack.world.users[key].app_id}
        return frozenset(people | ({"anybody"} if channel.kind == "public" and not channel.shared_with else set()))

    # -- changes --------------------------------------------------------------------------------------------------

    def note(self, channel: Channel) -> None:
        """The app has heard who is in a channel now."""
        self.history[channel.id].append((time.time(), self._people(channel)))

    def note_guest(self, user: User) -> None:
        self.guests[user.id].append((time.time(), user.is_restricted))

    # -- who may read what ----------------------------------------------------------------------------------------

    def may_read(self, user: str, fact: Fact, at: float) -> bool:
        """Whether one person may."""
        if user == "anybody":
            return "everyone" in fact.readers
        person = self.slack.world.users[user]
        places = [r.rpartition(":")[2] for r in fact.readers if r.startswith("channel:")]
        if any(user in then for place in places for then in self.then(place, at)):
            return True
        if person.team != self.slack.workspace.id:
            return False
        member = any(not guest for guest in _then(self.guests.get(user, [(0.0, False)]), at))
        groups = [f"group:{name}" for name, people in GROUPS.items() if person.name in people]
        mine = {f"person:{person.email}", *groups, *(["everyone"] if member else [])}
        return bool(mine & set(fact.readers))

    def then(self, channel: str, at: float) -> list[frozenset[str]]:
        """Who was there at a moment; two answers while the app is hearing of a change."""
        return _then(self.history.get(channel, []), at)

    def place_of(self, sent: Sent) -> tuple[str, str]:
        if sent.method == "response_url":
            only = "" if sent.args.get("response_type") == "in_channel" else sent.place[1]
            return sent.place[0], only
        channel = str(sent.args.get("channel") or sent.args.get("channel_id") or sent.args.get("user_id") or "")
        return channel, str(sent.args.get("user") or "") if sent.method == "chat.postEphemeral" else ""

    def may_stand(self, fact: Fact, channel: str, user: str, at: float) -> bool:
        if user or channel.startswith("U"):
            return self.may_read(user or channel, fact, at)
        place = self.slack.world.channels[channel]
        if place.kind == "im":
            return all(self.may_read(key, fact, at) for key in self._people(place))
        if f"channel:slack:{self.slack.workspace.id}:{channel}" in fact.readers:
            return True
        return any(all(self.may_read(key, fact, at) for key in people) for people in self.then(channel, at))


def _then(history: list[tuple[float, Any]], at: float) -> list[Any]:
    """The value at a moment, and the one that began within it."""
    before = [value for since, value in history if since <= at]
    soon = [value for since, value in history if at < since <= at + 0.5]
    return [*before[-1:], *soon[:1]]


# --- one case ------------------------------------------------------------------------------------------------------


class Case(audience.Case):
    """One question in Slack."""

    def __init__(self, number: int, world: World, at_work: Office, teller: Teller) -> None:
        self.channel = world.channels[number]
        super().__init__(number, world.facts, teller, self.channel.id)
        self.world, self.office, self.slack = world, at_work, at_work.slack
        present = [self.slack.world.users[key] for key in self.channel.members]
        self.people = [user for user in present if not user.app_id]
        self.team = [user for user in self.people if user.team == self.slack.workspace.id]
        self.kind = self.chance.choice(KINDS if self.team else ("mention", "thread", "edit"))
        self.change = self.chance.choice(CHANGES) if self.kind in ("mention", "thread", "share", "edit") else "none"

    async def run(self) -> None:
        asker = self.chance.choice(
            self.team if self.kind in ("direct", "command", "shortcut", "share") else self.people
        )
        if self.change != "none":
            self.hold_up()
        match self.kind:
            case "mention" | "edit":
                question = await self.office.ask(asker, self.channel, self.question)
                await self.watched(question)
                if self.kind == "edit":
                    await self.edited(asker, question)
                await self.taken_alone(asker, question)
            case "thread":
                root = await self.slack.say(self.chance.choice(self.people), self.channel, "Good morning.")
                question = await self.office.ask(asker, self.channel, self.question, thread_ts=root.ts)
                await self.watched(question)
                await self.taken_alone(asker, question)
            case "direct":
                await self.office.answer(
                    await self.office.ask(asker, self.slack.direct(asker, self.world.app), self.question)
                )
            case "command":
                await self.privately(asker)
            case "shortcut":
                said = await self.slack.say(self.chance.choice(self.people), self.channel, self.question)
                async with self.world.modals:  # a person has one open at a time
                    while not self.slack.modal(asker):  # a busy machine may be late, then they try again
                        await self.slack.shortcut(asker, SHORTCUT, said)
                    while modal := self.slack.modal(asker):
                        await self.slack.submit(asker, modal)
                await self.whisper(asker)
            case "share":
                await self.shared(asker)

    async def privately(self, asker: User) -> Any:
        await self.slack.command(asker, self.channel, f"/ask {self.question}")
        return await self.whisper(asker)

    async def whisper(self, asker: User) -> Any:
        def found() -> Any:
            return [shown for shown in self.office.whispered(asker, self.channel) if shown.element(FEEDBACK)]

        return (await self.slack.until(found, timeout=90))[-1]

    async def shared(self, asker: User) -> None:
        gate = self.teller.gates.pop(self.name, None)
        private = await self.privately(asker)
        if private.element(SHARE) is None:
            return
        if gate:
            self.teller.gates[self.name] = gate
        await self.slack.click(asker, private, SHARE)

        def root() -> Message | None:
            mine = [m for m in self.channel.messages.values() if m.app_id and not m.only_for and not m.thread_ts]
            return mine[0] if mine else None

        await self.watched(await self.slack.until(root, timeout=30))

    async def watched(self, question: Message) -> None:
        """Wait for the answer; in the middle of it the channel changes."""
        await self.meanwhile(self.office.answer(question, timeout=90))

    async def changes(self) -> None:
        others = [user for user in self.world.team.values() if user not in self.people]
        match self.change:
            case "join" if others:
                new = self.chance.choice(others)
                await self.slack.invite(self.people[0], self.channel, new)
            case "leave" if len(self.people) > 1:
                await self.slack.leave(self.people[-1], self.channel)
            case "guest":
                user = self.slack.add_user(f"t{self.name}")
                self.world.guests[user.id] = [(0.0, False)]
                await self.slack.invite(self.people[0], self.channel, user)
                await self.heard()
                user.is_restricted = True
                announce(self.slack.core, {"type": "user_change", "user": {"id": user.id}}, team=user.team)
                await self.heard()
                self.world.note_guest(user)
            case "shared":
                self.channel.shared_with = {self.world.partner.id}
                self.channel.members.append(self.world.strangers["alice"].id)
                announce(self.slack.core, {"type": "channel_shared", "channel": self.channel.id}, channel=self.channel)
        await self.heard()
        self.world.note(self.channel)

    async def heard(self) -> None:
        """Wait until the app has taken every event about the channel."""

        def quiet() -> bool:
            mine = [d for d in self.slack.deliveries if self.channel.id in str(d.body) or "user_change" in str(d.body)]
            return all(delivery.over for delivery in mine)

        await self.slack.until(quiet, timeout=60)

    async def edited(self, asker: User, question: Message) -> None:
        before = {shown.ts for shown in self.office.complete(question)}
        if asker.id not in self.channel.members:
            return
        self.teller.gates.pop(self.name, None)
        await self.slack.edit(asker, question, f"{self.world.app.mention} {self.question}")

        def anew() -> bool:
            now = {shown.ts for shown in self.office.complete(question)}
            return bool(now) and not now & before

        await self.slack.until(anew, timeout=90)

    async def taken_alone(self, asker: User, question: Message) -> None:
        """Who is offered an answer for themselves takes it."""
        offers = [m for m in self.office.whispered(asker, self.channel) if m.element(ALONE)]
        if not offers or asker.id not in self.channel.members:
            return
        self.offers += 1
        await self.slack.click(asker, offers[-1], ALONE)
        await self.whisper(asker)


# --- the promise ---------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.timeout(1800)
async def test_p14_nobody_reads_in_slack_what_they_may_not_read(
    tmp_path: Path, count: Callable[[int, int], int]
) -> None:
    cases, chance = count(60, 1000), random.Random(14)
    # Nobody clicks faster than people do, also where the machine is slow.
    async with FakeSlack(speed=20, rates=False) as slack:
        world, teller = World(slack, chance, cases), Teller()
        groups = {name: [f"{person}@example.com" for person in people] for name, people in GROUPS.items()}
        rows = [fact.row(chance) for fact in world.facts]
        async with office(
            slack, world.app, tmp_path, rows, teller, access__groups=groups, delivery__workers=AT_ONCE
        ) as at_work:
            made = [Case(number, world, at_work, teller) for number in range(cases)]
            unfinished = await run_all(made)
            hold(world, slack.sent, made, unfinished)
