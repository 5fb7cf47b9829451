"""A folder as a source: ids are paths, versions are modification times and sizes, the content's hash decides."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import ClassVar
from urllib.parse import quote

from pydantic import BaseModel

from citebot.errors import StopSync
from citebot.model import Batch, Document, Failed, Finding, Gone, Group, Json, Ref
from citebot.ports import PartContext, SourceContext, SourceSpec
from citebot_connectors.sources.file_documents import file_document
from citebot_connectors.sources.files.groups import read_groups
from citebot_connectors.sources.files.reading import read_file, version_of
from citebot_connectors.sources.files.settings import FilesSettings
from citebot_connectors.sources.files.walking import Note, walk
from citebot_connectors.sources.principals import readers_of

BATCH = 1_000


class FilesSource:
    """Reads a folder."""

    name: ClassVar[str] = "files"
    summary: ClassVar[str] = "A folder of Markdown, HTML, text, PDF and DOCX files"
    Settings: ClassVar[type[BaseModel]] = FilesSettings
    spec: ClassVar[SourceSpec] = SourceSpec(ids_are_places=True, id_example="handbook/leave.md")

    def __init__(self, settings: FilesSettings, context: PartContext) -> None:
        self._settings = settings
        self._root = settings.path.expanduser().absolute()
        # Part of every version: other rules mean that every file is looked at again.
        rules = settings.model_dump_json(exclude={"include", "exclude", "watch"})
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

    def stamp(self, ctx: SourceContext) -> str:
        if not self._settings.watch:
            return ""
        self._must_exist()
        seen = hashlib.blake2b(self._tag.encode(), digest_size=16)
        for relative, found in self._found():
            seen.update(f"{relative}\0{version_of(found)}\0".encode())
        if self._settings.people:
            seen.update(version_of((self._root / self._settings.people).stat()).encode())
        return seen.hexdigest()

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

        return self._found(note)

    def _found(self, note: Note = lambda line: None) -> Iterator[tuple[str, os.stat_result]]:
        chosen = self._settings
        for relative, found in walk(self._root, chosen.include, chosen.exclude, links=chosen.follow_links, note=note):
            if relative != chosen.people:
                yield relative, found

    def _document(self, ctx: SourceContext, relative: str, data: bytes, found: os.stat_result) -> Document | Failed:
        updated = datetime.fromtimestamp(found.st_mtime, UTC)
        url = self._url(relative)
        return file_document(self._settings, ctx, relative, data, version=version_of(found), updated=updated, url=url)

    def _url(self, relative: str) -> str:
        if self._settings.url_prefix:
            return self._settings.url_prefix.rstrip("/") + "/" + quote(relative)
        return (self._root / relative).as_uri()
