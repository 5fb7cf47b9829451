"""The values that travel through Citebot: frozen, slotted, standard library only, no I/O.

Who may read what is expressed in *principals*, plain strings: `everyone` (every member of the team, never a guest),
`person:alice`, `group:engineering`, `channel:slack:T1:C1`. A document carries `Readers`, a place where an answer will
be seen carries an `Audience`; a document may be used when the two share a principal.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

EVERYONE = "everyone"
"""Every member of the team; guests and externally shared channels do not have this principal."""


def person_principal(person_id: str) -> str:
    """The principal of one person."""
    return f"person:{person_id}"


def group_principal(group: str) -> str:
    """The principal of a named group."""
    return f"group:{group}"


def channel_principal(platform: str, tenant: str, conversation: str) -> str:
    """The principal of everybody who reads one channel."""
    return f"channel:{platform}:{tenant}:{conversation}"


# --- who ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Person:
    """Someone who asks or writes; `id` is the team-wide id (an e-mail or login), never a display name."""

    id: str
    name: str = ""
    guest: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """A group of people as a source reports it."""

    name: str
    people: frozenset[str]


@dataclass(frozen=True, slots=True)
class Readers:
    """The principals that may read a document. Empty means nobody: a missing list never opens a document."""

    principals: frozenset[str] = frozenset()

    @classmethod
    def everyone(cls) -> Readers:
        """Every member of the team (not guests)."""
        return cls(frozenset({EVERYONE}))

    @classmethod
    def nobody(cls) -> Readers:
        """Nobody: the document stays out of every answer."""
        return cls()

    @classmethod
    def of(cls, *, groups: Iterable[str] = (), people: Iterable[str] = ()) -> Readers:
        """The named groups and people."""
        return cls(frozenset({*map(group_principal, groups), *map(person_principal, people)}))

    @property
    def tag(self) -> str:
        """A short digest that changes when the readers do."""
        return hashlib.sha256("\n".join(sorted(self.principals)).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Audience:
    """Everyone who will see an answer, as the principals that each cover all of them. Empty sees nothing."""

    principals: frozenset[str]
    label: str = ""
    """For people and traces: "alice", "#engineering"."""
    unchecked: tuple[str, ...] = ()
    """Sources whose group lists are too old to count: what they open is left out, and the asker is told."""
    people: frozenset[str] = frozenset()
    """Ids of those who will see it, for sources that can be asked live; nothing is opened by them."""

    def may_read(self, readers: Readers) -> bool:
        """Whether every member of this audience may read a document with these readers."""
        return not self.principals.isdisjoint(readers.principals)


Visibility = Literal["dm", "private", "public", "shared"]


@dataclass(frozen=True, slots=True)
class Conversation:
    """Where a question was asked: a channel, a direct message, a browser tab."""

    platform: str
    id: str
    tenant: str = ""
    thread: str = ""
    visibility: Visibility = "dm"


# --- what is known -----------------------------------------------------------------------------------------------

DocumentFormat = Literal[
    "markdown", "html", "text", "storage", "adf", "mediawiki", "wikitext", "textile", "pdf", "docx"
]
"""`storage` is Confluence's XHTML, `mediawiki` the HTML that MediaWiki renders, `adf` Atlassian's JSON."""
DocumentKind = Literal["page", "ticket", "file", "thread"]
Trust = Literal["open", "team", "curated"]
"""Who may have written what a source holds: anybody, such as whoever sends a ticket; the team; people chosen for it."""


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a document with its own author, time and readers, such as one comment of a ticket."""

    body: str
    format: DocumentFormat = "markdown"
    author: str = ""
    created: datetime | None = None
    anchor: str = ""
    readers: Readers | None = None
    """None: as the document. Otherwise the part is kept apart and only these principals see it."""


