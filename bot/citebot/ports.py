"""The swappable parts, as protocols. A plugin registers classes that fit one of them (see `citebot.hookspecs`).

Every class carries `name` (what settings call it), `summary` (one line for lists) and `Settings` (a pydantic model for
its own section), and is built as `Part(settings, context)` with `settings` already validated. Building must be cheap:
load models and open files in `open`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, runtime_checkable

from pydantic import BaseModel

from citebot.errors import StopSync
from citebot.model import (
    Answer,
    AnswerEvent,
    Audience,
    Batch,
    Citation,
    Conversation,
    Document,
    Embedding,
    Failed,
    Feedback,
    Finding,
    Gone,
    Group,
    Json,
    Passage,
    Person,
    Question,
    Readers,
    ScoredPassage,
    Status,
    Turn,
)

if TYPE_CHECKING:
    import httpx


@dataclass(frozen=True, slots=True)
class PartContext:
    """What a part gets from its host."""

    data_dir: Path
    """A folder of this part's own; created on first use by the part."""


class Part(Protocol):
    """What all registered classes have in common."""

    name: ClassVar[str]
    summary: ClassVar[str]
    Settings: ClassVar[type[BaseModel]]

    def __init__(self, settings: Any, context: PartContext) -> None: ...


class NoSettings(BaseModel):
    """For parts without settings."""

    model_config = {"extra": "forbid"}


# --- index -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """A passage as the index gets it; text never changes under one id, readers may."""

    id: int
    source: str
    text: str
    heading: str
    """Title and heading path in one line, and a leg of its own."""
    readers: Readers
    language: str = ""
    updated: datetime | None = None


@dataclass(frozen=True, slots=True)
class IndexChanges:
    """Changes up to log position `seq`. Applying the same changes twice ends in the same state."""

    seq: int
    puts: tuple[IndexEntry, ...] = ()
    """New passages, and known ones whose readers changed."""
    removals: tuple[int, ...] = ()
    vectors: tuple[tuple[int, Embedding], ...] = ()
    """For ids that were put before or in these changes."""
    vector_model: str = ""
    """Which model made `vectors`; vectors of another model are refused until `reset`."""


@dataclass(frozen=True, slots=True)
class IndexQuery:
    """One search over all legs, under one audience."""

    audience: Audience
    text: str
    """The words to look for, query stop words already removed."""
    context_text: str = ""
    """Terms of the previous turn, weighted by `context_weight`."""
    context_weight: float = 0.2
    vector: Embedding | None = None
    """One row, of the model named below; None leaves the vector leg out."""
    vector_model: str = ""
    sources: tuple[str, ...] = ()
    """Empty means all."""
    limit: int = 200
    """Per leg."""


@dataclass(frozen=True, slots=True)
class IndexHits:
    """Raw scores per leg and passage id. Every id passed the audience and source filter inside the index."""

    legs: Mapping[str, Mapping[int, float]]
    """`words` (BM25), `headings` (BM25 over the heading line), `vectors` (cosine; may also score ids that only the
    other legs found, where that is cheap), `sparse` (learned sparse, reserved)."""
    partial: bool = False
    """Part of the index did not answer."""
    vectors_ready: float = 1.0
    """Share of passages that have vectors, 0..1."""


@dataclass(frozen=True, slots=True)
class IndexStats:
    """What an index holds."""

    passages: int
    vectors: int
    vector_model: str
    seq: int
    bytes: int


class Index(Part, Protocol):
    """Finds passages. Everything in it can be rebuilt from the database, whose log (`seq`) it follows.

    Raises `IndexUnavailable` when it cannot answer. Methods may be called from one event loop, concurrently; `apply`
    is called by one caller at a time.
    """

    async def open(self) -> None:
        """Open or create; a damaged index is set aside and starts empty at position 0."""

    async def close(self) -> None:
        """Release files and connections; nothing applied is lost."""

    async def position(self) -> int:
        """The last `seq` that is durably applied; 0 when empty."""

    async def apply(self, changes: IndexChanges) -> None:
        """Apply durably, then move `position` to `changes.seq`. Killed half-way, the old position stands."""

    async def search(self, query: IndexQuery) -> IndexHits:
        """Search all legs with the audience and source filters inside the search itself."""

    async def purge(self) -> None:
        """Make removed text and vectors unrecoverable from the index's files."""

    async def reset(self) -> None:
        """Drop everything, position 0, any vector model welcome."""

    async def stats(self) -> IndexStats:
        """What it holds now."""


# --- models ------------------------------------------------------------------------------------------------------


class Embedder(Part, Protocol):
    """Turns text into vectors."""

    @property
    def model_id(self) -> str:
        """Names weights and settings, known once open: vectors of two ids are never compared with each other."""

    @property
    def dimensions(self) -> int:
        """Length of a row, known once open."""

    async def open(self) -> None:
        """Load the model; raises `ModelUnavailable` with what helps."""

    async def close(self) -> None:
        """Free it."""

    async def embed_passages(self, texts: Sequence[str]) -> list[Embedding]:
        """One embedding per text, in order; long texts get several windows. Never blocks the event loop."""

    async def embed_query(self, text: str) -> Embedding:
        """One row."""


