"""P14: whatever is asked and wherever, nobody reads in Discord what they may not read.

As `audience.py` has it: every document carries words that stand nowhere else, in its text, its title and its address.
Every payload the app sends is looked through. Channels, roles and people change while an answer is being written.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("discord")
pytest.importorskip("slack_bolt")  # the bot is read in as that for Slack
sys.path.insert(0, str(Path(__file__).parent))  # the tests are no package

import audience
from audience import AT_ONCE, Fact, Teller, hold, run_all, secrets
from discord_office import AGAIN, SHARE, TAKE, Office
from discord_town import GUESTS, TEAM, Room
from discord_world import World
from slack_office import bot_that_read

from citebot.testing.discord import Channel, FakeDiscord, Guild, Message, Outcome, Role, Shown, User
from citebot_connectors.platforms.discord.commands import ABOUT_NAME

KINDS = (
    *("ask", "ask", "private", "mention", "mention", "thread", "post", "quiet"),
    *("direct", "about", "share", "edit", "again", "carried", "demoted"),
)
IN_PUBLIC = ("ask", "mention", "thread", "post", "quiet", "share", "edit", "again")
LATER = ("share", "again")
"""Where it is the second answer in the middle of which something happens."""
CHANGES = (
    *("none", "none", "admit", "admit", "dismiss", "role", "role", "everyone"),
    *("demoted", "join", "leave", "grant", "adult"),
)


class Case(audience.Case):
    """One question in Discord."""

    def __init__(self, number: int, world: World, at_work: Office, teller: Teller) -> None:
        self.room: Room = world.rooms[number]
        super().__init__(number, world.facts, teller, self.room.place)
        self.world, self.office, self.discord = world, at_work, at_work.discord
        self.kind = self.room.kind
        self.change = self.chance.choice((*CHANGES, *(["bring"] * 4 if self.kind == "quiet" else [])))
        self.change = "none" if self.kind not in IN_PUBLIC or self.room.look == "elsewhere" else self.change
        self.may, self.shown = 0, 0
        """Documents that were asked for and may be shown, and those that were."""

    @property
    def question(self) -> str:
        self.asked = super().question
        return self.asked

    async def run(self) -> None:
        asker = await self._asker()
        if self.kind not in LATER:
            self.disturb()
        match self.kind:
            case "ask" | "again":
                await self.commanded(asker)
            case "private" | "share":
                await self.private(asker)
            case "mention" | "edit" | "thread" | "post" | "quiet":
                await self.mentioned(asker)
            case "direct":
                await self.told(await self.discord.say(asker, self.world.app, self.question), asker)
            case "about":
                await self.about(asker)
            case "carried":
                await self.command(asker, private=False)
            case "demoted":
                await self.command(self.new, private=True)
                await self.world.give(self._guest, self.new)
                await self.command(self.new, private=True)

    def disturb(self) -> None:
        """If something is to happen, then in the middle of the next answer."""
        if self.change != "none":
            self.hold_up()

    async def _asker(self) -> User:
        """Whoever can ask there; whoever sees everything only where nobody else does."""
        if self.kind == "direct":
            return self.chance.choice([*self.world.known, *self.world.strangers])
        there = self.world.seers(self.room)
        if self.room.thread is not None:
            there = [user for user in there if user.id in self.room.inside.now]
        if "demoted" in (self.kind, self.change) or self.change == "leave":  # who see it by their own override
            self.new = self.world.add(f"t{self.name}", (self._server,))
            await self.world.permit(self.room, self.new, allow=True)
        return self.chance.choice([user for user in there if not self.world.is_mighty(user)] or there)

    # -- asking ---------------------------------------------------------------------------------------------------

    async def command(self, asker: User, *, private: bool) -> tuple[Outcome, Shown | None]:
        """`/ask`, after a look at what titles are offered; no answer where none may be."""
        await self.world.type(asker, self.room.channel)
        options = {"question": self.question, "private": private}
        outcome = await self.discord.command(asker, self._where, "ask", options)
        if outcome.kind != "deferred":
            return outcome, None
        return outcome, await self.told(outcome, asker, alone=private or self.kind == "carried")

    @property
    def _server(self) -> Guild:
        return self.discord.world.guilds[self.room.channel.guild]

    @property
    def _guest(self) -> Role:
        return self.world.temp if self._server is self.world.annex else self.world.guest

    @property
    def _where(self) -> Channel:
        return self.room.thread or self.room.channel

    async def commanded(self, asker: User) -> None:
        outcome, answer = await self.command(asker, private=False)
        if answer is None:
            return
        if self.kind == "ask":
            await self.take(asker, self.discord.follow_ups(outcome))
            return
        self.disturb()
        await self.told(await self.discord.click(asker, answer, AGAIN), asker)

    async def private(self, asker: User) -> None:
        _, answer = await self.command(asker, private=True)
        if self.kind == "private" or answer is None or answer.element(SHARE) is None:
            return
        self.disturb()
        await self.discord.click(asker, answer, SHARE)

        def root() -> Any:
            ours = [m for m in self._where.messages.values() if m.author == self.world.app.bot.id and not m.only_for]
            return next((m for m in ours if self.asked.split(":")[0] in str(m.components) + m.content), None)

        await self.told(await self.discord.until(root, timeout=60), asker)

    async def mentioned(self, asker: User) -> None:
        """In a channel, a thread of it, a forum post or a private thread."""
        text = f"{self.world.app.mention} {self.question}"
        if self.kind == "post":
            post = await self.discord.post(asker, self.room.channel, "Good morning", text)
            question = post.messages[post.id]
        else:
            where = await self._threaded(asker) if self.kind == "thread" else self._where
            question = await self.discord.say(asker, where, text)
        if self.room.look == "adult":
            return
        await self.told(question, asker)
        if self.kind == "edit" and self._still(asker):
            await self.edited(asker, question)
        direct = self.discord.direct(asker, self.world.app)
        await self.take(asker, [m for m in self.discord.messages(direct) if self._offers(m, question)])

    async def _threaded(self, asker: User) -> Channel:
        root = await self.discord.say(self.chance.choice(self.world.seers(self.room)), self.room.channel, "Morning.")
        return await self.discord.start_thread(asker, root, "thread")

    @staticmethod
    def _offers(shown: Shown, question: Message) -> bool:
        taking = shown.element(TAKE)
        return taking is not None and str(taking["custom_id"]).endswith(f":{question.id}")

    async def about(self, asker: User) -> None:
        talk = self.room.channel if self.room.channel.kind == "text" else self._where
        said = await self.discord.say(self.chance.choice(self.world.seers(self.room)), talk, self.question)
        async with self.world.modals:  # a person has one open at a time
            if self.room.rules.now.adult:
                await self.discord.context_menu(asker, ABOUT_NAME, said)
                assert not self.discord.modal(asker)
                return
            while not self.discord.modal(asker):  # a busy machine may be late, then they try again
                await self.discord.context_menu(asker, ABOUT_NAME, said)
            modal = self.discord.modal(asker)
            assert modal is not None
            outcome = await self.discord.submit(asker, modal)
        await self.told(outcome, asker, alone=True)

    async def edited(self, asker: User, question: Message) -> None:
        before = {shown.id for shown in self.office.complete(question)}
        await self.discord.edit(asker, question, f"{self.world.app.mention} {self.question}")
        await self.office.answered(question, anew=lambda shown: shown.id not in before)

    async def take(self, asker: User, offers: list[Shown]) -> None:
        """Who is offered an answer for themselves takes it."""
        offer = next((one for one in offers if one.element(TAKE)), None)
        if offer is None or not self._still(asker):
            return
        self.offers += 1
        await self.told(await self.discord.click(asker, offer, TAKE), asker, alone=True)

    def _still(self, asker: User) -> bool:
        return self.world.sees(asker.id, self.room, time.time()) and not self.room.rules.now.adult

    # -- what is shown --------------------------------------------------------------------------------------------

    async def told(self, asked: Message | Outcome, asker: User, *, alone: bool = False) -> Shown:
        """The answer, in the middle of which something happens; and how much of it could be shown."""
        answer = await self.meanwhile(self.office.answered(asked))
        self.teller.gates.pop(self.name, None)
        names, user = self.asked.replace(",", "").split(), asker.id if alone else ""
        may = {
            fact.number for fact in self.facts if f"code{fact.number}" in names and self._expected(fact, answer, user)
        }
        self.may += len(may)
        self.shown += len(may & secrets(answer.text))
        return answer

    def _expected(self, fact: Fact, answer: Shown, user: str) -> bool:
        """Whether a document belongs into an answer; what is marked for a place is shown there alone."""
        marks = [one for one in fact.readers if one.startswith("channel:")]
        elsewhere = marks and (bool(user) or marks != [self.room.mark])
        return not elsewhere and self.world.may_stand(fact, answer.channel, user, time.time())

    async def changes(self) -> None:
        world, room, chance = self.world, self.room, self.chance
        people = [world.users[name] for name in (*TEAM, *GUESTS)]
        roles = [world.lead, world.crew, world.helper, world.guest, world.visitor]
        annex = self._server is world.annex
        match self.change:
            case "admit" | "dismiss":
                await world.permit(room, chance.choice(people), allow=self.change == "admit")
            case "role":
                role = chance.choice([world.staff, world.temp] if annex else roles)
                await world.permit(room, role, allow=chance.random() < 0.7)
            case "everyone":
                everyone = self.discord.everyone(self._server)
                await world.permit(room, everyone, allow=chance.random() < 0.7)
            case "demoted":
                await world.give(self._guest, self.new, lambda: world.type(self.new, room.channel))
            case "leave":
                await world.dismiss(self.new, self._server)
            case "join":
                world.add(f"t{self.name}", (self._server,))
            case "grant":
                new = world.add(f"t{self.name}", (self._server,))
                await world.give(world.staff if annex else world.crew, new)
            case "bring":
                await world.bring(room, chance.choice(world.seers(room)))
            case "adult":
                await world.restrict(room)


# --- the promise ---------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.timeout(1800)
async def test_p14_nobody_reads_in_discord_what_they_may_not_read(
    tmp_path: Path, count: Callable[[int, int], int]
) -> None:
    cases, chance = count(60, 1000), random.Random(14)
    async with FakeDiscord(rates=False) as discord:
        world, teller = World(discord, chance), Teller()
        await world.furnish([chance.choice(KINDS) for _ in range(cases)])
        rows = [fact.row(chance) for fact in world.facts]
        given: dict[str, Any] = {"access__groups": world.groups, "delivery__workers": AT_ONCE}
        async with bot_that_read(tmp_path, rows, teller, **given) as bot:
            at_work = Office(discord, world.app, bot, **world.settings)
            async with at_work.working():
                await world.settle()
                made = [Case(number, world, at_work, teller) for number in range(cases)]
                unfinished = await run_all(made)
            may, shown = sum(case.may for case in made), sum(case.shown for case in made)
            print(f"{may} documents that were asked for could be shown, {shown} were")
            hold(world, discord.sent, made, unfinished)
            assert shown > 0.7 * may
