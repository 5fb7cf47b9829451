"""Where documents live."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, runtime_checkable

from citebot.errors import StopSync
from citebot.model import Batch, Document, Failed, Finding, Gone, Group, Json
from citebot.ports.part import Part

if TYPE_CHECKING:
    import httpx


class Log(Protocol):
    """The part of structlog's logger that parts may use; values are redacted before they are written."""

    def debug(self, event: str, **values: Any) -> Any: ...
    def info(self, event: str, **values: Any) -> Any: ...
    def warning(self, event: str, **values: Any) -> Any: ...
    def error(self, event: str, **values: Any) -> Any: ...


class Http(Protocol):
    """A source's only way out: guarded against forbidden addresses, paced, retried, logged (see `citebot.egress`).

    Answers any status that is not worth another try: 2xx, 304 and most of 4xx; the caller reads `status_code`. Cookies
    last as long as the run, or the process where `spec.keeps_session` says so. Raises `StopSync` for a forbidden
    address, `Retry` when the server stayed unable to answer.
    """

    def get(
        self, url: str, *, params: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        """GET, redirects followed, body read within the size limit."""

    def post(
        self,
        url: str,
        *,
        data: Mapping[str, str] | None = None,
        json: Json = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """POST a form (`data`) or JSON. Tried again like a GET: for calls that change nothing."""

    def resolve(self, host: str, port: int) -> str:
        """An address of the host that may be connected to, for a program that must open the connection itself.

        Raises `StopSync` for a forbidden one, `Retry` for a name that is not known.
        """


class NoHttp:
    """For sources that read no network."""

    def get(self, url: str, **_: Any) -> httpx.Response:
        """Refuse."""
        raise StopSync(f"This run has no way to reach {url}.")

    def post(self, url: str, **_: Any) -> httpx.Response:
        """Refuse."""
        raise StopSync(f"This run has no way to reach {url}.")

    def resolve(self, host: str, port: int) -> str:
        """Refuse."""
        raise StopSync(f"This run has no way to reach {host}.")


@dataclass(frozen=True, slots=True)
class SourceContext:
    """What a source may use while it runs."""

    state_dir: Path
    log: Log
    stop: Callable[[], bool]
    """True when the run should end; checked between items."""
    now: Callable[[], datetime]
    progress: Callable[[str], None] = field(default=lambda note: None)
    http: Http = field(default_factory=NoHttp)


@dataclass(frozen=True, slots=True)
class SourceSpec:
    """What the runner must know about a kind of source."""

    feed_reports_deletes: bool = False
    feed_keeps: timedelta | None = None
    silent_edits: bool = False
    ids_are_places: bool = False
    """A document that is moved or renamed gets another id, as a file does. A listing then looks for those that left
    their place among the new ones, by what is in them."""
    keeps_session: bool = False
    """It sees by itself that its session has ended: cookies may outlast a run, in memory, to save the next a login."""
    id_example: str = ""


class Source(Part, Protocol):
    """A place where documents live. Plain synchronous generators, run in a worker thread.

    `list` and `fetch` are required; a source may also have any of `check`, `changes`, `groups`, `may_read`,
    `on_event`, `stamp` with the signatures of the protocols below. Ids never contain titles; page by an immutable key.
    """

    spec: ClassVar[SourceSpec]

    def list(self, ctx: SourceContext, cursor: Json) -> Iterator[Batch]:
        """Every live document as a `Ref`, going on from `cursor` (None: from the start). Raises `StopSync`."""

    def fetch(self, ctx: SourceContext, ids: Sequence[str]) -> Iterator[Document | Gone | Failed]:
        """Exactly one answer for every id asked."""


@runtime_checkable
class ChecksItself(Protocol):
    """A source that can say what is wrong with its set-up."""

    def check(self, ctx: SourceContext) -> Iterable[Finding]:
        """Credentials, reach, rights."""


@runtime_checkable
class ReportsChanges(Protocol):
    """A source with a change feed."""

    def changes(self, ctx: SourceContext, cursor: Json) -> Iterator[Batch]:
        """`Ref` or `Gone` since `cursor`; None means "from now". May raise `CursorExpired`."""


@runtime_checkable
class ReportsGroups(Protocol):
    """A source that knows groups of people."""

    def groups(self, ctx: SourceContext) -> Iterable[Group]:
        """All groups with all their people."""


@runtime_checkable
class ChecksReaders(Protocol):
    """A source that can say live who may read."""

    def may_read(self, ctx: SourceContext, person: str, ids: Sequence[str]) -> set[str]:
        """Those of `ids` that `person` (a team-wide id, as in `Readers`) may read now.

        Someone the source does not know may read what it shows to anybody. May run beside a sync of the same source,
        in an instance of its own; whatever it raises hides the documents.
        """


@dataclass(frozen=True, slots=True)
class SourceEvent:
    """One request to `POST /hooks/{source}`, as it came."""

    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes


@runtime_checkable
class ReceivesEvents(Protocol):
    """A source whose server tells us at once what changed."""

    def on_event(self, ctx: SourceContext, event: SourceEvent) -> Iterable[str]:
        """The ids to fetch again; an event says which, never what is in them.

        Checks the signature itself, over `body`, in constant time. Raises `NotAllowed` for one that is not right.
        """


@runtime_checkable
class CanBeWatched(Protocol):
    """A source that is so cheap to look at that it is read as soon as something in it changes."""

    def stamp(self, ctx: SourceContext) -> str:
        """A text that is another one when a listing would be, or empty: not to be watched.

        Asked every few seconds, less often the longer it takes, in an instance of its own beside the syncs.
        """