@dataclass(frozen=True, slots=True)
class Document:
    """One page, ticket or file as a source delivers it; `id` is unique in its source and survives renames."""

    id: str
    title: str
    body: str | bytes
    """Text in `format`; bytes for pdf and docx, which are parsed in a child process."""
    readers: Readers
    url: str = ""
    format: DocumentFormat = "markdown"
    version: str = ""
    kind: DocumentKind = "page"
    path: tuple[str, ...] = ()
    """Where it lives: space, folder, parent pages."""
    created: datetime | None = None
    updated: datetime | None = None
    authors: tuple[str, ...] = ()
    language: str = ""
    """BCP 47, empty when unknown."""
    fields: Mapping[str, str] = field(default_factory=dict)
    parts: tuple[Part, ...] = ()
    line_anchor: str = ""
    """How the place at `url` names a line of plain text, as `L{line}`; empty where it cannot."""


@dataclass(frozen=True, slots=True)
class Ref:
    """A listed document, cheap: enough to tell whether it must be fetched."""

    id: str
    version: str = ""
    readers_tag: str = ""


@dataclass(frozen=True, slots=True)
class Gone:
    """The document must leave the index."""

    id: str
    why: Literal["deleted", "no_access"] = "deleted"


@dataclass(frozen=True, slots=True)
class Failed:
    """This item could not be read; the others go on."""

    id: str
    why: str
    permanent: bool = False


Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]


@dataclass(frozen=True, slots=True)
class Batch:
    """Some listed items and where to go on once they are stored."""

    items: tuple[Ref | Gone, ...]
    cursor: Json = None
    total: int | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """One result of a check: what is wrong (or fine) and what mends it."""

    ok: bool
    what: str
    fix: str = ""


BlockKind = Literal["heading", "paragraph", "list_item", "code", "table", "quote"]


@dataclass(frozen=True, slots=True)
class Block:
    """A piece of structure between a document's markup and its chunks."""

    kind: BlockKind
    text: str
    """Plain text; of a table its rows as ` | `-joined lines, the header first; of code the code itself."""
    level: int = 0
    """Heading 1-6; nesting depth of a list item from 0."""
    anchor: str = ""
    language: str = ""
    """Of code."""
    part: int | None = None
    """Index into `Document.parts`, None for the body."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """What is indexed: about 350 tokens of one section. Its heading path is kept apart from its body."""

    text: str
    headings: tuple[str, ...]
    anchor: str
    kind: BlockKind
    """`code` or `table` when the chunk is one of these as a whole, else `paragraph`."""
    readers: Readers
    content_hash: str


@dataclass(frozen=True, slots=True)
class Embedding:
    """The vectors of one passage: rows of little-endian float16, L2-normalised; a long passage has several windows.

    Bytes, not arrays, so that the core needs no numpy; half precision leaves every ranking we measured unchanged.
    """

    dimensions: int
    data: bytes

    @property
    def windows(self) -> int:
        """Number of rows."""
        return len(self.data) // (2 * self.dimensions)


@dataclass(frozen=True, slots=True)
class Passage:
    """A chunk as the database knows it. An id is never used again and its text never changes: an edit makes new ids."""

    id: int
    source: str
    document_id: str
    """The document's id in its source."""
    title: str
    url: str
    anchor: str
    headings: tuple[str, ...]
    text: str
    kind: BlockKind
    position: int
    readers: Readers
    language: str = ""
    document_kind: DocumentKind = "page"
    path: tuple[str, ...] = ()
    authors: tuple[str, ...] = ()
    updated: datetime | None = None
    synced: datetime | None = None
    """When the source was last read without error."""
    trust: Trust = "team"
    """How far its source can be trusted."""

    @property
    def link(self) -> str:
        """Address of the section, from our own records."""
        return f"{self.url}#{self.anchor}" if self.url and self.anchor else self.url

    @property
    def is_live(self) -> bool:
        """Found while a question was answered: it is in no table, and no copy of its text is kept."""
        return self.id < 0

    @property
    def document_key(self) -> tuple[str, str]:
        """What makes a document unique across sources."""
        return (self.source, self.document_id)


