"""From a fetched document to rows to save: hook, blocks, chunks, content hash. No database in here."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import structlog

from citebot.errors import SkipDocument
from citebot.ingest.chunking import make_chunks
from citebot.ingest.moves import HALF, Moves
from citebot.ingest.parsing import Parser
from citebot.model import Document, Failed, Gone
from citebot.settings import IngestSettings
from citebot.storage.documents import Known, ToSave
from citebot.storage.todo import Todo

log = structlog.get_logger("citebot.ingest")

CHUNKER = "2"
"""Part of every content hash: raise it when chunks of unchanged text come out differently."""
MAX_TITLE = 1_000
MAX_NAME = 300
"""Characters of an author's name and of one step of the path …"""
MAX_NAMES = 30
"""… and how many of them are kept."""
MAX_URL = 4_000

Hook = Callable[[str, Document], Document]
"""(source name, document) → the document to index."""


@dataclass(slots=True)
class Outcome:
    """What became of one batch of fetched documents."""

    save: list[ToSave] = field(default_factory=list)
    same: list[Todo] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    failed: list[Failed] = field(default_factory=list)
    hide: list[str] = field(default_factory=list)
    """Stored documents whose readers have changed while their new text cannot be read."""

    def fail(self, failed: Failed, known: Known | None, *, closed: bool) -> None:
        """Note a failure; what is stored stays as it is, unless others may read it now."""
        self.failed.append(failed)
        if known is not None and closed and known.readers.principals:
            self.hide.append(failed.id)

    @property
    def empty(self) -> bool:
        """Whether there is nothing to write."""
        return not (self.save or self.same or self.gone or self.failed)

    @property
    def done(self) -> list[str]:
        """What need not be fetched any more, but for what has gone: that is still to be allowed."""
        return [item.document.id for item in self.save] + [item.external_id for item in self.same]


class Preparer:
    """Prepares the documents of one source."""

    def __init__(self, source: str, settings: IngestSettings, hook: Hook, parser: Parser | None = None) -> None:
        self._source = source
        self._settings = settings
        self._hook = hook
        self.moves = Moves()
        """What a new document may have been before."""
        self._parser = parser or Parser(settings)
        self._keeps_parser = parser is not None

    def close(self) -> None:
        """End the parser, unless it was given to outlast the run."""
        if not self._keeps_parser:
            self._parser.close()

    def add(
        self, outcome: Outcome, item: Document | Gone | Failed, todo: Todo, known: Known | None, *, sweep: int
    ) -> None:
        """Sort one answer of the source into the outcome."""
        if isinstance(item, Gone):
            outcome.gone.append(item.id)
        elif isinstance(item, Failed):
            outcome.fail(item, known, closed=known is not None and known.readers_tag != todo.readers_tag)
        else:
            try:
                self._document(outcome, self._hook(self._source, item), todo, known, sweep)
            except SkipDocument as error:
                failed = Failed(item.id, str(error), permanent=True)
                outcome.fail(failed, known, closed=known is not None and known.readers != item.readers)
            except Exception as error:  # noqa: BLE001 - whatever one document breaks, the others go on
                log.warning("document not read", source=self._source, document=item.id, error=repr(error))
                failed = Failed(item.id, f"{item.id} cannot be read: {type(error).__name__}.", permanent=True)
                outcome.fail(failed, known, closed=True)

    def _document(self, outcome: Outcome, document: Document, todo: Todo, known: Known | None, sweep: int) -> None:
        digest = content_hash(document, self._settings)
        unchanged = known is not None and known.readers == document.readers
        # An event or a feed may name a document without saying its version: what is known of it must not be lost.
        version = todo.version or document.version
        tag = todo.readers_tag or (known.readers_tag if known and unchanged else "")
        if known and known.content_hash == digest and unchanged:
            outcome.same.append(replace(todo, version=version, readers_tag=tag))
            return
        blocks = self._parser.blocks(document)
        chunks = make_chunks(
            document, blocks, target=self._settings.chunk_tokens, minimum=self._settings.chunk_min_tokens
        )
        came_from = self.moves.origin_of(digest, document.title) if known is None else ""
        outcome.save.append(ToSave(_bounded(document), chunks, digest, tag, version, sweep, came_from))


def content_hash(document: Document, settings: IngestSettings) -> str:
    """Digest of everything that shapes passages, but for the document's readers: those change without new text.

    The first half is that of the body alone, see `moves`.
    """
    body = document.body
    content = hashlib.sha256(body if isinstance(body, bytes) else body.encode("utf-8", "surrogatepass"))
    digest = hashlib.sha256()
    facts = (
        *(CHUNKER, settings.chunk_tokens, settings.chunk_min_tokens),
        *(document.title, document.url, document.format, document.kind, document.language, str(document.updated)),
        *(document.path, document.authors, sorted(document.fields.items())),
        # Without any reader, the document's parts have none either.
        bool(document.readers.principals),
        [
            (part.body, part.format, part.author, str(part.created), part.anchor, part.readers and part.readers.tag)
            for part in document.parts
        ],
    )
    if document.line_anchor:
        digest.update(document.line_anchor.encode())
    digest.update(repr(facts).encode("utf-8", "surrogatepass"))
    return content.hexdigest()[:HALF] + digest.hexdigest()[:HALF]


def _bounded(document: Document) -> Document:
    """Every passage comes with these: what is endless in one document must not be so in each of its passages."""
    return replace(
        document,
        title=_cut(document.title, MAX_TITLE),
        path=tuple(_cut(name, MAX_NAME) for name in document.path[:MAX_NAMES]),
        authors=tuple(_cut(name, MAX_NAME) for name in document.authors[:MAX_NAMES]),
        # Half an address leads nowhere.
        url=document.url if len(document.url) <= MAX_URL else "",
    )


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
