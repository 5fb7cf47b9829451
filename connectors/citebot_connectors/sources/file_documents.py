"""Files as documents: what a folder and a repository have in common."""

from __future__ import annotations

import html
import re
from datetime import datetime
from fnmatch import fnmatch
from pathlib import PurePosixPath

from pydantic import BaseModel, ConfigDict, Field

from citebot.model import Document, DocumentFormat, Failed, Readers
from citebot.ports import SourceContext
from citebot_connectors.sources.decoding import decode
from citebot_connectors.sources.front_matter import moment, split, words
from citebot_connectors.sources.principals import readers_of

PATTERNS = ["*.md", "*.markdown", "*.html", "*.htm", "*.txt", "*.pdf", "*.docx"]
FORMATS: dict[str, DocumentFormat] = {
    ".md": "markdown",
    ".markdown": "markdown",
    ".html": "html",
    ".htm": "html",
    ".txt": "text",
    ".pdf": "pdf",
    ".docx": "docx",
}
_CLOSING = re.compile(r"\s+#+$")
_TITLE = re.compile(r"<title[^>]{0,200}>(.{1,1000}?)</title", re.DOTALL | re.IGNORECASE)


class ReaderRule(BaseModel):
    """Who may read the files that match a glob."""

    model_config = ConfigDict(extra="forbid")
    glob: str
    readers: list[str] = Field(description="everyone, group names, person:ID; empty means nobody.")


class FileRules(BaseModel):
    """Which files are read, and who may read them."""

    model_config = ConfigDict(extra="forbid")
    include: list[str] = Field(PATTERNS, description="Globs of file names to read.")
    exclude: list[str] = Field([], description="Globs of paths to leave out, as drafts/*.")
    readers: list[str] = Field(
        ["everyone"], description="Who may read what no rule names: everyone, groups, person:ID."
    )
    rules: list[ReaderRule] = Field(
        [], description='Readers by path, the first match counts: [{"glob": …, "readers": […]}].'
    )
    front_matter_readers: bool = Field(
        False,
        description="Let a file's own `readers:` line decide. Only where every author may open what they write; "
        "otherwise such a line can only close.",
    )

    def wants(self, relative: str) -> bool:
        """Whether a path (forward slashes) is to be read: no part of it hidden or excluded, its name included."""
        path = PurePosixPath(relative)
        if any(part.startswith(".") for part in path.parts):
            return False
        folders = [str(parent) for parent in path.parents if str(parent) != "."]
        names = [relative, *folders, *(f"{folder}/" for folder in folders)]
        if any(fnmatch(name, glob) for name in names for glob in self.exclude):
            return False
        return any(fnmatch(path.name.lower(), glob.lower()) for glob in self.include)


def file_document(
    rules: FileRules,
    ctx: SourceContext,
    relative: str,
    data: bytes,
    *,
    version: str,
    updated: datetime | None,
    url: str,
    created: datetime | None = None,
    authors: tuple[str, ...] = (),
    line_anchor: str = "",
) -> Document | Failed:
    """One file; its front matter may name title, authors, date, address and readers."""
    kind = FORMATS.get(PurePosixPath(relative).suffix.lower(), "text")
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
    own_url = values.get("url", "")
    return Document(
        id=relative,
        title=values.get("title") or _title(relative, body, kind),
        body=body,
        readers=_readers(rules, ctx, relative, values),
        url=own_url if own_url.startswith(("https://", "http://")) else url,
        format=kind,
        version=version,
        kind="file" if kind in ("pdf", "docx") else "page",
        path=PurePosixPath(relative).parts[:-1],
        created=created,
        updated=moment(values.get("updated", "")) or updated,
        authors=tuple(words(values.get("authors", ""))) or authors,
        language=values.get("language", ""),
        # Front matter is taken off: lines behind it would be counted wrong.
        line_anchor="" if values else line_anchor,
    )


def _readers(rules: FileRules, ctx: SourceContext, relative: str, values: dict[str, str]) -> Readers:
    ruled = readers_of(rules.readers)
    for rule in rules.rules:
        if fnmatch(relative, rule.glob):
            ruled = readers_of(rule.readers)
            break
    if "readers" not in values:
        return ruled
    own = readers_of(words(values["readers"]))
    if rules.front_matter_readers or own.principals >= ruled.principals:
        return own if rules.front_matter_readers else ruled
    # An author who wrote "board only" must not find it open because the admin does not let authors decide.
    ctx.log.warning("a file's own readers only close it", file=relative, setting="front_matter_readers")
    return Readers(own.principals & ruled.principals)


def _title(relative: str, body: str | bytes, kind: str) -> str:
    found = ""
    if kind == "markdown" and isinstance(body, str):
        first = body.lstrip().split("\n", 1)[0]
        found = _CLOSING.sub("", first[2:].strip()) if first.startswith("# ") else ""
    elif kind == "html" and isinstance(body, str):
        named = _TITLE.search(body, 0, 20_000)
        found = html.unescape(named[1]) if named else ""
    return " ".join(found.split()) or PurePosixPath(relative).stem.replace("-", " ").replace("_", " ")
