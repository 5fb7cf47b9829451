"""People where nothing was found: a question is brought to them once, and what they write can become an answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

from citebot.app.core import Citebot
from citebot.delivery import Delivery, Post
from citebot.errors import CannotShow, NotAllowed
from citebot.model import (
    Answer,
    Audience,
    Conversation,
    Helper,
    Inquiry,
    Passage,
    Person,
    Readers,
    channel_principal,
)
from citebot.ports import AsksPeople, Message, Messages, Outbound, Platform
from citebot.showing import show_once
from citebot.storage import Transaction, answers, curated, inquiries, work
from citebot.storage.answers import StoredAnswer
from citebot.storage.inquiries import InquiryRow

T = TypeVar("T")
NOT_YOURS = "There is no such answer, or it was not shown to you."
NOT_ASKED = "Only those who were asked can save an answer."
NOBODY = "I know nobody here whom I could ask."
TOO_OFTEN = "You have asked people often today. Please ask them yourself, or again tomorrow."
ASKS_A_DAY = 10
"""Questions that one person may bring to people in a day."""
DOCUMENTS = 5
AUTHORS = 2
TEXT_MOST = 20_000
QUESTION_MOST = 500

Restore = Callable[[StoredAnswer], Awaitable[tuple[Answer, Audience]]]
"""A stored answer as it may be shown in its conversation now."""


class Consulting:
    """`citebot.ports.Consults` over an open `Citebot`."""

    def __init__(self, bot: Citebot, platform: Platform, delivery: Delivery, restore: Restore) -> None:
        self._bot = bot
        self._platform = platform
        self._delivery = delivery
        self._restore = restore

    async def ask(self, answer_id: str, asker: Person) -> bool:
        stored = await self._read(lambda tx: answers.get(tx, answer_id))
        if stored is None or stored.asker != asker.id or stored.inbox_id is None:
            raise NotAllowed(NOT_YOURS)
        inbox_id = stored.inbox_id
        if not isinstance(self._platform, AsksPeople) or stored.conversation.visibility == "dm":
            raise NotAllowed(NOBODY)
        answer, _ = await self._restore(stored)
        authors = [author for one in _found(answer) for author in one.authors][:AUTHORS]
        known = await self._platform.people_for(stored.conversation, authors)
        people = tuple(one for one in known if one.person.id != asker.id)
        if not people:
            raise NotAllowed(NOBODY)

        def plan(tx: Transaction) -> bool:
            inbound = work.inbound_of(tx, inbox_id)
            if inbound is None:
                raise NotAllowed(NOT_YOURS)
            if inquiries.get(tx, answer_id) is not None:
                return False
            if inquiries.of_asker(tx, asker.id, within=timedelta(days=1)) >= ASKS_A_DAY:
                raise NotAllowed(TOO_OFTEN)
            to = Outbound(stored.conversation, inbound.message_id, _key(answer_id))
            if not inquiries.add(tx, stored, to, people):
                return False
            work.plan(tx, Post(to, answer_id=answer_id, inquiry=True))
            return True

        return await self._delivery.plan(plan)

    async def open_inquiry(self, conversation: Conversation) -> Inquiry | None:
        def find(tx: Transaction) -> tuple[InquiryRow, StoredAnswer] | None:
            row = inquiries.open_in(tx, conversation)
            stored = answers.get(tx, row.answer_id) if row else None
            return (row, stored) if row and stored else None

        found = await self._read(find)
        return None if found is None else _inquiry(*found)

    async def save(self, answer_id: str, author: Person, text: str, *, message_id: str, url: str) -> bool:
        text = text.strip()[:TEXT_MOST]

        def keep(tx: Transaction) -> bool:
            row, stored = inquiries.get(tx, answer_id), answers.get(tx, answer_id)
            if row is None or stored is None or not text or author.id not in {one.person.id for one in row.people}:
                raise NotAllowed(NOT_ASKED)
            place = stored.conversation
            saved = curated.add(
                tx,
                question=stored.question[:QUESTION_MOST],
                text=text,
                author=author,
                url=url,
                readers=Readers(frozenset({channel_principal(place.platform, place.tenant, place.id)})),
                place=place,
                message_id=message_id,
                answer_id=answer_id,
            )
            if saved is None:
                return False
            inquiries.resolve(tx, answer_id, by=author.name or author.id)
            to = Outbound(place, row.reply_to, f"{_key(answer_id)}-resolved")
            work.plan(tx, Post(to, answer_id=answer_id, inquiry=True))
            return True

        return await self._delivery.plan(keep)

    async def forget(self, conversation: Conversation, message_id: str) -> int:
        def gone(tx: Transaction) -> int:
            return sum(curated.remove(tx, id) for id in curated.from_message(tx, conversation, message_id))

        if not await self._read(lambda tx: curated.from_message(tx, conversation, message_id)):
            return 0
        return await self._delivery.plan(gone)

    async def send(self, post: Post) -> None:
        """Show what was planned; again when somebody has answered."""
        stored = await self._read(lambda tx: answers.get(tx, post.answer_id))
        row = await self._read(lambda tx: inquiries.get(tx, post.answer_id))
        if stored is None or row is None or not isinstance(self._platform, Messages):
            raise CannotShow("What people were asked about is gone.")
        answer, audience = await self._restore(stored)
        if not audience.principals:
            raise CannotShow("It is not known who would see it.")
        to = Outbound(post.to.conversation, post.to.reply_to, _key(post.answer_id))
        inquiry = _inquiry(row, stored, _found(answer))
        await show_once(self._platform, self._bot.database, to, Message(inquiry.question, inquiry=inquiry))

    async def _read(self, find: Callable[[Transaction], T]) -> T:
        return await self._delivery.look(find)


def _found(answer: Answer) -> tuple[Passage, ...]:
    """One passage of each document that was cited, or came close."""
    passages = [one.passage for one in answer.citations] or [hit.passage for hit in answer.closest]
    return tuple({one.document_key: one for one in reversed(passages)}.values())[::-1][:DOCUMENTS]


def _inquiry(row: InquiryRow, stored: StoredAnswer, found: tuple[Passage, ...] = ()) -> Inquiry:
    asker = Person(stored.asker, stored.asker_name)
    people: tuple[Helper, ...] = row.people
    return Inquiry(row.answer_id, stored.question, asker, people, found, row.resolved_by)


def _key(answer_id: str) -> str:
    return f"people-{answer_id}"
