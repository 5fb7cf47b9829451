"""What the core does for a platform: from an accepted question to a shown answer, and everything shown about it.

Whoever looks is checked again, against the database as it is now: an answer shown an hour ago may cite what its reader
may no longer read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import structlog

from citebot.app.core import Citebot
from citebot.app.hooks import hook_route
from citebot.delivery import Assignment, Delivery, Outcome, Post, Reply
from citebot.errors import CitebotError, NotAllowed
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
from citebot.ports import DocumentView, Inbound, OpenAnswer, Platform, SourceStatus
from citebot.storage import answers, passages
from citebot.storage.answers import StoredAnswer

log = structlog.get_logger("citebot.desk")

WITHHELD = (
    "This answer cites something that has changed since, or that may not be shown here any more. Please ask again."
)
NOT_YOURS = "There is no such answer, or it was not shown to you."


class Desk:
    """`citebot.ports.Desk` over an open `Citebot`; also the handler and the sender of `Delivery`."""

    def __init__(self, bot: Citebot, platform: Platform) -> None:
        self._bot = bot
        self._platform = platform
        self.delivery = Delivery(
            bot.database,
            handler=self.answer,
            sender=self.send,
            settings=bot.settings.delivery,
            platforms={platform.name},
        )

    # --- for the platform ----------------------------------------------------------------------------------------

    async def accept(self, inbound: Inbound) -> int:
        return await self.delivery.accept(inbound)

    async def stop(self, job: int) -> None:
        await self.delivery.stop(job)

    async def give_feedback(self, feedback: Feedback) -> None:
        def keep() -> None:
            with self._bot.database.write() as tx:
                stored = answers.get(tx, feedback.answer_id)
                if stored is None or stored.asker != feedback.person.id:
                    raise NotAllowed(NOT_YOURS)
                answers.save_feedback(tx, feedback)

        await asyncio.to_thread(keep)
        await self._bot.plugins.feedback_received(feedback)

    async def show_answer(self, answer_id: str, viewer: Person) -> Answer | None:
        stored = await asyncio.to_thread(self._stored, answer_id)
        return await self._for_viewer(stored, viewer)

    async def answer_to(self, job: int, viewer: Person) -> Answer | None:
        def find() -> StoredAnswer | None:
            with self._bot.database.read() as tx:
                return answers.of_question(tx, job)

        return await self._for_viewer(await asyncio.to_thread(find), viewer)

    async def show_document(self, passage_id: int, viewer: Person) -> DocumentView | None:
        return await self._bot.document_for(passage_id, viewer)

    async def sources(self, viewer: Person) -> Sequence[SourceStatus]:
        return await self._bot.sources(viewer.id)

    async def problems(self) -> Sequence[str]:
        try:
            await self._bot.sources()
            await self._bot.index.stats()
        except CitebotError as error:
            return [str(error)]
        return []

    def routes(self) -> Sequence[object]:
        return [*self._bot.plugins.routes(), hook_route(self._bot.events)]

    # --- for the workers -----------------------------------------------------------------------------------------

    async def answer(self, assignment: Assignment) -> Outcome:
        """Answer a claimed question, streaming to the platform on the way."""
        shown = await self._platform.open_answer(assignment.to)
        question = await self._question(assignment)
        replies: list[Reply] = []

        async def keep(answer: Answer, trace: dict[str, Any]) -> None:
            # Stored by the delivery, in one transaction with the planned post.
            replies.append(Reply(answer, trace))

        async with aclosing(self._bot.path.answer(question, stop=assignment.stopped, keep=keep)) as events:
            async for event in events:
                await _show(shown, event)
        return replies[-1]

    async def send(self, post: Post) -> Mapping[str, Json] | None:
        """Show the stored answer, or the sentence that says why there is none."""
        shown = await self._platform.open_answer(post.to)
        stored = await asyncio.to_thread(self._stored, post.answer_id) if post.answer_id else None
        if stored is None:
            await shown.abort(post.notice or WITHHELD)
            return None
        asker = Person(stored.asker, stored.asker_name)
        audience = await self._audience(stored.conversation, asker)
        await shown.finish(await self._restored(stored, audience, asker))
        return None

    async def _question(self, assignment: Assignment) -> Question:
        inbound = assignment.inbound
        return Question(
            text=inbound.text,
            asker=inbound.asker,
            conversation=inbound.conversation,
            audience=await self._audience(inbound.conversation, inbound.asker),
            history=inbound.history,
            sources=inbound.sources,
            asked_at=assignment.asked_at.replace(tzinfo=UTC),
        )

    async def _audience(self, conversation: Conversation, asker: Person) -> Audience:
        seen_by = await self._platform.seen_by(conversation, asker)
        return await asyncio.to_thread(self._bot.directory.audience_of, seen_by, conversation=conversation)

    # --- stored answers ------------------------------------------------------------------------------------------

    def _passages(self, ids: Sequence[int]) -> dict[int, Passage]:
        with self._bot.database.read() as tx:
            return passages.by_ids(tx, ids)

    def _stored(self, answer_id: str) -> StoredAnswer | None:
        with self._bot.database.read() as tx:
            return answers.get(tx, answer_id)

    async def _for_viewer(self, stored: StoredAnswer | None, viewer: Person) -> Answer | None:
        if stored is None or stored.asker != viewer.id:
            return None
        audience = await self._bot.audience(viewer)
        return await self._restored(stored, audience, viewer)

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
        intact = all(key in readable for key in stored.passage_ids)
        return Answer(
            id=stored.id,
            question=Question(
                text=stored.question,
                asker=Person(stored.asker, stored.asker_name),
                conversation=stored.conversation,
                audience=audience,
                sources=stored.sources,
            ),
            text=stored.text if intact else WITHHELD,
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
        )


async def _show(shown: OpenAnswer, event: object) -> None:
    match event:
        case Status():
            await shown.status(event)
        case TextDelta(text=text):
            await shown.append(text)
        case CitationAdded(citation=citation):
            await shown.append("", [citation])