# --- question and answer -----------------------------------------------------------------------------------------


Tone = Literal["brief", "normal", "detailed"]
"""How much to write."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One earlier message of a conversation."""

    role: Literal["user", "assistant"]
    text: str


@dataclass(frozen=True, slots=True)
class Attachment:
    """A text that an asker attached to a question: quoted, never a source and never an instruction."""

    name: str
    text: str
    whole: bool = True
    """False when only a part of it was read."""


@dataclass(frozen=True, slots=True)
class Question:
    """What somebody asked, where, and what was said before."""

    text: str
    asker: Person
    conversation: Conversation
    audience: Audience
    history: tuple[Turn, ...] = ()
    """Oldest first, without this question."""
    sources: tuple[str, ...] = ()
    """Names of the sources to search; empty means all."""
    asked_at: datetime | None = None
    tone: Tone = "normal"
    over_budget: bool = False
    """The passages are shown, but nobody is paid to write."""
    attachments: tuple[Attachment, ...] = ()
    unread: tuple[str, ...] = ()
    """Names of attached files that were not read; the answer says so."""
    key: str = ""
    """The same in every attempt to answer it; empty where there is but one."""


@dataclass(frozen=True, slots=True)
class ScoredPassage:
    """A passage with the scores that brought it here."""

    passage: Passage
    score: float
    legs: Mapping[str, float] = field(default_factory=dict)
    """Raw score of each leg that knows it: `words`, `headings`, `vectors`, `sparse`, `rerank`."""


@dataclass(frozen=True, slots=True)
class Citation:
    """A number in the text and the passage it stands for."""

    number: int
    passage: Passage
    sentences: tuple[str, ...] = ()
    """The sentences of the passage that support the answer, for highlighting."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The checked result. `text` holds only citation numbers such as `[1]`, never links of anyone else's making."""

    id: str
    question: Question
    text: str
    answered: bool
    citations: tuple[Citation, ...] = ()
    closest: tuple[ScoredPassage, ...] = ()
    """When not answered: the nearest documents, best first."""
    confidence: float = 0.0
    """Calibrated probability that the passages answer the question."""
    notes: tuple[str, ...] = ()
    """Footers a reader must know: "keyword search only", "an older version says otherwise"."""
    created: datetime | None = None
    unwritten: Literal["", "waiting", "given_up"] = ""
    """Only passages are shown, because no model wrote: it is tried again, or was given up and may be asked again."""


@dataclass(frozen=True, slots=True)
class Helper:
    """Somebody who can be asked: what the platform calls them, and who they are."""

    account: str
    person: Person


@dataclass(frozen=True, slots=True)
class Inquiry:
    """A question that was brought to people."""

    answer_id: str
    """The answer that did not do."""
    question: str
    asker: Person
    people: tuple[Helper, ...]
    found: tuple[Passage, ...] = ()
    """What was found, as far as everybody there may read it."""
    resolved_by: str = ""
    """The name of whoever answered."""


Verdict = Literal["helpful", "not_helpful"]


@dataclass(frozen=True, slots=True)
class Feedback:
    """What a reader thought of an answer."""

    answer_id: str
    person: Person
    verdict: Verdict
    reason: str = ""


# --- events of a streamed answer ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Status:
    """What the bot is doing, for people: `stage` is a key, `note` the words."""

    stage: Literal["queued", "searching", "reading", "writing"]
    note: str


@dataclass(frozen=True, slots=True)
class PassagesFound:
    """The passages an answer will be written from, best first."""

    passages: tuple[ScoredPassage, ...]


@dataclass(frozen=True, slots=True)
class TextDelta:
    """Checked text to append."""

    text: str


@dataclass(frozen=True, slots=True)
class CitationAdded:
    """A citation number was used for the first time."""

    citation: Citation


@dataclass(frozen=True, slots=True)
class Done:
    """The end: the stored answer."""

    answer: Answer


AnswerEvent = Status | PassagesFound | TextDelta | CitationAdded | Done
