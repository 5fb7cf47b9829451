"""What a platform brings to `citebot.conversing`: messages as they were said, and a few things it can do."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from citebot.model import Attachment

Spawn = Callable[[Coroutine[Any, Any, None]], None]
"""Lets something run by itself, until the platform ends."""
Tell = Callable[[str], Coroutine[Any, Any, None]]
"""Says something to one person alone, as well as it can. Never raises."""


@dataclass(frozen=True, slots=True)
class Markup:
    """How the platform writes what is more than words."""

    plain: Callable[[str], str]
    """Words in which nothing is markup."""
    quoted: Callable[[str], str]
    """Words of somebody: they make no link and call nobody."""
    strong: Callable[[str], str]
    mention: Callable[[str], str]
    """By account."""


@dataclass(frozen=True, slots=True)
class Us:
    """Who we are to a team on the platform."""

    account: str
    tenant: str
    mention: str
    """How a message calls us."""


@dataclass(frozen=True, slots=True)
class Said:
    """A message as somebody said it."""

    channel: str
    id: str
    """Unique in its channel."""
    at: float
    """When, in seconds; what a channel heard later has more."""
    author: str = ""
    """The account; empty where nobody said it."""
    text: str = ""
    """In plain words, without our mention; others it calls stand there as `@account`."""
    thread: str = ""
    """The id of the message that began its thread, empty outside of threads."""
    direct: bool = False
    """Only we read it."""
    ours: bool = False
    question: str = ""
    """Of ours: the message it answers."""
    machine: bool = False
    """Another program said it."""
    spoken: bool = True
    """False for what the platform says by itself, such as that somebody came."""
    calls_us: bool = False
    calls: frozenset[str] = frozenset()
    """The accounts of others whom it calls."""
    calls_many: bool = False
    """It calls a group, or everybody."""
    edited: str = ""
    """Names the edit, empty as long as there is none."""
    files: Sequence[Any] = ()
    """As `Chat.attached` takes them."""
    last_reply: float = 0.0
    """When somebody last said something in the thread it began."""
    late: bool = False
    """It was not heard, but found by looking back."""
    ticket: str = field(default="", repr=False)
    """Lets the platform search as its author for a while; stored nowhere."""

    @property
    def root(self) -> str:
        """The thread an answer belongs to."""
        return self.thread or self.id

    @property
    def named(self) -> str:
        """The id of the question it asks: an edit makes another one."""
        return f"{self.id}+{self.edited}" if self.edited else self.id


class Chat(Protocol):
    """What a platform does there. Raises `CannotShow` for what will never work, and `Retry`."""

    async def us(self) -> Us:
        """Who we are."""

    async def thread(self, channel: str, thread: str) -> Sequence[Said]:
        """The messages of a thread, the oldest first."""

    async def attached(self, question: str, files: Sequence[Any]) -> tuple[tuple[Attachment, ...], tuple[str, ...]]:
        """The texts of files, as far as they fit, and the names of those that were not read. Never raises."""

    def asked_by(self, said: Said) -> None:
        """A question is about to be taken."""

    async def post(self, channel: str, text: str) -> str:
        """Say something to all in a channel; the id of the message."""

    async def tell(self, said: Said, text: str) -> None:
        """Say something to the author of a message alone."""

    async def withdraw(self, said: Said) -> None:
        """Take back what answers a message, as far as the platform still knows."""
