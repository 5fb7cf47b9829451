"""What the core does for a platform: from an accepted question to a shown answer, and everything shown about it.

Whoever looks is checked again, against the database as it is now: an answer shown an hour ago may cite what its reader
may no longer read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Literal

import structlog

from citebot.answering import texts
from citebot.answering.live import Ask
from citebot.answering.path import BUSY, UNWRITTEN
from citebot.app.consulting import Consulting
from citebot.app.core import Citebot
from citebot.app.hooks import hook_route
from citebot.app.managing import Managing
from citebot.app.news import NewsReader
from citebot.app.readiness import Readiness
from citebot.delivery import Assignment, Delivery, Outcome, Patience, Post, Reply, Silence
from citebot.delivery.answering import job_of, shown_under
from citebot.errors import CitebotError, IndexUnavailable, NotAllowed, Retry
from citebot.model import (
    Answer,
    Audience,
    Citation,
    CitationAdded,
    Conversation,
    Feedback,
    Json,
    Passage,
    Person,
    Question,
    ScoredPassage,
    Status,
    TextDelta,
)
from citebot.ports import (
    DocumentView,
    EditsInPlaces,
    Inbound,
    Messages,
    News,
    OffersAlone,
    OpenAnswer,
    Outbound,
    Platform,
    SearchesLive,
    SourceStatus,
)
from citebot.settings.conversations import ConversationSettings
from citebot.showing import opener, remove_shown
from citebot.storage import Transaction, answers, conversations, documents, endings, passages, tenants, work
from citebot.storage import shown as shown_messages
from citebot.storage.answers import StoredAnswer
from citebot.storage.conversations import Place
from citebot.storage.work import Queue

log = structlog.get_logger("citebot.desk")

STILL_SECONDS = 8.0
BUSY_MOST = 60.0
"""Seconds that an answer waits for a model which has said how long."""
LATE = timedelta(minutes=5)
WITHHELD = (
    "This answer cites something that has changed since, or that may not be shown here any more. Please ask again."
)
NOT_YOURS = "There is no such answer, or it was not shown to you."


class Desk:
    """`citebot.ports.Desk` over an open `Citebot`; also the handler and the sender of `Delivery`."""

    def __init__(
        self,
        bot: Citebot,
        platform: Platform,
        *,
        routes: Callable[[], Sequence[object]] = tuple,
        patience: Patience | None = None,
        readiness: Readiness | None = None,
    ) -> None:
        self._bot = bot
        self._platform = platform
        self._routes = routes
        self._news = NewsReader(bot.database, platform)
        self._readiness = readiness or Readiness(bot, listening=platform)
        self._open = opener(platform, bot.database, seen_by=self._seen_by)
        self.manage = Managing(bot, platform, self.problems)
        self.delivery = delivery = Delivery(
            bot.database,
            handler=self.answer,
            sender=self.send,
            settings=bot.settings.delivery,
            platforms={platform.name},
            patience=patience,
            taken_over=self._taken_over,
        )
        self.people = Consulting(bot, platform, delivery, self._restored_there)

    # --- for the platform ----------------------------------------------------------------------------------------

    async def accept(self, inbound: Inbound) -> int:
        return await self.delivery.accept(inbound)

    async def stop(self, job: int) -> None:
        await self.delivery.stop(job)

    async def stop_all(self, conversation: Conversation) -> None:
        for job in await self.delivery.look(lambda tx: endings.asked_in(tx, conversation)):
            await self.delivery.stop(job)

    async def asked_by(self, conversation: Conversation, message_id: str) -> Sequence[str]:
        return [*await self.delivery.look(lambda tx: endings.asked_by(tx, conversation, message_id))]

    async def take_back(self, conversation: Conversation, question: str) -> None:
        await self.delivery.take_back(conversation, question)

    async def spread(self, news: News) -> None:
        await self._news.spread(news)

    async def ask_again(self, key: str, asker: Person, *, anew: bool = False) -> bool:
        return await self.delivery.again(key, asker, anew=anew)

    async def give_feedback(self, feedback: Feedback) -> None:
        def keep(tx: Transaction) -> None:
            stored = answers.get(tx, feedback.answer_id)
            if stored is None or stored.asker != feedback.person.id:
                raise NotAllowed(NOT_YOURS)
            answers.save_feedback(tx, feedback)

        await self.delivery.note(keep)
        await self._bot.plugins.feedback_received(feedback)

    async def show_answer(self, answer_id: str, viewer: Person) -> Answer | None:
        stored = await self.delivery.look(lambda tx: answers.get(tx, answer_id))
        return await self._for_viewer(stored, viewer)

    async def answer_to(self, job: int, viewer: Person) -> Answer | None:
        stored = await self.delivery.look(lambda tx: answers.of_question(tx, job))
        return await self._for_viewer(stored, viewer)

    async def show_document(self, passage_id: int, viewer: Person) -> DocumentView | None:
        return await self._bot.document_for(passage_id, viewer)

    async def sources(self, viewer: Person) -> Sequence[SourceStatus]:
        return await self._bot.sources(viewer.id)

    async def titles(self, viewer: Person, text: str, *, most: int) -> Sequence[str]:
        audience = await self._bot.audience(viewer)
        return await self.delivery.look(lambda tx: documents.titles(tx, text, audience=audience, most=most))

    async def forget_tenant(self, tenant: str) -> int:
        return await self.delivery.note(lambda tx: tenants.forget(tx, self._platform.name, tenant))

    async def problems(self) -> Sequence[str]:
        return await self._readiness.problems()

    async def ready(self) -> bool:
        return await self._readiness.ready()

    async def settings_of(self, conversation: Conversation) -> ConversationSettings:
        return await self.delivery.look(lambda tx: conversations.resolve(tx, Place.of(conversation)).settings)

    def routes(self) -> Sequence[object]:
        return [*self._routes(), *self._bot.plugins.routes(), hook_route(self._bot.events)]

    # --- for the workers -----------------------------------------------------------------------------------------

    async def answer(self, assignment: Assignment) -> Outcome:
        """Answer a claimed question, streaming to the platform on the way."""
        unprompted, late = assignment.inbound.unprompted, assignment.late
        # Whoever did not call us sees nothing until there is something to read; after a crash it may be on show.
        quiet = late or (unprompted and not await asyncio.to_thread(self._on_show, assignment.to.idempotency_key))
        shown = None if quiet else await self._open(assignment.to)
        question = await self._question(assignment)
        before = await self.delivery.look(lambda tx: answers.of_question(tx, assignment.job))
        replies: list[Reply] = []

        async def keep(answer: Answer, trace: dict[str, Any]) -> None:
            # Stored by the delivery, in one transaction with the planned post.
            answer = replace(answer, id=before.id) if before is not None else answer
            replies.append(Reply(answer, trace, for_now=self._is_for_now(assignment, trace)))

        waiting = asyncio.create_task(_reassure(shown))
        try:
            answering = self._bot.path.answer(
                question, stop=assignment.stopped, keep=keep, ask=self._searching(assignment)
            )
            async with aclosing(answering) as events:
                async for event in events:
                    if isinstance(event, CitationAdded | TextDelta):
                        waiting.cancel()
                        shown = shown if shown or late else await self._open(assignment.to)
                    elif isinstance(event, Status) and texts.is_busy(event.note):
                        waiting.cancel()
                    if shown is not None:
                        await _show(shown, event)
        except IndexUnavailable:
            if shown is not None:
                await shown.status(Status("queued", texts.SEARCH_DOWN))
            raise
        finally:
            waiting.cancel()
            if shown is not None:
                # Another process may take the end over as soon as it is stored.
                await shown.rest()
        await _wait_if_busy(assignment, shown, replies[-1])
        if unprompted and shown is None and not replies[-1].answer.answered:
            return Silence()
        if not assignment.stopped.is_set() and not replies[-1].for_now:
            await self._offer_alone(assignment.to, question, replies[-1])
        return replies[-1]

    async def send(self, post: Post) -> Mapping[str, Json] | None:
        """Show the stored answer, or the sentence that says why there is none."""
        if post.inquiry:
            await self.people.send(post)
            return None
        if post.removal:
            if isinstance(self._platform, Messages):
                await remove_shown(self._platform, self._bot.database, shown_under(post.to))
            return None
        shown = await self._open(post.to)
        stored = await asyncio.to_thread(self._stored, post.answer_id) if post.answer_id else None
        if stored is None:
            await shown.abort(post.notice or WITHHELD)
            return None
        answer = (await self._restored_there(stored))[0]
        late = [] if answer.unwritten else await asyncio.to_thread(self._late, post.to)
        await shown.finish(replace(answer, notes=(*answer.notes, *late)))
        return None

    def _searching(self, assignment: Assignment) -> Ask | None:
        """How the platform is searched for a question; never as somebody who did not ask us."""
        if assignment.inbound.unprompted or not isinstance(self._platform, SearchesLive):
            return None
        return partial(self._platform.search_live, assignment.to, assignment.inbound.asker)

    def _is_for_now(self, assignment: Assignment, trace: Mapping[str, Any]) -> bool:
        """Whether only passages can be shown, and it can be hoped for a model that works, and be replaced then."""
        unwritten = trace.get(UNWRITTEN) and not assignment.inbound.unprompted and not assignment.stopped.is_set()
        if not unwritten or not self._platform.capabilities.edit:
            return False
        return not isinstance(self._platform, EditsInPlaces) or self._platform.may_edit(assignment.to)

    async def _offer_alone(self, to: Outbound, question: Question, reply: Reply) -> None:
        """What a channel may not have its asker may: they are told, and nobody else."""
        if reply.answer.answered or "refused" in reply.trace or question.conversation.visibility == "dm":
            return
        if reply.answer.question.over_budget or not isinstance(self._platform, OffersAlone):
            return
        try:
            alone = await self._bot.audience(question.asker)
            if alone.principals <= question.audience.principals:
                return
            if await self._bot.path.has_more(replace(question, audience=alone), than=question.audience):
                await self._platform.offer_alone(to, reply.answer.id)
        except CitebotError as error:
            log.info("not offered to the asker alone", why=str(error))

    async def _question(self, assignment: Assignment) -> Question:
        inbound = assignment.inbound
        settings = await self.settings_of(inbound.conversation)
        return Question(
            text=inbound.text,
            asker=inbound.asker,
            conversation=inbound.conversation,
            audience=await self._audience(inbound.conversation, inbound.asker),
            history=inbound.history,
            sources=inbound.sources or settings.sources,
            asked_at=assignment.asked_at.replace(tzinfo=UTC),
            tone=settings.tone,
            over_budget=inbound.over_budget,
            key=assignment.to.idempotency_key,
            attachments=inbound.attachments,
            unread=inbound.unread,
        )

    async def _audience(self, conversation: Conversation, asker: Person) -> Audience:
        seen_by = await self._seen_by(conversation, asker)
        return await asyncio.to_thread(self._bot.directory.audience_of, seen_by, conversation=conversation)

    async def _seen_by(self, conversation: Conversation, asker: Person) -> frozenset[Person] | None:
        await self._news.catch_up()
        return await self._platform.seen_by(conversation, asker)

    def _taken_over(self, queue: Queue) -> None:
        for count in self._bot.taken_over:
            count(queue)

    # --- stored answers ------------------------------------------------------------------------------------------

    def _passages(self, ids: Sequence[int]) -> dict[int, Passage]:
        with self._bot.database.read() as tx:
            return passages.by_ids(tx, ids)

    def _late(self, to: Outbound) -> list[str]:
        """What an answer says that comes so late that its asker may have forgotten."""
        job = job_of(to.idempotency_key)
        with self._bot.database.read() as tx:
            asked = work.asked_at(tx, job) if job is not None else None
            late = asked is not None and self._bot.database.now(tx) - asked > LATE
        return [texts.asked_at(asked)] if asked is not None and late else []

    def _on_show(self, key: str) -> bool:
        with self._bot.database.read() as tx:
            return bool(shown_messages.messages(tx, key))

    def _stored(self, answer_id: str) -> StoredAnswer | None:
        with self._bot.database.read() as tx:
            return answers.get(tx, answer_id)

    async def _for_viewer(self, stored: StoredAnswer | None, viewer: Person) -> Answer | None:
        if stored is None or stored.asker != viewer.id:
            return None
        audience = await self._bot.audience(viewer)
        return await self._restored(stored, audience, viewer)

    async def _restored_there(self, stored: StoredAnswer) -> tuple[Answer, Audience]:
        """The answer as it may be shown where it was asked for, and to whom."""
        asker = Person(stored.asker, stored.asker_name)
        audience = await self._audience(stored.conversation, asker)
        return await self._restored(stored, audience, asker), audience

    async def _restored(self, stored: StoredAnswer, audience: Audience, viewer: Person) -> Answer:
        """The answer as it may be shown now: a document that may not be shown takes the whole text with it.

        Documents that were only close are named in the text too. What the audience may read now counts as far as it
        could be read then: nobody sees more for having asked before.
        """
        audience = replace(audience, principals=audience.principals & stored.principals)
        found = await asyncio.to_thread(self._passages, stored.passage_ids)
        listed = [passage for passage in found.values() if audience.may_read(passage.readers)]
        checked = await self._bot.live.check(audience, viewer, listed)
        readable = {passage.id: passage for passage in listed if passage.id in checked.readable}
        readable |= {passage.id: passage for passage in self._live(stored) if audience.may_read(passage.readers)}
        intact = all(key in readable for key in stored.passage_ids)
        unwritten = await self._unwritten(stored)
        worded = {"waiting": texts.will_update, "given_up": texts.not_back}.get(unwritten, str)
        return Answer(
            id=stored.id,
            question=Question(
                text=stored.question,
                asker=Person(stored.asker, stored.asker_name),
                conversation=stored.conversation,
                audience=audience,
                sources=stored.sources,
            ),
            text=worded(stored.text) if intact else WITHHELD,
            answered=stored.answered and intact,
            citations=tuple(
                Citation(c.number, readable[c.passage_id], c.sentences) for c in stored.citations if intact
            ),
            closest=tuple(
                ScoredPassage(readable[h.passage_id], h.score) for h in stored.closest if h.passage_id in readable
            ),
            confidence=stored.confidence,
            notes=stored.notes if intact else (),
            created=stored.created_at or datetime.now(UTC),
            unwritten=unwritten,
        )

    def _live(self, stored: StoredAnswer) -> Sequence[Passage]:
        """The messages it cites, as long as what was said of their readers counts."""
        made = stored.created_at
        age = datetime.now(UTC) - made.replace(tzinfo=made.tzinfo or UTC)
        return stored.live if age.total_seconds() <= self._bot.settings.access.staleness else ()

    async def _unwritten(self, stored: StoredAnswer) -> Literal["", "waiting", "given_up"]:
        """What of passages without an answer follows from where their question is now."""
        job = stored.inbox_id
        if job is None or not stored.trace.get(UNWRITTEN):
            return ""
        state = await self.delivery.look(lambda tx: work.state_of(tx, job))
        if state == "dead":
            return "given_up"
        return "waiting" if state in ("ready", "leased") else ""


async def _wait_if_busy(assignment: Assignment, shown: OpenAnswer | None, reply: Reply) -> None:
    """Where the model said how long it is busy, and that is not long, the question is tried once more then."""
    busy = reply.trace.get(BUSY)
    if busy is None or busy > BUSY_MOST or assignment.attempt > 1 or assignment.stopped.is_set():
        return
    if shown is not None:
        await shown.status(Status("queued", texts.busy(busy)))
    raise Retry("The model wants fewer requests.", after=busy)


async def _reassure(shown: OpenAnswer | None) -> None:
    """Say that it goes on, to whoever has waited long for the first word."""
    await asyncio.sleep(STILL_SECONDS)
    if shown is not None:
        with suppress(CitebotError):
            await shown.status(Status("writing", texts.STILL_WORKING))


async def _show(shown: OpenAnswer, event: object) -> None:
    match event:
        case Status():
            await shown.status(event)
        case TextDelta(text=text):
            await shown.append(text)
        case CitationAdded(citation=citation):
            await shown.append("", [citation])
