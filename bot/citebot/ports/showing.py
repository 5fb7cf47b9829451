"""How a platform shows an answer; splitting, pacing, fallbacks and idempotency are the core's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from citebot.model import Answer, Citation, Conversation, Inquiry, Status


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a platform can show; the core falls back where it cannot."""

    stream: bool = False
    """It has messages that grow: `Streams`."""
    edit: bool = False
    threads: bool = False
    buttons: bool = False
    private_answers: bool = False
    text_limit: int = 4000
    """Characters per message."""
    edits_per_second: float = 1.0
    """Of one message."""
    stream_seconds: float = 240.0
    """How long a stream may be written to; then the message is edited."""


@dataclass(frozen=True, slots=True)
class Outbound:
    """Where an answer goes, and the key that makes sending it twice harmless."""

    conversation: Conversation
    reply_to: str
    """The question's `message_id`."""
    idempotency_key: str
    account: str = ""
    """The asker's account on the platform, where it is known: who shows the answer may be another process."""


class OpenAnswer(Protocol):
    """An answer that is being shown."""

    async def status(self, status: Status) -> None:
        """Say what is going on."""

    async def append(self, text: str, citations: Sequence[Citation] = ()) -> None:
        """Add checked text, and the citations it used for the first time."""

    async def rest(self) -> None:
        """Nothing more is added by this writer: what it was sending has been sent, and is known, when this returns."""

    async def finish(self, answer: Answer) -> None:
        """Show the complete answer; after this nothing changes."""

    async def abort(self, notice: str) -> None:
        """Say honestly that no answer comes."""


@dataclass(frozen=True, slots=True)
class Message:
    """What one message of an answer shows; every platform draws it in its own way."""

    text: str
    """Checked Markdown with citation numbers; empty while there is nothing to read yet."""
    status: str = ""
    """What is going on, as long as the answer is not complete."""
    citations: tuple[Citation, ...] = ()
    """Those the text has used so far."""
    answer: Answer | None = None
    """On the last message of a complete answer: its sources, notes and buttons belong to it."""
    inquiry: Inquiry | None = None
    """Not an answer: people are asked, and they alone are mentioned."""
    retry: str = ""
    """On a message that says why there is no answer: what `Desk.ask_again` takes."""


@runtime_checkable
class OpensAnswers(Protocol):
    """A platform with a way of its own to show an answer, such as a page that keeps up with it."""

    async def open_answer(self, to: Outbound) -> OpenAnswer:
        """Begin to show an answer; the same idempotency key finds the same message again."""


@runtime_checkable
class Messages(Protocol):
    """A platform that shows messages. Splitting, pacing, fallbacks and idempotency are the core's (`citebot.showing`).

    Every method raises `Retry` when the platform asks us to wait or cannot be reached, and `CannotShow` when it will
    never work: a place that is gone, a right that was taken.
    """

    async def post(self, to: Outbound, message: Message, *, key: str) -> str:
        """Send a message and return its id. `key` is for platforms that recognise a second sending."""

    async def edit(self, to: Outbound, message_id: str, message: Message) -> None:
        """Make a message show this instead."""

    async def remove(self, to: Outbound, message_id: str) -> None:
        """Take a message back; one that is gone already is fine."""

    async def find(self, to: Outbound, *, key: str) -> str | None:
        """The id of the message sent with this key, after a sending of which we do not know how it ended."""


@runtime_checkable
class Streams(Protocol):
    """A platform with messages that grow. Besides the errors of `Messages`, `StreamEnded`."""

    async def begin_stream(self, to: Outbound, *, key: str) -> str:
        """Begin a message that grows and return its id."""

    async def extend_stream(self, to: Outbound, message_id: str, text: str) -> None:
        """Add text."""

    async def end_stream(self, to: Outbound, message_id: str, message: Message) -> None:
        """End it. Its text is what was added; of `message` the rest counts."""


@runtime_checkable
class ShowsStatus(Protocol):
    """A platform that can say what is going on without a message."""

    async def show_status(self, to: Outbound, status: Status) -> None:
        """Show it until the answer comes."""


@runtime_checkable
class EditsInPlaces(Protocol):
    """A platform that can edit, but not everywhere."""

    def may_edit(self, to: Outbound) -> bool:
        """Whether what is shown there can be changed later."""


@runtime_checkable
class OffersAlone(Protocol):
    """A platform that can tell the asker, and nobody else, that there is an answer for them alone."""

    async def offer_alone(self, to: Outbound, answer_id: str) -> None:
        """Offer it in place of an answer that did not know; whoever takes the offer asks again, in private."""
