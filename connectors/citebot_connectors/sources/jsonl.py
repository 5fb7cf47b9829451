"""The source `jsonl`: one document a line, the door for exports of anything.

A line is an object with `id` (or `_id`), `title`, one of `text`, `markdown`, `html`, and as far as known `url`,
`readers`, `updated`, `created`, `authors`, `kind`, `language`, `path`, `fields` and `parts` (comments with `author`,
`created`, `readers`, `anchor` and one of the texts).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from citebot import hookimpl
from citebot.errors import StopSync
from citebot.model import Batch, Document, DocumentFormat, Failed, Finding, Gone, Json, Part, Readers, Ref
from citebot.ports import PartContext, SourceContext, SourceSpec
from citebot_connectors.sources.principals import readers_of

BATCH = 1_000
LONGEST_ID = 512
TEXTS: tuple[tuple[str, DocumentFormat], ...] = (("markdown", "markdown"), ("html", "html"), ("text", "text"))
KINDS = ("page", "ticket", "file", "thread")


class JsonlSettings(BaseModel):
    """A file or a folder of files."""

    model_config = ConfigDict(extra="forbid")
    path: Path = Field(description="A .jsonl file, or a folder of them.")
    default_readers: list[str] = Field([], description="Who may read a line that names no readers; empty means nobody.")


class JsonlSource:
    """Reads JSON lines. The listing remembers where each line begins, so that fetching one does not read the file."""

    name: ClassVar[str] = "jsonl"
    summary: ClassVar[str] = "JSON lines, one document a line: bring your own export"
    Settings: ClassVar[type[BaseModel]] = JsonlSettings
    spec: ClassVar[SourceSpec] = SourceSpec(id_example="TICKET-1")

    def __init__(self, settings: JsonlSettings, context: PartContext) -> None:
        self._path = settings.path.expanduser().absolute()
        self._default = tuple(settings.default_readers)
        self._places: dict[str, tuple[Path, int, str]] | None = None
        """Id → file, offset of its line, digest of the line."""
        self._bad: list[str] = []

    def check(self, ctx: SourceContext) -> Iterable[Finding]:
        try:
            places = self._read_places()
        except StopSync as error:
            yield Finding(ok=False, what=str(error), fix="Check the path.")
            return
        yield Finding(ok=bool(places), what=f"{len(places)} documents in {self._path}")
        yield from (Finding(ok=False, what=line, fix="Mend that line; the others are read.") for line in self._bad[:5])
        yield Finding(ok=True, what=f"Readers of lines that name none: {', '.join(self._default) or 'nobody'}")

    def list(self, ctx: SourceContext, cursor: Json) -> Iterator[Batch]:
        self._places = self._read_places()
        for line in self._bad:
            ctx.log.warning("line not read", why=line)
        if self._bad:
            ctx.progress(f"{len(self._bad)} lines could not be read: {self._bad[0]}")
        tag = readers_of(self._default).tag
        refs = [Ref(key, version=digest, readers_tag=tag) for key, (_, _, digest) in self._places.items()]
        for at in range(0, max(1, len(refs)), BATCH):
            yield Batch(tuple(refs[at : at + BATCH]))

    def fetch(self, ctx: SourceContext, ids: Sequence[str]) -> Iterator[Document | Gone | Failed]:
        places = self._places = self._places if self._places is not None else self._read_places()
        opened: dict[Path, Any] = {}
        try:
            for key in ids:
                if key not in places:
                    yield Gone(key)
                    continue
                path, offset, digest = places[key]
                stream = opened.get(path) or opened.setdefault(path, path.open("rb"))
                stream.seek(offset)
                yield self._document(key, stream.readline(), digest)
        finally:
            for stream in opened.values():
                stream.close()

    def _files(self) -> Sequence[Path]:
        if self._path.is_dir():
            return sorted(self._path.glob("*.jsonl"))
        if self._path.is_file():
            return [self._path]
        raise StopSync(f"{self._path} does not exist (any more). Nothing was removed.")

    def _read_places(self) -> dict[str, tuple[Path, int, str]]:
        places: dict[str, tuple[Path, int, str]] = {}
        self._bad = []
        for path in self._files():
            try:
                with path.open("rb") as stream:
                    self._read_file(path, stream, places)
            except OSError as error:
                raise StopSync(f"{path} cannot be read: {error.strerror}. Nothing was removed.") from error
        return places

    def _read_file(self, path: Path, stream: Any, places: dict[str, tuple[Path, int, str]]) -> None:
        offset = 0
        for number, line in enumerate(stream, 1):
            start, offset = offset, offset + len(line)
            if not line.strip():
                continue
            where = f"{path.name} line {number}"
            try:
                key = _id(json.loads(line))
            except (ValueError, TypeError, KeyError, RecursionError) as error:
                self._bad.append(f"{where}: {_why(error)}")
                continue
            if key in places:
                self._bad.append(f"{where}: the id {key} was used before; the first line counts")
                continue
            places[key] = (path, start, hashlib.sha256(line).hexdigest()[:32])

    def _document(self, key: str, line: bytes, digest: str) -> Document | Failed:
        try:
            row = json.loads(line)
            if _id(row) != key:
                return Failed(key, f"{key}: the file changed while it was read; it will be tried again.")
            return self._built(key, row, digest)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            return Failed(key, f"{key}: {_why(error)}", permanent=True)

    def _built(self, key: str, row: dict[str, Any], digest: str) -> Document:
        body, kind = _text(row)
        return Document(
            id=key,
            title=str(row.get("title") or ""),
            body=body,
            readers=self._readers(row, readers_of(self._default)) or Readers.nobody(),
            url=str(row.get("url") or ""),
            format=kind,
            version=digest,
            kind=row["kind"] if row.get("kind") in KINDS else "page",
            path=tuple(map(str, row.get("path") or ())),
            created=_moment(row.get("created")),
            updated=_moment(row.get("updated")),
            authors=tuple(map(str, row.get("authors") or ())),
            language=str(row.get("language") or ""),
            fields={str(name): str(value) for name, value in (row.get("fields") or {}).items()},
            parts=tuple(self._part(part) for part in row.get("parts") or ()),
        )

    def _part(self, row: dict[str, Any]) -> Part:
        body, kind = _text(row)
        return Part(
            body=body,
            format=kind,
            author=str(row.get("author") or ""),
            created=_moment(row.get("created")),
            anchor=str(row.get("anchor") or ""),
            readers=self._readers(row, None),
        )

    def _readers(self, row: dict[str, Any], missing: Readers | None) -> Readers | None:
        given = row.get("readers")
        if given is None:
            return missing
        names = [given] if isinstance(given, str) else [str(name) for name in given]
        return readers_of(names)


def _id(row: Any) -> str:
    if not isinstance(row, dict):
        raise TypeError("it is not an object")
    key = row.get("id", row.get("_id"))
    if not isinstance(key, str | int) or isinstance(key, bool) or not str(key).strip():
        raise KeyError("it has no id")
    if len(str(key).encode()) > LONGEST_ID:
        raise ValueError(f"its id is longer than {LONGEST_ID} bytes")
    return str(key)


def _text(row: dict[str, Any]) -> tuple[str, DocumentFormat]:
    for name, kind in TEXTS:
        if isinstance(row.get(name), str):
            return row[name], kind
    raise KeyError("it has none of markdown, html, text")


def _moment(value: Any) -> datetime | None:
    if not value:
        return None
    if isinstance(value, int | float):
        return datetime.fromtimestamp(value, UTC)
    found = datetime.fromisoformat(str(value))
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _why(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"not JSON ({error.msg} at column {error.colno})"
    if isinstance(error, UnicodeDecodeError):
        return "not UTF-8"
    return str(error.args[0]) if error.args else type(error).__name__


@hookimpl
def citebot_register_sources() -> Sequence[type[JsonlSource]]:
    """JSON lines."""
    return [JsonlSource]
