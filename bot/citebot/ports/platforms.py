"""Where people ask."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import ClassVar, Protocol, runtime_checkable

from citebot.model import Conversation, Finding, Helper, Person
from citebot.ports.desk import Actor, Desk, Role
from citebot.ports.part import Part
from citebot.ports.showing import Capabilities


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
