"""Where people ask."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Protocol, runtime_checkable

from citebot.model import Conversation, Finding, Helper, Person, Readers, Trust
from citebot.ports.desk import Actor, Desk, News, Role
from citebot.ports.part import Part
from citebot.ports.showing import Capabilities, Outbound


class Platform(Part, Protocol):
    """A place where people ask. It shows answers either as `Messages` or by `OpensAnswers`."""

    capabilities: ClassVar[Capabilities]

    async def run(self, desk: Desk) -> None:
        """Listen until cancelled."""

    async def seen_by(self, conversation: Conversation, asker: Person) -> frozenset[Person] | None:
        """The people who will see an answer there; None when that cannot be known, which allows no document."""


@runtime_checkable
class TellsTrouble(Protocol):
    """A platform whose connection can be lost while it runs."""

    @property
    def trouble(self) -> str:
        """Why questions do not come in, one line; empty while they do."""


@runtime_checkable
class ShowsApart(Protocol):
    """A platform whose answers can be shown by processes that do not listen: `serve --role worker`."""

    async def run_apart(self) -> None:
        """What showing needs where another process runs `run`, such as renewing tokens; until cancelled."""


@runtime_checkable
class ListensAlone(Protocol):
    """A platform on which one process listens at a time: a second would only hear the same, and connecting costs."""

    @property
    def listens_as(self) -> str:
        """The account it listens with; of the processes that share it the next takes over when one ends."""


@runtime_checkable
class HeedsNews(Protocol):
    """A platform that remembers what it was told about channels and people."""

    def heed(self, news: News) -> None:
        """Forget what is remembered about this; another process was told that it is wrong."""


@dataclass(frozen=True, slots=True)
class CallFigures:
    """What this process has called of a platform since its start."""

    calls: int
    limited: int
    """Those that the platform wanted later."""
    seconds: float
    """How long all of them took, with the waits for the platform's limits."""


@runtime_checkable
class CountsCalls(Protocol):
    """A platform whose calls are counted, for metrics."""

    @property
    def called(self) -> CallFigures:
        """So far."""


@runtime_checkable
class KnowsAdmins(Protocol):
    """A platform that can say who may change what."""

    async def role_of(self, actor: Actor) -> Role:
        """What somebody may change in their conversation, asked anew; whoever is not known may change nothing."""


@runtime_checkable
class Examines(Protocol):
    """A part that can look for what is wrong with it, for `citebot doctor`."""

    def examine(self) -> AsyncIterator[Finding]:
        """Look, change nothing; may run beside the server, on a part that is not running. Never raises."""


@runtime_checkable
class AsksPeople(Protocol):
    """A platform that knows whom to ask."""

    async def people_for(self, conversation: Conversation, authors: Sequence[str]) -> Sequence[Helper]:
        """Whom to ask in a conversation: who looks after it, and the `authors` of what was found, if they are there.

        Empty where nobody is known.
        """


@dataclass(frozen=True, slots=True)
class LivePassage:
    """Something that was said on a platform."""

    source: str
    """What people call where it is from, such as `slack`."""
    id: str
    """Unique there."""
    title: str
    text: str
    url: str
    """From the platform's own record, never from what somebody wrote."""
    readers: Readers
    """Empty where it is not known who reads there: then nobody does."""
    written: datetime | None = None
    trust: Trust = "team"


@runtime_checkable
class SearchesLive(Protocol):
    """A platform that can be searched at the moment of a question, as whoever asks it."""

    async def search_live(self, to: Outbound, asker: Person, text: str) -> Sequence[LivePassage] | None:
        """What is said there about a text and the asker may read now, best first; None where it is not searched.

        `to` is where the answer goes. The core drops what not everybody there may read, and keeps no copy of the rest.
        Raises `CitebotError`; an answer does not wait for it longer than 1.5 seconds.
        """


@dataclass(frozen=True, slots=True)
class Playground:
    """A fake of a platform's service that runs, for trying the platform in a browser."""

    url: str
    settings: Mapping[str, object]
    """What the platform must be set to."""


@runtime_checkable
class HasPlayground(Protocol):
    """A platform that can be tried without its service."""

    @staticmethod
    def playground(people: Sequence[Person], *, port: int) -> AbstractAsyncContextManager[Playground]:
        """Start the fake on 127.0.0.1 with these people in it."""