class Reranker(Part, Protocol):
    """Orders a short list again."""

    async def open(self) -> None:
        """Load or connect."""

    async def close(self) -> None:
        """Free it."""

    async def rerank(self, question: str, passages: Sequence[ScoredPassage]) -> list[float]:
        """One relevance score per passage, in the order given; higher is better."""


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """What a generator may know: the question, and numbered passages that the audience may read."""

    question: str
    """Standalone: understandable without the history."""
    original: str
    """As asked."""
    passages: tuple[ScoredPassage, ...]
    """Citation number n stands for `passages[n-1]`."""
    history: tuple[Turn, ...] = ()
    query_vector: Embedding | None = None
    embed: Callable[[Sequence[str]], Awaitable[list[Embedding]]] | None = None
    """Embeds sentences with the model of `query_vector`; raises `ModelUnavailable`."""
    deadline: float = 30.0
    """Seconds for the whole text."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A piece of unchecked text with citation numbers like `[2]` in it."""

    text: str


class Generator(Part, Protocol):
    """Writes an answer from passages. Its text is a draft: the core checks every sentence before anyone sees it."""

    async def open(self) -> None:
        """Load or connect."""

    async def close(self) -> None:
        """Free it."""

    def generate(self, request: GenerationRequest) -> AsyncIterator[Draft | Status]:
        """Stream a draft; raises `ModelUnavailable`."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """A judge's opinion on one answer."""

    score: float
    """0..1."""
    reason: str = ""


class Judge(Part, Protocol):
    """Rates answers in evaluation."""

    async def judge(self, answer: Answer, *, aspect: str, reference: str = "") -> Judgement:
        """Rate one aspect (`coherence`, `factual_accuracy`)."""


# --- sources -----------------------------------------------------------------------------------------------------


class Log(Protocol):
    """The part of structlog's logger that parts may use; values are redacted before they are written."""

    def debug(self, event: str, **values: Any) -> Any: ...
    def info(self, event: str, **values: Any) -> Any: ...
    def warning(self, event: str, **values: Any) -> Any: ...
    def error(self, event: str, **values: Any) -> Any: ...


class Http(Protocol):
    """A source's only way out: guarded against forbidden addresses, paced, retried, logged (see `citebot.egress`).

    Answers any status that is not worth another try: 2xx, 304 and most of 4xx; the caller reads `status_code`. Cookies
    last as long as the run. Raises `StopSync` for a forbidden address, `Retry` when the server stayed unable to answer.
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
    id_example: str = ""


class Source(Part, Protocol):
    """A place where documents live. Plain synchronous generators, run in a worker thread.

    `list` and `fetch` are required; a source may also have any of `check`, `changes`, `groups`, `may_read`,
    `on_event` with the signatures of the protocols below. Ids never contain titles; page by an immutable key.
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


# --- platforms ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a platform can show; the core falls back where it cannot."""

    stream: bool = False
    edit: bool = False
    threads: bool = False
    buttons: bool = False
    private_answers: bool = False
    text_limit: int = 4000
    """Characters per message."""
    edits_per_second: float = 1.0


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


@dataclass(frozen=True, slots=True)
class Outbound:
    """Where an answer goes, and the key that makes sending it twice harmless."""

    conversation: Conversation
    reply_to: str
    """The question's `message_id`."""
    idempotency_key: str


class OpenAnswer(Protocol):
    """An answer that is being shown."""

    async def status(self, status: Status) -> None:
        """Say what is going on."""

    async def append(self, text: str, citations: Sequence[Citation] = ()) -> None:
        """Add checked text, and the citations it used for the first time."""

    async def finish(self, answer: Answer) -> None:
        """Show the complete answer; after this nothing changes."""

    async def abort(self, notice: str) -> None:
        """Say honestly that no answer comes."""


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


class Desk(Protocol):
    """What the core does for a platform. Everything that shows text takes the viewer and checks again."""

    async def accept(self, inbound: Inbound) -> int:
        """Store a question durably and return its job id; only after this may the platform acknowledge it."""

    async def stop(self, job: int) -> None:
        """Stop an answer that is being written; it ends where it is."""

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

    async def problems(self) -> Sequence[str]:
        """Why the core is not ready, one line each; empty when it is."""

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


class Platform(Part, Protocol):
    """A place where people ask."""

    capabilities: ClassVar[Capabilities]

    async def run(self, desk: Desk) -> None:
        """Listen until cancelled."""

    async def open_answer(self, to: Outbound) -> OpenAnswer:
        """Begin to show an answer; the same idempotency key finds the same message again."""

    async def seen_by(self, conversation: Conversation, asker: Person) -> frozenset[Person] | None:
        """The people who will see an answer there; None when that cannot be known, which allows no document."""


__all__ = [
    "Audience",
    "Capabilities",
    "ChatApp",
    "ChecksItself",
    "ChecksReaders",
    "Desk",
    "DocumentView",
    "Draft",
    "Embedder",
    "GenerationRequest",
    "Generator",
    "Inbound",
    "Index",
    "IndexChanges",
    "IndexEntry",
    "IndexHits",
    "IndexQuery",
    "IndexStats",
    "Judge",
    "Judgement",
    "Log",
    "NoSettings",
    "OpenAnswer",
    "OpensChat",
    "Outbound",
    "Part",
    "PartContext",
    "Passage",
    "Platform",
    "Question",
    "ReportsChanges",
    "ReportsGroups",
    "Reranker",
    "Source",
    "SourceContext",
    "SourceSpec",
    "SourceStatus",
]
