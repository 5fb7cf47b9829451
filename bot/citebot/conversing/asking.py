"""Questions that are no messages: asked by a command or about a message, shared with all, or taken for oneself."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

import structlog

from citebot.conversing.chat import Said, Tell
from citebot.conversing.known import Lately
from citebot.conversing.languages import is_help
from citebot.conversing.people import Member
from citebot.conversing.reception import PATIENCE, Reception
from citebot.conversing.threads import turns
from citebot.conversing.words import Texts
from citebot.errors import CannotShow, CitebotError, DiskFull
from citebot.model import Answer, Conversation, Turn
from citebot.ports import Inbound

log = structlog.get_logger("citebot.conversing")

ECHO_MOST = 200
QUESTION_MOST = 3_000
SHARED_KEPT = 1_000


@dataclass(frozen=True, slots=True)
class Alone:
    """Where the answer to somebody is shown to them alone."""

    account: str
    place: str
    """The id of the conversation."""
    message_id: str
    delivery_id: str
    tell: Tell
    where: Conversation | None = None
    """Set where it is shown to all after all."""
    guest: bool = False
    """Whoever asks counts as a guest there."""


class Asking:
    """What is returned is for the one who asked alone."""

    def __init__(self, at: Reception) -> None:
        self._at = at
        self._shared: Lately[tuple[str, str], None] = Lately(SHARED_KEPT)

    async def ask(self, alone: Alone, text: str) -> str:
        """By a command: what to say at once; the answer follows."""
        if said := await self.refused(alone, text):
            return said
        member = await self._at.people.member_or_guest(alone.account)
        return self._looking(self._at.texts_of(member.locale), text)

    async def refused(self, alone: Alone, text: str) -> str:
        """The same where the platform itself shows that it was taken: empty then, else what to say instead."""
        texts = self._at.texts_of("")
        try:
            async with asyncio.timeout(PATIENCE):
                member = await self._at.people.member_or_guest(alone.account)
                texts = self._at.texts_of(member.locale)
                if not text:
                    return texts.ask_empty.format(command=self._at.command, example=texts.ask_example)
                if is_help(text):
                    return await self._at.help(texts)
                await self._accept(alone, member, text)
        except (CitebotError, TimeoutError) as error:
            log.warning("question of a command not stored", why=str(error) or type(error).__name__)
            return texts.cannot_save if isinstance(error, DiskFull) else texts.not_saved
        return ""

    async def ask_about(self, alone: Alone, said: str, question: str) -> str:
        """About a message, or what it asks itself: what is wrong with that, or empty."""
        texts = self._at.texts_of("")
        try:
            async with asyncio.timeout(PATIENCE):
                member = await self._at.people.member_or_guest(alone.account)
                texts = self._at.texts_of(member.locale)
                if not (question or said):
                    return texts.no_question
                history = (Turn("user", said),) if question and said else ()
                await self._accept(alone, member, question or said, history)
        except (CitebotError, TimeoutError) as error:
            log.warning("question about a message not stored", why=str(error) or type(error).__name__)
            return texts.not_saved
        self._at.spawn(alone.tell(self._looking(texts, question or said)))
        return ""

    async def share(self, account: str, answer_id: str, channel: str, tell: Tell) -> None:
        """The asker wants everybody to see it: asked again in the channel, for what its readers may read."""
        if (channel, answer_id) in self._shared:
            return
        self._shared[channel, answer_id] = None
        texts = self._at.texts_of("")
        try:
            member = await self._at.people.member_or_guest(account)
            texts = self._at.texts_of(member.locale)
            answer = await self._at.desk.show_answer(answer_id, member.person)
            if answer is not None:
                await self._ask_there(channel, member, answer.question.text, f"share:{answer_id}:{channel}", texts)
            said = texts.gone if answer is None else texts.shared
        except CitebotError as error:
            self._shared.pop((channel, answer_id), None)
            log.warning("answer not shared", why=str(error))
            said = texts.not_saved
            if isinstance(error, CannotShow):
                said = texts.not_here.format(bot=(await self._at.chat.us()).mention)
        await tell(said)

    async def take(self, alone: Alone, answer_id: str, question: str) -> None:
        """The asker takes an answer to a message for themselves where the channel may have none."""
        texts = self._at.texts_of("")
        try:
            member = await self._at.people.member_or_guest(alone.account)
            texts = self._at.texts_of(member.locale)
            answer = await self._at.desk.show_answer(answer_id, member.person)
            if answer is None:
                await alone.tell(texts.gone)
                return
            await self._accept(alone, member, answer.question.text, await self._history(answer, question))
        except CitebotError as error:
            log.warning("question not stored", why=str(error))
            await alone.tell(texts.not_saved)

    async def _history(self, answer: Answer, question: str) -> Sequence[Turn]:
        where = answer.question.conversation
        if where.thread in ("", question):
            return ()
        said = await self._at.chat.thread(where.id, where.thread)
        return turns(said, before=next((one.at for one in said if one.id == question), 0.0))

    async def _ask_there(self, channel: str, member: Member, question: str, delivery: str, texts: Texts) -> None:
        visibility = (await self._at.people.place(channel)).visibility
        markup = self._at.markup
        shown = markup.quoted(question[:QUESTION_MOST])
        words = texts.asked_by.format(user=markup.mention(member.account), question=shown)
        said = await self._at.chat.post(channel, words)
        self._at.chat.asked_by(Said(channel, said, 0.0, member.account))
        conversation = await self._at.where(channel, thread=said, visibility=visibility)
        await self._at.desk.accept(
            Inbound(delivery, said, conversation, member.person, question, account=member.account)
        )
        self._at.threads.asked(channel, said, member.account)

    async def _accept(self, alone: Alone, member: Member, text: str, history: Sequence[Turn] = ()) -> None:
        tenant = (await self._at.chat.us()).tenant
        place = alone.where or Conversation(self._at.platform, alone.place, tenant, visibility="dm")
        asker = replace(member.person, guest=True) if alone.guest else member.person
        inbound = Inbound(
            alone.delivery_id, alone.message_id, place, asker, text, tuple(history), account=alone.account
        )
        await self._at.desk.accept(inbound)

    def _looking(self, texts: Texts, question: str) -> str:
        return texts.ask_looking.format(question=self._at.markup.quoted(question[:ECHO_MOST]))
