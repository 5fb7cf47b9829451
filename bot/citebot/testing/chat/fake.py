"""A fake platform as tests hold it: begin, end, make things go wrong, wait."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, Protocol, Self, TypeVar

from citebot.testing.chat.changes import Changes
from citebot.testing.chat.faults import Faults
from citebot.testing.chat.site import Site

T = TypeVar("T")
Json = dict[str, Any]


class NotPossible(Exception):
    """A test asked a person to do what the platform would not offer them."""


class Answered(Protocol):
    """How an app took what a person did."""

    @property
    def acked(self) -> bool:
        """Whether it answered in time."""

    @property
    def reason(self) -> str:
        """Why it did not."""


@dataclass(slots=True)
class Delivery:
    """One thing sent to an app, and how it went."""

    app_id: str
    kind: str
    """What it is, by the platform's own names."""
    body: Json
    began: float
    """By the steady clock."""
    ack_seconds: float | None = None
    """Real seconds until the app took it."""
    reason: str = ""
    """Why it did not."""
    over: bool = False

    @property
    def acked(self) -> bool:
        """Whether the app took it in time."""
        return self.ack_seconds is not None


@dataclass(slots=True)
class Settings:
    """What a test may change at any time."""

    rates: bool = True
    """Whether calls are limited."""
    copies: int = 1
    """How often every event is delivered; platforms promise at least once."""


class Core(Changes):
    """What every fake keeps."""

    faults: Faults
    url: str


C = TypeVar("C", bound=Core)


class Fake(ABC, Generic[C]):
    """Listens on 127.0.0.1 between `async with`."""

    core: C
    _site: Site

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Begin to listen."""
        self.core.url = await self._site.start()

    async def stop(self) -> None:
        """End all connections."""
        self.faults.clear()
        await self.hang_up()
        await self._site.stop()

    @abstractmethod
    async def hang_up(self) -> None:
        """End the connections to apps."""

    @abstractmethod
    def report(self) -> str:
        """How things stand, for the message of a wait that was in vain."""

    @property
    def url(self) -> str:
        """Where it listens; a browser sees there what people see."""
        return self.core.url

    @property
    def faults(self) -> Faults:
        """What can be made to go wrong with calls of the API."""
        return self.core.faults

    async def until(self, condition: Callable[[], T], *, timeout: float = 30.0) -> T:
        """Wait until a condition about all this is true; its value."""
        return await self.core.until(condition, timeout=timeout, report=self.report)

    async def settled(self, *, quiet: float = 0.1, timeout: float = 30.0) -> None:
        """Wait until every delivery has ended, no call is under way, and nothing has happened for a moment."""
        await self.core.settled(quiet=quiet, timeout=timeout, report=self.report)
