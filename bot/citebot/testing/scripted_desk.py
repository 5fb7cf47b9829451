"""A desk that answers from a script, for testing platforms without the rest of Citebot."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from citebot.errors import CitebotError, NotAllowed
from citebot.model import (
    Answer,
    Audience,
    Citation,
    CitationAdded,
    Conversation,
    Feedback,
    Inquiry,
    Person,
    Question,
    Status,
    TextDelta,
    person_principal,
)
from citebot.ports import (
    Actor,
    Consults,
    DocumentView,
    Inbound,
    Manages,
    Messages,
    News,
    OpenAnswer,
    OpensAnswers,
    Outbound,
    Platform,
    SourceStatus,
)
from citebot.settings.conversations import ConversationSettings
from citebot.showing import Opener, Shower, remove_shown
from citebot.storage import Database, schema


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait until the test sets `gate`; `reached` says that the answer is waiting here."""

    gate: asyncio.Event = field(default_factory=asyncio.Event)
    reached: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(frozen=True, slots=True)
class GiveUp:
    """End without an answer and say so."""

    notice: str


@dataclass(frozen=True, slots=True)
class Finish:
    """End with an answer; an empty `text` means what was streamed until here."""

    text: str = ""
    answered: bool = True
    citations: tuple[Citation, ...] = ()
    closest: tuple[Citation, ...] = ()
    notes: tuple[str, ...] = ()


NOBODY = "Nobody may do that here."
Step = Status | TextDelta | CitationAdded | Pause | GiveUp | Finish
Script = Callable[[Inbound], Iterable[Step]]


def outbound(inbound: Inbound) -> Outbound:
    """Where the answer to a question goes, with a key that depends on the question alone."""
    return Outbound(
        conversation=inbound.conversation,
        reply_to=inbound.message_id,
        idempotency_key=f"answer:{inbound.conversation.platform}:{inbound.delivery_id}",
    )


def answer_to(inbound: Inbound, finish: Finish, *, streamed: str = "", number: int = 1) -> Answer:
    """The stored form of a scripted end."""
    from citebot.model import ScoredPassage

    return Answer(
        id=f"{number:032x}",
        question=Question(
            text=inbound.text,
            asker=inbound.asker,
            conversation=inbound.conversation,
            audience=Audience(frozenset({person_principal(inbound.asker.id)}), inbound.asker.id),
            history=inbound.history,
            sources=inbound.sources,
        ),
        text=finish.text or streamed,
        answered=finish.answered,
        citations=finish.citations,
        closest=tuple(ScoredPassage(passage=near.passage, score=0.3) for near in finish.closest),
        confidence=0.9 if finish.answered else 0.1,
        notes=finish.notes,
        created=datetime.now(UTC).replace(tzinfo=None),
    )


class _NobodyManages:
    """A desk without a core has nothing to manage."""

    async def status(self, actor: Actor) -> tuple[Sequence[SourceStatus], Sequence[str]]:
        raise NotAllowed(NOBODY)

    async def sync(self, actor: Actor, name: str) -> Mapping[str, int]:
        raise NotAllowed(NOBODY)

    async def pause(self, actor: Actor, name: str, *, paused: bool) -> None:
        raise NotAllowed(NOBODY)

    async def settings(self, actor: Actor) -> tuple[ConversationSettings, Sequence[str]]:
        raise NotAllowed(NOBODY)

    async def change(self, actor: Actor, changes: Mapping[str, object]) -> ConversationSettings:
        raise NotAllowed(NOBODY)

    async def teach(self, actor: Actor, question: str, text: str, *, message_id: str, url: str) -> bool:
        raise NotAllowed(NOBODY)


class _NobodyHelps:
    """A desk without a core knows nobody to ask."""

    async def ask(self, answer_id: str, asker: Person) -> bool:
        raise NotAllowed(NOBODY)

    async def open_inquiry(self, conversation: Conversation) -> Inquiry | None:
        return None

    async def save(self, answer_id: str, author: Person, text: str, *, message_id: str, url: str) -> bool:
        raise NotAllowed(NOBODY)

    async def forget(self, conversation: Conversation, message_id: str) -> int:
        return 0


