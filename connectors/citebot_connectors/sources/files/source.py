"""A folder as a source: ids are paths, versions are modification times and sizes, the content's hash decides."""

from __future__ import annotations

import html
import os
import re
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
from citebot_connectors.sources.files.decoding import decode
from citebot_connectors.sources.files.front_matter import moment, split, words
from citebot_connectors.sources.files.groups import read_groups
from citebot_connectors.sources.files.reading import read_file, version_of
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
BATCH = 1_000
_CLOSING = re.compile(r"\s+#+$")
_TITLE = re.compile(r"<title[^>]{0,200}>(.{1,1000}?)</title", re.DOTALL | re.IGNORECASE)


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
        try:
            self._must_exist()
            found = sum(1 for _ in self._walk(ctx))
            groups = list(self.groups(ctx))
        except StopSync as error:
            yield Finding(ok=False, what=str(error), fix="Check path and people.")
            return
        wanted = ", ".join(self._settings.include)
        if not found:
            yield Finding(
                ok=False,
                what=f"{self._root} holds no file that matches {wanted}.",
                fix="Check path and include; links need follow_links.",
            )
            return
        yield Finding(ok=True, what=f"{found:,} files in {self._root}")
        yield Finding(ok=True, what=f"Readers of what no rule names: {', '.join(self._settings.readers) or 'nobody'}")
        if groups:
            yield Finding(ok=True, what=f"{len(groups)} groups in {self._settings.people}")

    def list(self, ctx: SourceContext, cursor: Json) -> Iterator[Batch]:
        self._must_exist()
        refs: list[Ref] = []
        for relative, found in self._walk(ctx):
            refs.append(Ref(relative, version=version_of(found), readers_tag=self._tag))
            if len(refs) == BATCH:
                yield Batch(tuple(refs))
                refs = []
        yield Batch(tuple(refs))

    def fetch(self, ctx: SourceContext, ids: Sequence[str]) -> Iterator[Document | Gone | Failed]:
        self._must_exist()
        for relative in ids:
            found = read_file(self._root, relative, links=self._settings.follow_links)
            yield self._document(ctx, relative, *found) if isinstance(found, tuple) else found

    def groups(self, ctx: SourceContext) -> Iterable[Group]:
        return read_groups(self._root / self._settings.people) if self._settings.people else ()

    def _must_exist(self) -> None:
        if not self._root.is_dir():
            what = "is no folder" if self._root.exists() else "does not exist (any more)"
            raise StopSync(f"{self._root} {what}. Nothing was removed.")

    def _walk(self, ctx: SourceContext) -> Iterator[tuple[str, os.stat_result]]:
        def note(line: str) -> None:
            ctx.log.warning("file left out", why=line)
            ctx.progress(line)

        chosen = self._settings
        for relative, found in walk(self._root, chosen.include, chosen.exclude, links=chosen.follow_links, note=note):
            if relative != self._settings.people:
                yield relative, found

    def _document(self, ctx: SourceContext, relative: str, data: bytes, found: os.stat_result) -> Document | Failed:
        kind = FORMATS.get(Path(relative).suffix.lower(), "text")
        values: dict[str, str] = {}
        body: str | bytes = data
        if kind in ("markdown", "text", "html"):
            decoded = decode(data, html=kind == "html")
            if decoded is None:
                return Failed(relative, f"{relative} is a binary file, whatever its name says.", permanent=True)
            body, note = decoded
            if note:
                ctx.log.warning("text damaged", file=relative, why=note)
                ctx.progress(f"{relative} {note}")
            if kind != "html":
                values, body = split(body.replace("\r\n", "\n").replace("\r", "\n"))
        return Document(
            id=relative,
            title=values.get("title") or _title(relative, body, kind),
            body=body,
            readers=self._readers(ctx, relative, values),
            url=self._url(relative, values),
            format=kind,
            version=version_of(found),
            kind="file" if kind in ("pdf", "docx") else "page",
            path=tuple(Path(relative).parts[:-1]),
            updated=moment(values.get("updated", "")) or datetime.fromtimestamp(found.st_mtime, UTC),
            authors=words(values.get("authors", "")),
            language=values.get("language", ""),
        )

    def _readers(self, ctx: SourceContext, relative: str, values: dict[str, str]) -> Readers:
        ruled = readers_of(self._settings.readers)
        for rule in self._settings.rules:
            if fnmatch(relative, rule.glob):
                ruled = readers_of(rule.readers)
                break
        if "readers" not in values:
            return ruled
        own = readers_of(words(values["readers"]))
        if self._settings.front_matter_readers or own.principals >= ruled.principals:
            return own if self._settings.front_matter_readers else ruled
        # An author who wrote "board only" must not find it open because the admin does not let authors decide.
        ctx.log.warning("a file's own readers only close it", file=relative, setting="front_matter_readers")
        return Readers(own.principals & ruled.principals)

    def _url(self, relative: str, values: dict[str, str]) -> str:
        given = values.get("url", "")
        if given.startswith(("https://", "http://")):
            return given
        if self._settings.url_prefix:
            return self._settings.url_prefix.rstrip("/") + "/" + quote(relative)
        return (self._root / relative).as_uri()


def _title(relative: str, body: str | bytes, kind: str) -> str:
    found = ""
    if kind == "markdown" and isinstance(body, str):
        first = body.lstrip().split("\n", 1)[0]
        found = _CLOSING.sub("", first[2:].strip()) if first.startswith("# ") else ""
    elif kind == "html" and isinstance(body, str):
        named = _TITLE.search(body, 0, 20_000)
        found = html.unescape(named[1]) if named else ""
    return " ".join(found.split()) or Path(relative).stem.replace("-", " ").replace("_", " ")
