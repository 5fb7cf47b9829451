"""What the core does for a platform, and for commands that talk with one person."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal, Protocol

from citebot.model import Answer, AnswerEvent, Attachment, Conversation, Feedback, Inquiry, Passage, Person, Trust, Turn

if TYPE_CHECKING:
    from citebot.settings.conversations import ConversationSettings


@dataclass(frozen=True, slots=True)
class Inbound:
    """A question as a platform delivered it. Stored before it is acknowledged."""

    delivery_id: str
    """Unique per platform and tenant; a second delivery of it is dropped."""
    message_id: str
    """Unique per conversation; a second event about the same message is dropped."""
    conversation: Conversation
    asker: Person
    text: str
    history: tuple[Turn, ...] = ()
    sources: tuple[str, ...] = ()
    unprompted: bool = False
    """Nobody called us: it is answered where we know something, and nothing is said where we do not."""
    over_budget: bool = False
    """Set by the core, when it is stored."""
    attachments: tuple[Attachment, ...] = ()
    """Texts that were attached, as far as `citebot.answering.attached.fitted` lets them through."""
    unread: tuple[str, ...] = ()
    """Names of attached files that were not read."""
    account: str = ""
    """The asker's account, for platforms that show answers to somebody; see `Outbound.account`."""


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """One knowledge source as people see it."""

    name: str
    type: str
    documents: int
    passages: int
    synced: datetime | None = None
    """When it was last read without error."""
    paused: bool = False
    failure: str = ""
    waiting: int = 0
    """Documents listed but not read yet."""
    parked: int = 0
    """Documents that could not be read."""
    poll: float | None = None
    """Seconds between two reads, where it is not `ingest.poll`."""
    trust: Trust | None = None
    """How far it can be trusted, where that does not follow from its kind."""


@dataclass(frozen=True, slots=True)
class DocumentView:
    """A document as its passages, for showing a citation in its surroundings. Only passages the viewer may read."""

    source: str
    document_id: str
    title: str
    url: str
    path: tuple[str, ...]
    updated: datetime | None
    passages: tuple[Passage, ...]


@dataclass(frozen=True, slots=True)
class News:
    """What one process of a platform was told, and all must know: what they remember about this is wrong."""

    kind: Literal["channel", "person"]
    tenant: str
    subject: str
    """As the platform calls it."""


Role = Literal["admin", "keeper", ""]
"""`admin` runs Citebot for all, a `keeper` looks after one conversation, everybody else changes nothing."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody who wants to change how Citebot works, and where they are."""

    person: Person
    account: str
    """What the platform itself calls them."""
    conversation: Conversation


class Manages(Protocol):
    """What a platform lets admins do.

    Each method asks the platform anew what the actor may do (`KnowsAdmins`), raises `NotAllowed` with one line for
    them, and writes an audit line with each change.
    """

    async def status(self, actor: Actor) -> tuple[Sequence[SourceStatus], Sequence[str]]:
        """All sources, and what is wrong; for admins."""

    async def sync(self, actor: Actor, name: str) -> Mapping[str, int]:
        """Read a source now; what was listed, fetched, removed. For admins. Raises what a read raises."""

    async def pause(self, actor: Actor, name: str, *, paused: bool) -> None:
        """Read a source no more, or again; for admins."""

    async def settings(self, actor: Actor) -> tuple[ConversationSettings, Sequence[str]]:
        """What is set for the actor's conversation and the names of all sources; for admins and its keeper."""

    async def change(self, actor: Actor, changes: Mapping[str, object]) -> ConversationSettings:
        """Set some of it, None takes one back; for admins and its keeper. Raises `WrongUse` for a wrong value."""

    async def teach(self, actor: Actor, question: str, text: str, *, message_id: str, url: str) -> bool:
        """Keep what a message says as an answer, for those who read there; for admins.

        False where that was done already. Raises `WrongUse` where there is nothing to keep.
        """


