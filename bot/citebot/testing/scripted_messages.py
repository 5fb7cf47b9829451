"""A chat service in memory that shows messages, with as little or as much as a test asks for."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from citebot.errors import CannotShow, CitebotError, StreamEnded
from citebot.model import Conversation, Person
from citebot.ports import Capabilities, Desk, Inbound, Message, NoSettings, Outbound, PartContext

ALICE = Person("alice", "Alice")


@dataclass(slots=True)
class Posted:
    """One visible message."""

    to: Outbound
    key: str
    text: str
    growing: bool = False
    titles: list[str] = field(default_factory=list)
    """Of the documents it names."""


class ScriptedMessages:
    """Platform `messages`: plain lines. `refuse` makes calls raise, `lose` makes a sent message's answer get lost."""

    name: ClassVar[str] = "messages"
    summary: ClassVar[str] = "Messages in memory, for tests."
    Settings: ClassVar[type[NoSettings]] = NoSettings
    capabilities: Capabilities = Capabilities(text_limit=400, edits_per_second=1_000.0)

    def __init__(self, capabilities: Capabilities | None = None) -> None:
        self.settings = NoSettings()
        self.context = PartContext(data_dir=Path())
        if capabilities is not None:
            self.capabilities = capabilities
        self.posted: dict[str, Posted] = {}
        """Visible messages by id, in their order."""
        self.calls: list[str] = []
        """What was asked of the service, in order."""
        self._refusals: dict[str, list[CitebotError]] = {}
        self._lost: list[CitebotError] = []
        self._ids = 0
        self._desk: asyncio.Future[Desk] = asyncio.get_running_loop().create_future()

    # -- for tests ------------------------------------------------------------------------------------------------

    def refuse(self, method: str, *errors: CitebotError) -> None:
        """Make the next calls of a method raise, each its error."""
        self._refusals.setdefault(method, []).extend(errors)

    def lose(self, error: CitebotError) -> None:
        """Send the next message, but raise instead of saying so."""
        self._lost.append(error)

    def texts(self) -> list[str]:
        """What is to be read."""
        return [posted.text for posted in self.posted.values()]

    async def ask(self, text: str, *, message: str) -> Inbound:
        """Deliver a question; returns once it is acknowledged."""
        desk = await self._desk
        inbound = Inbound(message, message, Conversation(platform=self.name, id="dm"), ALICE, text)
        await desk.accept(inbound)
        return inbound

    # -- the port -------------------------------------------------------------------------------------------------

    async def run(self, desk: Desk) -> None:
        self._desk.set_result(desk)
        await asyncio.get_running_loop().create_future()

    async def seen_by(self, conversation: Conversation, asker: Person) -> frozenset[Person] | None:
        return frozenset({asker}) if conversation.platform == self.name else None

    async def post(self, to: Outbound, message: Message, *, key: str) -> str:
        self._called("post")
        return self._add(to, key, message)

    async def edit(self, to: Outbound, message_id: str, message: Message) -> None:
        self._called("edit")
        if not self.capabilities.edit:
            raise CannotShow("Messages cannot be edited here.")
        self._draw(self.posted[message_id], message)

    async def remove(self, to: Outbound, message_id: str) -> None:
        self._called("remove")
        self.posted.pop(message_id, None)

    async def find(self, to: Outbound, *, key: str) -> str | None:
        self._called("find")
        return next((name for name, posted in self.posted.items() if posted.key == key), None)

    async def begin_stream(self, to: Outbound, *, key: str) -> str:
        self._called("begin_stream")
        return self._add(to, key, Message(""), growing=True)

    async def extend_stream(self, to: Outbound, message_id: str, text: str) -> None:
        self._called("extend_stream")
        self._growing(message_id).text += text

    async def end_stream(self, to: Outbound, message_id: str, message: Message) -> None:
        self._called("end_stream")
        posted = self._growing(message_id)
        posted.growing = False
        posted.titles = _titles(message)

    def _growing(self, message_id: str) -> Posted:
        posted = self.posted[message_id]
        if not posted.growing:
            raise StreamEnded("The message does not grow any more.")
        return posted

    def _add(self, to: Outbound, key: str, message: Message, *, growing: bool = False) -> str:
        self._ids += 1
        name = f"m{self._ids}"
        self.posted[name] = Posted(to, key, "", growing)
        self._draw(self.posted[name], message)
        if self._lost:
            raise self._lost.pop(0)
        return name

    def _draw(self, posted: Posted, message: Message) -> None:
        if len(message.text) > self.capabilities.text_limit:
            raise CannotShow("The message is too long.")
        posted.text = message.text or message.status
        posted.titles = _titles(message)

    def _called(self, method: str) -> None:
        self.calls.append(method)
        if errors := self._refusals.get(method):
            raise errors.pop(0)


def _titles(message: Message) -> list[str]:
    citations = message.answer.citations if message.answer else message.citations
    return [citation.passage.title for citation in citations]