class ScriptedDesk:
    """Keeps what it is given, answers by `script` on the platform under test, and remembers everything.

    `problem` makes `accept` fail; `gate`, when set to an unset event, makes `accept` wait. With `plays=False` nothing
    is answered until the test calls `play`.
    """

    def __init__(
        self,
        script: Script | None = None,
        *,
        platform: Platform | None = None,
        documents: Mapping[int, DocumentView] | None = None,
        sources: Sequence[SourceStatus] = (),
        plays: bool = True,
    ) -> None:
        self.script: Script = script or (lambda inbound: [TextDelta(f"You asked: {inbound.text}"), Finish()])
        self.platform = platform
        self.documents = dict(documents or {})
        self.known_sources = sources
        self.plays = plays
        self.settings = ConversationSettings()
        self.problem: CitebotError | None = None
        self.gate: asyncio.Event | None = None
        self.trouble: list[str] = []
        self.accepted: list[Inbound] = []
        """Every stored question, once."""
        self.deliveries: list[str] = []
        """The delivery ids in the order they were stored, duplicates included."""
        self.feedback: list[Feedback] = []
        self.stopped: list[int] = []
        self.forgotten: list[str] = []
        """Teams that have gone."""
        self.news: list[News] = []
        self.answers: dict[int, Answer] = {}
        """Finished answers by job."""
        self.hidden: set[str] = set()
        """Ids of answers that nobody may see any more."""
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._opener: Opener | None = None
        self._database: Database | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    async def accept(self, inbound: Inbound) -> int:
        if self.gate is not None:
            await self.gate.wait()
        if self.problem is not None:
            raise self.problem
        self.deliveries.append(inbound.delivery_id)
        for job, known in enumerate(self.accepted, start=1):
            same_message = (known.conversation, known.message_id) == (inbound.conversation, inbound.message_id)
            if known.delivery_id == inbound.delivery_id or same_message:
                return job
        self.accepted.append(inbound)
        job = len(self.accepted)
        if self.plays and self.platform is not None:
            self._tasks[job] = asyncio.create_task(self.play(job))
        return job

    async def ask_again(self, key: str, asker: Person, *, anew: bool = False) -> bool:
        job = next((n for n, one in enumerate(self.accepted, start=1) if outbound(one).idempotency_key == key), 0)
        if not job or self.accepted[job - 1].asker.id != asker.id:
            raise NotAllowed(NOBODY)
        return job not in self.answers

    async def open_answer(self, to: Outbound) -> OpenAnswer:
        """Begin to show an answer on the platform, as the core does."""
        assert self.platform is not None, "give the desk its platform before it shows anything"
        if self._opener is None:
            if isinstance(self.platform, OpensAnswers):
                self._opener = self.platform.open_answer
            else:
                self._opener = Shower(self.platform, self._memory()).open
        return await self._opener(to)

    def _memory(self) -> Database:
        """Where it is remembered which message shows which answer."""
        self._folder = tempfile.TemporaryDirectory(prefix="citebot-desk-")
        self._database = Database(f"sqlite:///{self._folder.name}/desk.db")
        schema.upgrade(self._database)
        return self._database

    async def play(self, job: int) -> None:
        """Answer an accepted question on the platform, as its script says."""
        assert self.platform is not None, "give the desk its platform before it plays"
        inbound = self.accepted[job - 1]
        shown = await self.open_answer(outbound(inbound))
        streamed = ""
        for step in self.script(inbound):
            if job in self.stopped:
                break
            streamed += step.text if isinstance(step, TextDelta) else ""
            if await self._show(step, shown, job, streamed):
                return
        await self._finish(
            shown, job, Finish(text=streamed or "Stopped.", notes=("Stopped before the end.",)), streamed
        )

    async def _show(self, step: Step, shown: OpenAnswer, job: int, streamed: str) -> bool:
        match step:
            case Status():
                await shown.status(step)
            case TextDelta(text=text):
                await shown.append(text)
            case CitationAdded(citation=citation):
                await shown.append("", [citation])
            case Pause():
                step.reached.set()
                await step.gate.wait()
            case GiveUp(notice=notice):
                await shown.abort(notice)
                return True
            case Finish():
                await self._finish(shown, job, step, streamed)
                return True
        return False

    async def _finish(self, shown: OpenAnswer, job: int, finish: Finish, streamed: str) -> None:
        await shown.finish(self.keep(self.accepted[job - 1], finish, streamed=streamed))

    def keep(self, inbound: Inbound, finish: Finish, *, streamed: str = "") -> Answer:
        """Store the answer to an accepted question, as the core does before it is shown."""
        job = self.accepted.index(inbound) + 1
        self.answers[job] = answer_to(inbound, finish, streamed=streamed, number=job)
        return self.answers[job]

    async def settle(self) -> None:
        """Wait until everything accepted so far has been answered; raises what went wrong."""
        await asyncio.gather(*self._tasks.values())

    async def close(self) -> None:
        """End what is still being answered."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        self._tasks.clear()
        if self._database is not None and self._folder is not None:
            self._database.close()
            self._folder.cleanup()
            self._opener = self._database = self._folder = None

    async def stop(self, job: int) -> None:
        self.stopped.append(job)

    async def stop_all(self, conversation: Conversation) -> None:
        for job, one in enumerate(self.accepted, start=1):
            there = (conversation.platform, conversation.tenant, conversation.id, conversation.thread)
            asked = one.conversation
            if (asked.platform, asked.tenant, asked.id, asked.thread) == there and job not in self.answers:
                await self.stop(job)

    async def asked_by(self, conversation: Conversation, message_id: str) -> Sequence[str]:
        return [named for named in self._jobs(conversation) if named.partition("+")[0] == message_id]

    async def take_back(self, conversation: Conversation, question: str) -> None:
        if job := self._jobs(conversation).get(question):
            await self.stop(job)
            self._tasks[-job] = asyncio.create_task(self._remove(job))

    async def _remove(self, job: int) -> None:
        """Leave nothing of an answer on show, once nobody writes it any more."""
        if (writing := self._tasks.get(job)) is not None:
            await asyncio.wait({writing})
        if self._database is not None and isinstance(self.platform, Messages):
            await remove_shown(self.platform, self._database, outbound(self.accepted[job - 1]))

    def _jobs(self, conversation: Conversation) -> dict[str, int]:
        place = (conversation.platform, conversation.tenant, conversation.id)
        jobs = enumerate(self.accepted, start=1)
        return {
            one.message_id: job
            for job, one in jobs
            if (one.conversation.platform, one.conversation.tenant, one.conversation.id) == place
        }

    async def spread(self, news: News) -> None:
        self.news.append(news)

    async def give_feedback(self, feedback: Feedback) -> None:
        owners = {answer.id: answer.question.asker.id for answer in self.answers.values()}
        if owners.get(feedback.answer_id) != feedback.person.id:
            raise NotAllowed("This answer was not shown to you.")
        self.feedback.append(feedback)

    async def show_answer(self, answer_id: str, viewer: Person) -> Answer | None:
        for answer in self.answers.values():
            if answer.id == answer_id and answer.question.asker.id == viewer.id and answer_id not in self.hidden:
                return answer
        return None

    async def answer_to(self, job: int, viewer: Person) -> Answer | None:
        answer = self.answers.get(job)
        return await self.show_answer(answer.id, viewer) if answer else None

    async def show_document(self, passage_id: int, viewer: Person) -> DocumentView | None:
        view = self.documents.get(passage_id)
        principals = Audience(frozenset({"everyone", person_principal(viewer.id)}))
        allowed = view is not None and all(principals.may_read(passage.readers) for passage in view.passages)
        return view if allowed else None

    async def sources(self, viewer: Person) -> Sequence[SourceStatus]:
        return self.known_sources

    async def titles(self, viewer: Person, text: str, *, most: int) -> Sequence[str]:
        found = [view.title for key, view in self.documents.items() if await self.show_document(key, viewer)]
        return [title for title in found if text.casefold() in title.casefold()][:most]

    async def forget_tenant(self, tenant: str) -> int:
        self.forgotten.append(tenant)
        return 0

    async def settings_of(self, conversation: Conversation) -> ConversationSettings:
        return self.settings

    @property
    def manage(self) -> Manages:
        return _NobodyManages()

    @property
    def people(self) -> Consults:
        return _NobodyHelps()

    async def problems(self) -> Sequence[str]:
        return self.trouble

    async def ready(self) -> bool:
        return not self.trouble

    def routes(self) -> Sequence[object]:
        return ()
