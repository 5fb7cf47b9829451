"""A process that stands still past its lease and goes on: what it sends then is not the last word."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from sqlalchemy import text
from waiting import until

from citebot.delivery import Assignment, Delivery, Outcome, Patience, Post, Reply
from citebot.delivery.answering import shown_under
from citebot.model import Answer, Audience, Conversation, Json, Person, Question
from citebot.ports import Capabilities, Inbound, Message, Outbound
from citebot.settings import DeliverySettings
from citebot.showing import Shower, remove_shown
from citebot.storage import Database, answers
from citebot.testing.scripted_messages import Posted, ScriptedMessages

EDITS = Capabilities(edit=True, text_limit=400, edits_per_second=1_000.0)
PLACE = Conversation("messages", "dm")
ASKED = Inbound("d1", "m1", PLACE, Person("ann"), "Who?")
LEASE = 0.6


@dataclass(frozen=True, slots=True)
class Service:
    """What both processes speak to: the messages that stand there, and all that was ever to be read."""

    posted: dict[str, Posted] = field(default_factory=dict)
    read: list[str] = field(default_factory=list)


class Messages(ScriptedMessages):
    """One service for all processes; calls that begin with what `held` says arrive when they are let through."""

    def __init__(self, service: Service, held: str = "") -> None:
        super().__init__(EDITS)
        self.posted = service.posted
        self._service = service
        self._held = held
        self.gate, self.reached = asyncio.Event(), asyncio.Event()

    async def _pass(self, message: Message) -> None:
        if self._held and message.text.startswith(self._held):
            self.reached.set()
            await asyncio.shield(self.gate.wait())  # as what is on the wire already

    async def edit(self, to: Outbound, message_id: str, message: Message) -> None:
        landing = asyncio.create_task(self._land(to, message_id, message))
        await asyncio.shield(landing)

    async def _land(self, to: Outbound, message_id: str, message: Message) -> None:
        await self._pass(message)
        await super().edit(to, message_id, message)
        self._service.read.append(message.text)

    async def post(self, to: Outbound, message: Message, *, key: str) -> str:
        await self._pass(message)
        self._service.read.append(message.text)
        return await super().post(to, message, key=key)


class Process:
    """Answers with `said`, which is shown as it comes if there are pieces; with an ellipsis it is an answer for now."""

    def __init__(self, database: Database, messages: Messages, *said: str) -> None:
        self.messages = messages
        self.said = said
        self._database = database
        self._shower = Shower(messages, database)
        self.late = ""
        """What a question that was answered for now is answered in the end."""

    async def answer(self, asked: Assignment) -> Outcome:
        if asked.late:
            return self._reply(asked, self.late)
        shown = await self._shower.open(asked.to)
        try:
            for number, piece in enumerate(self.said if len(self.said) > 1 else ()):
                await shown.append(piece)
                so_far = "".join(self.said[: number + 1])
                await until(lambda: self.messages.texts() == [so_far])  # noqa: B023
        finally:
            await shown.rest()
        return self._reply(asked, "".join(self.said))

    async def send(self, post: Post) -> Mapping[str, Json] | None:
        if post.removal:
            await remove_shown(self.messages, self._database, shown_under(post.to))
            return None
        shown = await self._shower.open(post.to)
        with self._database.read() as tx:
            stored = answers.get(tx, post.answer_id)
        assert stored is not None
        waiting = "waiting" if stored.text.endswith("…") else ""
        await shown.finish(Answer(stored.id, self._question, stored.text, answered=True, unwritten=waiting))
        return None

    def _reply(self, asked: Assignment, said: str) -> Reply:
        with self._database.read() as tx:
            before = answers.of_question(tx, asked.job)
        made = Answer(before.id if before else f"a{asked.attempt}", self._question, said, answered=True)
        return Reply(made, {}, for_now=said.endswith("…"))

    @property
    def _question(self) -> Question:
        return Question(ASKED.text, ASKED.asker, PLACE, Audience(frozenset()))


@asynccontextmanager
async def working(database: Database, process: Process, *, senders: int = 1) -> AsyncIterator[Delivery]:
    delivery = Delivery(
        database,
        handler=process.answer,
        sender=process.send,
        settings=DeliverySettings(workers=1, lease=LEASE),
        patience=Patience(late_first=0.05, poll=0.02, senders=senders),
    )
    running = asyncio.create_task(delivery.run())
    try:
        yield delivery
    finally:
        await delivery.drain(1)
        await running
        delivery.close()


async def lose(database: Database, queue: str) -> None:
    """As if whoever has the one row of a queue had stood still for longer than its lease."""
    fence = _fence(database, queue)
    while _fence(database, queue) == fence:
        with database.write() as tx:
            statement = f"UPDATE {queue} SET lease_until = created_at WHERE state = 'leased' AND fence = :fence"
            tx.execute(text(statement), {"fence": fence})
        await asyncio.sleep(0.05)


def _fence(database: Database, queue: str) -> int:
    with database.read() as tx:
        return int(tx.execute(text(f"SELECT max(fence) FROM {queue}")).scalar_one())


def quiet(database: Database) -> bool:
    with database.read() as tx:
        return not tx.execute(text("SELECT 1 FROM outbox WHERE state <> 'done'")).first()


async def test_an_end_that_a_late_edit_has_covered_is_shown_once_more(database: Database) -> None:
    service = Service()
    slow = Process(database, Messages(service, held="The off"), "The", " off")
    quick = Process(database, Messages(service), "The office does.")
    async with working(database, slow, senders=0) as delivery:
        await delivery.accept(ASKED)
        await asyncio.wait_for(slow.messages.reached.wait(), 20)
        async with working(database, quick):
            await lose(database, "inbox")
            await until(lambda: quick.messages.texts() == ["The office does."])
            slow.messages.gate.set()
            await until(lambda: service.read[1:] == ["The office does.", "The off", "The office does."])
    assert quick.messages.texts() == ["The office does."]


async def test_an_end_that_a_late_answer_for_now_has_covered_is_shown_once_more(database: Database) -> None:
    service = Service()
    slow = Process(database, Messages(service, held="Passages…"), "Passages…")
    quick = Process(database, Messages(service), "Passages…")
    slow.late = quick.late = "The office does."
    async with working(database, slow) as delivery:
        await delivery.accept(ASKED)
        await asyncio.wait_for(slow.messages.reached.wait(), 20)
        async with working(database, quick):
            await lose(database, "outbox")
            await until(lambda: quick.messages.texts() == ["The office does."])
            slow.messages.gate.set()
            await until(lambda: service.read == ["Passages…", "The office does.", "Passages…", "The office does."])


async def test_what_was_taken_back_is_removed_once_more(database: Database) -> None:
    service = Service()
    slow = Process(database, Messages(service, held="The"), "The", "")
    quick = Process(database, Messages(service), "The office does.")
    async with working(database, slow, senders=0) as delivery:
        await delivery.accept(ASKED)
        await asyncio.wait_for(slow.messages.reached.wait(), 20)
        async with working(database, quick) as other:
            await other.take_back(PLACE, "m1")
            await lose(database, "inbox")
            await until(lambda: quiet(database) and _fence(database, "outbox"))
            slow.messages.gate.set()
            await until(lambda: service.read == ["The"] and not service.posted)
    assert service.posted == {}
