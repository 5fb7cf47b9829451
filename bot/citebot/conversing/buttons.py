"""What the buttons below an answer do. The desk decides who may; what is returned is for whoever clicked alone."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import get_args

import structlog

from citebot.conversing.chat import Said
from citebot.conversing.forms import REASON_MOST, Form, why_form
from citebot.conversing.languages import translated
from citebot.conversing.people import Member
from citebot.conversing.reception import Reception
from citebot.conversing.words import Texts
from citebot.errors import CitebotError, NotAllowed
from citebot.model import Feedback, Inquiry, Verdict

log = structlog.get_logger("citebot.conversing")

ECHO_MOST = 200
Act = Callable[[Member, Texts], Awaitable[str]]


class Buttons:
    """By account."""

    def __init__(self, at: Reception) -> None:
        self._at = at

    async def rate(self, account: str, answer_id: str, verdict: str) -> str | Form:
        """It helped or not, stored at once; what did not help is asked about further."""
        given: Verdict | None = next((one for one in get_args(Verdict) if one == verdict), None)
        if given is None:
            return ""
        member = await self._at.people.member(account)
        texts = self._at.texts_of(member.locale)
        refused = await self._store(Feedback(answer_id, member.person, given), texts)
        return refused or (texts.thanks if given == "helpful" else why_form(texts))

    async def explain(self, account: str, answer_id: str, reason: str) -> str:
        """The same opinion with its reason."""
        member = await self._at.people.member(account)
        feedback = Feedback(answer_id, member.person, "not_helpful", reason[:REASON_MOST])
        return await self._store(feedback, self._at.texts_of(member.locale))

    async def refuse_deletion(self, account: str, answer_id: str) -> str:
        """Why somebody may not take an answer back, empty where they may."""
        member = await self._at.people.member(account)
        mine = await self._at.desk.show_answer(answer_id, member.person)
        return self._at.texts_of(member.locale).only_asker if mine is None else ""

    async def retry(self, account: str, key: str, *, anew: bool) -> tuple[bool, str]:
        """An answer after all: the same question again; whether that began, and what to say."""
        member = await self._at.people.member(account)
        try:
            return await self._at.desk.ask_again(key, member.person, anew=anew), ""
        except NotAllowed:
            return False, self._at.texts_of(member.locale).only_asker

    # -- asking people --------------------------------------------------------------------------------------------

    async def ask_people(self, account: str, answer_id: str) -> str:
        """Bring the question to people."""

        async def ask(member: Member, texts: Texts) -> str:
            begun = await self._at.desk.people.ask(answer_id, member.person)
            return texts.people_called if begun else texts.people_called_already

        return await self._told(account, ask)

    async def open_inquiry(self, said: Said) -> tuple[Inquiry, Texts, str] | None:
        """Somebody wrote in a thread, and not to us: if they were asked there, it may be the answer; what to offer."""
        try:
            inquiry = await self._at.desk.people.open_inquiry(await self._at.where(said.channel, thread=said.thread))
            if inquiry is None or said.author not in {one.account for one in inquiry.people}:
                return None
            texts = self._at.texts_of((await self._at.people.member(said.author)).locale)
        except CitebotError as error:
            log.info("saving not offered", why=str(error))
            return None
        words = texts.answer_offer.format(question=self._at.markup.plain(inquiry.question[:ECHO_MOST]))
        return inquiry, texts, words

    async def save(
        self,
        account: str,
        answer_id: str,
        written: Callable[[], Awaitable[Said | None]],
        link: Callable[[], Awaitable[str]],
    ) -> str:
        """Keep what somebody who was asked has written; `link` is its address."""

        async def keep(member: Member, texts: Texts) -> str:
            said = await written()
            if said is None or said.author != member.account:
                return texts.gone
            text = await self._at.with_names(said)
            people = self._at.desk.people
            kept = await people.save(answer_id, member.person, text, message_id=said.id, url=await link())
            return texts.answer_saved if kept else texts.answer_saved_already

        return await self._told(account, keep)

    # -- inside ---------------------------------------------------------------------------------------------------

    async def _told(self, account: str, act: Act) -> str:
        member = await self._at.people.member(account)
        texts = self._at.texts_of(member.locale)
        try:
            said = await act(member, texts)
        except NotAllowed as refusal:
            said = translated(str(refusal), texts)
        except (CitebotError, KeyError, ValueError) as error:
            log.warning("not done", why=str(error))
            said = texts.not_done
        return self._at.markup.plain(said)

    async def _store(self, feedback: Feedback, texts: Texts) -> str:
        try:
            await self._at.desk.give_feedback(feedback)
        except NotAllowed:
            return texts.only_asker
        return ""
