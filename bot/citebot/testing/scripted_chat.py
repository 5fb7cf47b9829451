"""A place where people talk, without a platform: for what `citebot.conversing` makes of what is said there."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from citebot.conversing import ENGLISH, LANGUAGES, of_language
from citebot.conversing.chat import Markup, Said, Us
from citebot.conversing.people import Member, People, Place
from citebot.conversing.reception import Reception
from citebot.conversing.tasks import Tasks
from citebot.conversing.threads import Threads
from citebot.errors import CannotShow
from citebot.model import Attachment, Conversation, Person
from citebot.testing.scripted_desk import ScriptedDesk

US = "citebot"
MARKUP = Markup(
    plain=lambda text: text.replace("*", "\\*"),
    quoted=lambda text: text.replace("*", "\\*"),
    strong=lambda text: f"**{text}**",
    mention=lambda account: f"@{account}",
)


class ScriptedChat:
    """Channels with their readers; whoever is in none is unknown. `say` returns what would be heard."""

    kinds: Sequence[str] = ("channel",)

    def __init__(self, channels: Mapping[str, Sequence[str]], places: Mapping[str, Place] | None = None) -> None:
        self.channels = {name: list(accounts) for name, accounts in channels.items()}
        self.known = {name: Place("public") for name in channels} | dict(places or {})
        self.messages: list[Said] = []
        self.tasks = Tasks()
        self.time = 0.0
        self.told: list[tuple[str, str]] = []
        """To whom alone, and what."""
        self.withdrawn: list[str] = []
        self.asked: list[str] = []
        self.looked_up: list[str] = []
        """Every question to the directory."""
        self.locale = ""
        self.hidden: set[str] = set()
        """Channels whose messages we may not read."""

    def say(self, author: str, text: str, *, channel: str = "general", **more: Any) -> Said:
        """Somebody says something, a second after what was said before."""
        self.time += 1.0
        id = str(len(self.messages) + 1)
        said = Said(channel, id, self.time, author, text, ours=author == US, **more)
        self.messages.append(said)
        return said

    def edit(self, said: Said, text: str) -> Said:
        """Somebody says it otherwise."""
        now = replace(said, text=text, edited=f"{said.edited}e")
        self.messages = [now if one.id == said.id else one for one in self.messages]
        return now

    def reception(self, desk: ScriptedDesk) -> Reception:
        """All that deals with people there."""
        return Reception(
            platform="scripted",
            desk=desk,
            chat=self,
            markup=MARKUP,
            people=People(self, clock=lambda: 0.0),
            threads=Threads(self.thread),
            texts_of=texts_in,
            now=lambda: datetime.now(UTC),
            spawn=self.tasks.spawn,
            command="/ask",
        )

    async def settle(self) -> None:
        """Wait for what was spawned."""
        await self.tasks.settle()

    # -- `Chat` ---------------------------------------------------------------------------------------------------

    async def us(self) -> Us:
        return Us(US, "team", f"@{US}")

    async def thread(self, channel: str, thread: str) -> Sequence[Said]:
        if channel in self.hidden:
            raise CannotShow("Not ours to read.")
        return [one for one in self.messages if one.channel == channel and one.root == thread]

    async def attached(self, question: str, files: Sequence[Any]) -> tuple[tuple[Attachment, ...], tuple[str, ...]]:
        return (), tuple(str(file) for file in files)

    def asked_by(self, said: Said) -> None:
        self.asked.append(said.author)

    async def post(self, channel: str, text: str) -> str:
        return self.say(US, text, channel=channel).id

    async def tell(self, said: Said, text: str) -> None:
        self.told.append((said.author, text))

    async def withdraw(self, said: Said) -> None:
        self.withdrawn.append(said.id)

    # -- `Directory` ----------------------------------------------------------------------------------------------

    async def member(self, account: str) -> Member:
        self.looked_up.append(account)
        return self._member(account)

    async def members(self) -> AsyncIterator[Member]:
        self.looked_up.append("everybody")
        for account in sorted({one for accounts in self.channels.values() for one in accounts}):
            yield self._member(account)

    async def place(self, channel: str) -> Place:
        if channel not in self.known:
            raise CannotShow("There is no such channel.")
        return self.known[channel]

    async def readers(self, channel: str) -> AsyncIterator[str]:
        for account in self.channels[channel]:
            yield account

    def is_alone(self, conversation: Conversation) -> bool:
        return conversation.visibility == "dm"

    def _member(self, account: str) -> Member:
        if not any(account in accounts for accounts in self.channels.values()):
            raise CannotShow("Nobody is called so.")
        person = Person(f"{account}@example.com", account.title(), guest=account.startswith("guest"))
        return Member(account, person, account.title(), self.locale, reads=not account.startswith("robot"))

    # -- `Archive` ------------------------------------------------------------------------------------------------

    async def places(self, kind: str, cursor: str) -> tuple[Sequence[str], str]:
        """One in a page."""
        names = [*self.channels]
        number = int(cursor or 0)
        return names[number : number + 1], str(number + 1) if number + 1 < len(names) else ""

    async def said(self, channel: str, kind: str, *, since: float, cursor: str) -> tuple[Sequence[Said], str]:
        if channel in self.hidden:
            raise CannotShow("Not ours to read.")
        here = [one for one in self.messages if one.channel == channel]
        last = {one.root: one.at for one in here if one.thread}
        roots = [one for one in here if one.root == one.id and max(one.at, last.get(one.id, 0)) > since]
        return [replace(one, last_reply=last.get(one.id, 0.0)) for one in reversed(roots)], ""


def texts_in(locale: str) -> Any:
    """The texts of a locale."""
    return of_language(locale, LANGUAGES) if locale else ENGLISH