class Consults(Protocol):
    """What a platform lets people do where the documents do not help. All of it is checked again."""

    async def ask(self, answer_id: str, asker: Person) -> bool:
        """Bring a question to people, with what was found; False when that was done already.

        Raises `NotAllowed`, with a line for the asker, for somebody else's answer, too many a day, and where nobody is
        known (`AsksPeople`).
        """

    async def open_inquiry(self, conversation: Conversation) -> Inquiry | None:
        """The question in a thread, or in all of a conversation, that people were asked and have not answered yet."""

    async def save(self, answer_id: str, author: Person, text: str, *, message_id: str, url: str) -> bool:
        """Keep what somebody who was asked wrote as the answer, for those who read there; False when there is one.

        Raises `NotAllowed` for anybody else.
        """

    async def forget(self, conversation: Conversation, message_id: str) -> int:
        """A message was deleted: answers that were saved from it go too; how many."""


class Desk(Protocol):
    """What the core does for a platform. Everything that shows text takes the viewer and checks again."""

    async def accept(self, inbound: Inbound) -> int:
        """Store a question durably and return its job id; only after this may the platform acknowledge it."""

    async def stop(self, job: int) -> None:
        """Stop an answer that is being written, by whichever process; it ends where it is."""

    async def stop_all(self, conversation: Conversation) -> None:
        """Stop every answer that is being written in a conversation or thread."""

    async def asked_by(self, conversation: Conversation, message_id: str) -> Sequence[str]:
        """The questions that a message asked: its own id, and `ID+…` for its edits."""

    async def take_back(self, conversation: Conversation, question: str) -> None:
        """A question is gone: whichever process is busy with it shows nothing more, and what is shown is removed."""

    async def spread(self, news: News) -> None:
        """Tell all processes; they hear it (`HeedsNews`) before they ask this platform again who reads somewhere."""

    async def ask_again(self, key: str, asker: Person, *, anew: bool = False) -> bool:
        """Begin a question anew that ended without an answer, by `Message.retry`; False when that has happened already.

        What is shown is replaced; with `anew`, where that is not possible, the platform takes it away itself. Raises
        `NotAllowed` for somebody who did not ask it.
        """

    async def give_feedback(self, feedback: Feedback) -> None:
        """Keep what a reader thought of an answer; raises `NotAllowed` for an answer that was not shown to them."""

    async def show_answer(self, answer_id: str, viewer: Person) -> Answer | None:
        """A stored answer, without what the viewer may not read any more."""

    async def answer_to(self, job: int, viewer: Person) -> Answer | None:
        """The stored answer to an accepted question once there is one, as `show_answer` would show it."""

    async def show_document(self, passage_id: int, viewer: Person) -> DocumentView | None:
        """The document around a cited passage, or None when there is none the viewer may read."""

    async def sources(self, viewer: Person) -> Sequence[SourceStatus]:
        """The sources an answer to the viewer would be searched in."""

    async def titles(self, viewer: Person, text: str, *, most: int) -> Sequence[str]:
        """Titles with a text in them, of documents the viewer may read as far as our lists know."""

    async def forget_tenant(self, tenant: str) -> int:
        """A team is gone: delete its settings, questions, answers and what its people wrote; how many rows."""

    async def problems(self) -> Sequence[str]:
        """What does not work, one line each; empty when all is well."""

    async def ready(self) -> bool:
        """Whether questions can be answered; without a model that writes, they still are, with passages."""

    async def settings_of(self, conversation: Conversation) -> ConversationSettings:
        """What counts there: whether to answer those who did not call us, and whether to keep quiet."""

    @property
    def manage(self) -> Manages:
        """What admins may do."""

    @property
    def people(self) -> Consults:
        """Asking people, and keeping what they answer."""

    def routes(self) -> Sequence[object]:
        """Starlette routes that plugins add to a platform with a web server."""


class ChatApp(Protocol):
    """What a command that talks with one person uses of a running Citebot. A person of None is the default asker."""

    def ask(
        self, text: str, *, history: Sequence[Turn] = (), person: str | None = None, sources: Sequence[str] = ()
    ) -> AsyncIterator[AnswerEvent]:
        """Answer one question; closing the iterator stops the answer."""

    async def show_document(self, passage_id: int, person: str | None = None) -> DocumentView | None:
        """As `Desk.show_document`."""

    async def sources(self, person: str | None = None) -> Sequence[SourceStatus]:
        """As `Desk.sources`."""


class OpensChat(Protocol):
    """What `ctx.obj` offers to the commands of plugins."""

    def open(self) -> AbstractAsyncContextManager[ChatApp]:
        """Open everything that answers questions, and close it at the end."""
