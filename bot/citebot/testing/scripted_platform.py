"""A platform in memory: tests say what people ask and read what they were shown."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from citebot.errors import CitebotError
from citebot.model import Answer, Citation, Conversation, Person, Status, Turn, Visibility
from citebot.ports import Actor, Capabilities, Desk, Inbound, NoSettings, Outbound, PartContext, Role

ALICE = Person("alice", "Alice")


@dataclass(slots=True)
class Shown:
    """One visible message: the answer to one question."""

    to: Outbound
    text: str = ""
    citations: list[Citation] = field(default_factory=list)
    statuses: list[Status] = field(default_factory=list)
    answer: Answer | None = None
    notice: str = ""
    opened: int = 0
    """How many times somebody began to write it."""
    sends: int = 0
    """How many times something visible changed."""
    ended: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(slots=True)
class _Trouble:
    error: Exception | None
    gate: asyncio.Event | None
    times: int


class ScriptedPlatform:
    """Platform `scripted`. Give it to the code under test, then `ask` and look at `shown`.

    `fail("append", PlatformDown())` makes the next `append` raise, `stall("finish")` makes it wait for the returned
    event; the names are those of the port: `open_answer`, `status`, `append`, `finish`, `abort`. A subclass may set
    other `capabilities`.
    """

    name: ClassVar[str] = "scripted"
    summary: ClassVar[str] = "Questions and answers in memory, for tests."
    Settings: ClassVar[type[NoSettings]] = NoSettings
    capabilities: ClassVar[Capabilities] = Capabilities(
        stream=True, edit=True, threads=True, buttons=True, private_answers=True
    )

    def __init__(self, settings: NoSettings | None = None, context: PartContext | None = None) -> None:
        self.settings = settings or NoSettings()
        self.context = context or PartContext(data_dir=Path())
        self.shown: dict[str, Shown] = {}
        """Visible messages by idempotency key, in the order they appeared."""
        self.members: dict[str, frozenset[Person] | None] = {}
        """Who sees a conversation, by its id; a direct message is seen by its asker."""
        self.roles: dict[str, Role] = {}
        """What somebody may change, by account."""
        self.acknowledged: list[str] = []
        """Delivery ids that were acknowledged to the outside, in order."""
        self._desk: asyncio.Future[Desk] | None = None
        self._asked = 0
        self._changed = asyncio.Condition()
        self._trouble: dict[str, _Trouble] = {}

    # -- the port -------------------------------------------------------------------------------------------------

    async def run(self, desk: Desk) -> None:
        future = self._connected()
        if not future.done():
            future.set_result(desk)
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            self._desk = None

    async def open_answer(self, to: Outbound) -> _Writing:
        await self.trip("open_answer")
        async with self._changed:
            shown = self.shown.setdefault(to.idempotency_key, Shown(to))
            shown.opened += 1
            if not shown.ended.is_set():
                shown.text = ""
                shown.citations.clear()
            self._changed.notify_all()
        return _Writing(self, shown, shown.opened)

    async def seen_by(self, conversation: Conversation, asker: Person) -> frozenset[Person] | None:
        if conversation.platform != self.name:
            return None
        if conversation.visibility == "dm":
            return frozenset({asker})
        return self.members.get(conversation.id)

    async def role_of(self, actor: Actor) -> Role:
        await self.trip("role_of")
        return self.roles.get(actor.account, "")

    # -- for tests ------------------------------------------------------------------------------------------------

    async def ask(
        self,
        text: str,
        *,
        asker: Person = ALICE,
        conversation: str = "dm",
        visibility: Visibility = "dm",
        delivery_id: str = "",
        message_id: str = "",
        history: Sequence[Turn] = (),
        sources: Sequence[str] = (),
        unprompted: bool = False,
    ) -> Inbound:
        """Deliver a question as the outside would; returns once it is acknowledged, raises what `accept` raised."""
        desk = await self._connected()
        self._asked += 1
        inbound = Inbound(
            delivery_id=delivery_id or f"d{self._asked}",
            message_id=message_id or f"m{self._asked}",
            conversation=Conversation(platform=self.name, id=conversation, visibility=visibility),
            asker=asker,
            text=text,
            history=tuple(history),
            sources=tuple(sources),
            unprompted=unprompted,
        )
        await desk.accept(inbound)
        self.acknowledged.append(inbound.delivery_id)
        return inbound

    async def answer(self, inbound: Inbound, *, timeout: float = 10.0) -> Shown:
        """Wait until the question's answer has ended, by `finish` or `abort`."""
        async with asyncio.timeout(timeout):
            async with self._changed:
                await self._changed.wait_for(lambda: self.find(inbound) is not None)
            shown = self.find(inbound)
            assert shown is not None, "waited for above"
            await shown.ended.wait()
        return shown

    def find(self, inbound: Inbound) -> Shown | None:
        """The visible answer to a question, if there is one."""
        place = (inbound.conversation, inbound.message_id)
        return next((s for s in self.shown.values() if (s.to.conversation, s.to.reply_to) == place), None)

    def fail(self, method: str, error: Exception | None = None, *, times: int = 1) -> None:
        """Make the next calls of a method raise."""
        self._trouble[method] = _Trouble(error or CitebotError("The platform is down."), None, times)

    def stall(self, method: str) -> asyncio.Event:
        """Make the next call of a method wait for the returned event."""
        gate = asyncio.Event()
        self._trouble[method] = _Trouble(None, gate, 1)
        return gate

    async def trip(self, method: str) -> None:
        """Fail or wait if a test asked for it."""
        trouble = self._trouble.get(method)
        if trouble is None or trouble.times < 1:
            return
        trouble.times -= 1
        if trouble.gate is not None:
            await trouble.gate.wait()
        if trouble.error is not None:
            raise trouble.error

    def _connected(self) -> asyncio.Future[Desk]:
        if self._desk is None:
            self._desk = asyncio.get_running_loop().create_future()
        return self._desk


class _Writing:
    """One attempt to write a message; mute once a later attempt has begun or the message has ended."""

    def __init__(self, platform: ScriptedPlatform, shown: Shown, attempt: int) -> None:
        self._platform = platform
        self._shown = shown
        self._attempt = attempt

    async def status(self, status: Status) -> None:
        await self._platform.trip("status")
        if self._speaks():
            self._shown.statuses.append(status)

    async def append(self, text: str, citations: Sequence[Citation] = ()) -> None:
        await self._platform.trip("append")
        if self._speaks():
            self._shown.text += text
            self._shown.citations.extend(citations)
            self._shown.sends += 1

    async def finish(self, answer: Answer) -> None:
        await self._platform.trip("finish")
        if self._speaks():
            self._shown.answer = answer
            self._shown.text = answer.text
            self._shown.citations = list(answer.citations)
            self._end()

    async def rest(self) -> None:
        return

    async def abort(self, notice: str) -> None:
        await self._platform.trip("abort")
        if self._speaks():
            self._shown.notice = notice
            self._end()

    def _speaks(self) -> bool:
        return self._attempt == self._shown.opened and not self._shown.ended.is_set()

    def _end(self) -> None:
        self._shown.sends += 1
        self._shown.ended.set()
