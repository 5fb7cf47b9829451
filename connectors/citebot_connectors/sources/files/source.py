"""A folder as a source: ids are paths, versions are modification times and sizes, the content's hash decides."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from fnmatch import fnmatch
from pathlib import Path
from typing import ClassVar
from urllib.parse import quote

from pydantic import BaseModel

from citebot.errors import StopSync
from citebot.model import Batch, Document, DocumentFormat, Failed, Finding, Gone, Group, Json, Readers, Ref
from citebot.ports import PartContext, SourceContext, SourceSpec
from citebot_connectors.sources.files.front_matter import moment, split, words
from citebot_connectors.sources.files.settings import FilesSettings
from citebot_connectors.sources.files.walking import walk
from citebot_connectors.sources.principals import readers_of

FORMATS: dict[str, DocumentFormat] = {
    ".md": "markdown",
    ".markdown": "markdown",
    ".html": "html",
    ".htm": "html",
    ".txt": "text",
    ".pdf": "pdf",
    ".docx": "docx",
}
BATCH = 500
TRIES = 3


class FilesSource:
    """Reads a folder."""

    name: ClassVar[str] = "files"
    summary: ClassVar[str] = "A folder of Markdown, HTML, text, PDF and DOCX files"
    Settings: ClassVar[type[BaseModel]] = FilesSettings
    spec: ClassVar[SourceSpec] = SourceSpec(id_example="handbook/leave.md")

    def __init__(self, settings: FilesSettings, context: PartContext) -> None:
        self._settings = settings
        self._root = settings.path.expanduser().absolute()
        # Part of every version: other rules mean that every file is looked at again.
        rules = settings.model_dump_json(exclude={"include", "exclude"})
        self._tag = readers_of([rules]).tag

    def check(self, ctx: SourceContext) -> Iterable[Finding]:
        if not self._root.is_dir():
            yield Finding(ok=False, what=f"The folder {self._root} does not exist.", fix="Check the path.")
            return
        try:
            found = sum(1 for _ in self._walk())
        except StopSync as error:
            yield Finding(ok=False, what=str(error), fix="Give the user that runs Citebot the right to read it.")
            return
        wanted = ", ".join(self._settings.include)
        if not found:
            yield Finding(
                ok=False, what=f"{self._root} holds no file that matches {wanted}.", fix="Check path and include."
            )
        else:
            yield Finding(ok=True, what=f"{found} files in {self._root}")
            yield Finding(ok=True, what=f"Readers by default: {', '.join(self._settings.readers) or 'nobody'}")

    def list(self, ctx: SourceContext, cursor: Json) -> Iterator[Batch]:
        if not self._root.is_dir():
            raise StopSync(f"The folder {self._root} does not exist (any more). Nothing was removed.")
        refs: list[Ref] = []
        for relative, stat in self._walk():
            refs.append(Ref(relative, version=_version(stat), readers_tag=self._tag))
            if len(refs) == BATCH:
                yield Batch(tuple(refs))
                refs = []
        yield Batch(tuple(refs))

    def fetch(self, ctx: SourceContext, ids: Sequence[str]) -> Iterator[Document | Gone | Failed]:
        if not self._root.is_dir():
            raise StopSync(f"The folder {self._root} does not exist (any more). Nothing was removed.")
        for relative in ids:
            yield self._read(relative)

    def groups(self, ctx: SourceContext) -> Iterable[Group]:
        if not self._settings.people:
            return ()
        path = self._root / self._settings.people
        try:
            groups = json.loads(path.read_text("utf-8"))["groups"]
            return [Group(name, frozenset(map(str, people))) for name, people in groups.items()]
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise StopSync(
                f"{path} does not hold groups: {type(error).__name__}. Readers stay as they were."
            ) from error

    def _walk(self) -> Iterator[tuple[str, os.stat_result]]:
        for relative, stat in walk(self._root, self._settings.include, self._settings.exclude):
            if relative != self._settings.people:
                yield relative, stat

    def _read(self, relative: str) -> Document | Gone | Failed:
        path = self._root / relative
        try:
            if not path.resolve(strict=True).is_relative_to(self._root.resolve()):
                return Gone(relative, "no_access")
            found = _steady(path)
        except FileNotFoundError:
            return Gone(relative)
        except OSError as error:
            return Failed(relative, f"{relative} cannot be read: {error.strerror}.")
        if found is None:
            return Failed(relative, f"{relative} kept changing while it was read; it will be tried again.")
        data, stat = found
        return self._document(relative, data, stat)

    def _document(self, relative: str, data: bytes, stat: os.stat_result) -> Document | Failed:
        kind = FORMATS.get(Path(relative).suffix.lower(), "text")
        values: dict[str, str] = {}
        body: str | bytes = data
        if kind in ("markdown", "text"):
            if b"\0" in data[:8192]:
                return Failed(relative, f"{relative} is a binary file, whatever its name says.", permanent=True)
            values, body = split(data.decode("utf-8", "replace").replace("\r\n", "\n"))
        elif kind == "html":
            body = data.decode("utf-8", "replace")
        return Document(
            id=relative,
            title=values.get("title") or _title(relative, body, kind),
            body=body,
            readers=self._readers(relative, values),
            url=self._url(relative, values),
            format=kind,
            version=_version(stat),
            kind="file" if kind in ("pdf", "docx") else "page",
            path=tuple(Path(relative).parts[:-1]),
            updated=moment(values.get("updated", "")) or datetime.fromtimestamp(stat.st_mtime, UTC),
            authors=words(values.get("authors", "")),
            language=values.get("language", ""),
        )

    def _readers(self, relative: str, values: dict[str, str]) -> Readers:
        if self._settings.front_matter_readers and "readers" in values:
            return readers_of(words(values["readers"]))
        for rule in self._settings.rules:
            if fnmatch(relative, rule.glob):
                return readers_of(rule.readers)
        return readers_of(self._settings.readers)

    def _url(self, relative: str, values: dict[str, str]) -> str:
        given = values.get("url", "")
        if given.startswith(("https://", "http://")):
            return given
        if self._settings.url_prefix:
            return self._settings.url_prefix.rstrip("/") + "/" + quote(relative)
        return (self._root / relative).as_uri()


def _version(stat: os.stat_result) -> str:
    return f"{stat.st_mtime_ns}-{stat.st_size}"


def _steady(path: Path) -> tuple[bytes, os.stat_result] | None:
    """The content of a file that did not change while it was read; None if it always did."""
    for _ in range(TRIES):
        before = path.stat()
        data = path.read_bytes()
        after = path.stat()
        if _version(before) == _version(after) and len(data) == after.st_size:
            return data, after
    return None


def _title(relative: str, body: str | bytes, kind: str) -> str:
    if kind == "markdown" and isinstance(body, str):
        for line in body.lstrip().split("\n", 3)[:3]:
            if line.startswith("# "):
                return line[2:].strip().rstrip("#").strip()
    return Path(relative).stem.replace("-", " ").replace("_", " ")
