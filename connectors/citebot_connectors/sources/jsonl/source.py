"""JSON lines as a source: versions are digests of lines, so only lines that changed are read again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from citebot.errors import StopSync
from citebot.model import Batch, Document, Failed, Finding, Gone, Json, Ref
from citebot.ports import PartContext, SourceContext, SourceSpec
from citebot_connectors.sources.jsonl.catalogue import LONGEST_LINE, Catalogue, Place
from citebot_connectors.sources.jsonl.rows import document_of, explain, id_of
from citebot_connectors.sources.principals import readers_of

SHOWN = 5
"""Bad lines that a check names."""
RESCANS = 3
"""How often a run reads anew a file that changes after it was listed; what is still moving waits for the next run."""


class JsonlSettings(BaseModel):
    """A file or a folder of files."""

    model_config = ConfigDict(extra="forbid")
    path: Path = Field(description="A .jsonl file, or a folder of them.")
    default_readers: list[str] = Field([], description="Who may read a line that names no readers; empty means nobody.")


class JsonlSource:
    """Reads JSON lines. A listing notes where each line begins, so that fetching one does not read the file."""

    name: ClassVar[str] = "jsonl"
    summary: ClassVar[str] = "JSON lines, one document a line: bring your own export"
    Settings: ClassVar[type[BaseModel]] = JsonlSettings
    spec: ClassVar[SourceSpec] = SourceSpec(id_example="TICKET-1")

    def __init__(self, settings: JsonlSettings, context: PartContext) -> None:
        self._path = settings.path.expanduser().absolute()
        self._default = readers_of(settings.default_readers)
        self._rescans = 0
        self._named = ", ".join(settings.default_readers) or "nobody"

    def check(self, ctx: SourceContext) -> Iterable[Finding]:
        catalogue = Catalogue(ctx.state_dir)
        try:
            catalogue.refresh(self._files())
        except StopSync as error:
            yield Finding(ok=False, what=str(error), fix="Check the path.")
            return
        count, bad = catalogue.count(), catalogue.bad()
        # Some bad lines keep nobody from reading the others.
        yield Finding(ok=bool(count), what=f"{count:,} documents in {self._path}")
        if bad.count:
            yield Finding(ok=bool(count), what=f"{bad.count:,} lines are not read: {'; '.join(bad.examples[:SHOWN])}")
        yield Finding(ok=True, what=f"Readers of lines that name none: {self._named}")

    def list(self, ctx: SourceContext, cursor: Json) -> Iterator[Batch]:
        catalogue = Catalogue(ctx.state_dir)
        catalogue.refresh(self._files())
        self._rescans = 0
        bad = catalogue.bad()
        for line in bad.examples:
            ctx.log.warning("line not read", why=line)
        if bad.count:
            ctx.progress(f"{bad.count:,} lines are not read: {bad.examples[0]}")
        tag, total = self._default.tag, catalogue.count()
        for page in catalogue.refs():
            yield Batch(tuple(Ref(key, version=digest, readers_tag=tag) for key, digest in page), total=total)

    def fetch(self, ctx: SourceContext, ids: Sequence[str]) -> Iterator[Document | Gone | Failed]:
        catalogue = Catalogue(ctx.state_dir)
        if self._rescans < RESCANS:
            self._rescans += catalogue.refresh(self._files())
        places, bad = catalogue.places(ids), catalogue.bad()
        with ExitStack() as stack:
            opened: dict[Path, BinaryIO] = {}
            # In the order of the lines: a file is read forwards.
            for key in sorted(
                ids, key=lambda key: (str(places[key].file), places[key].start) if key in places else ("", 0)
            ):
                place = places.get(key)
                if place is None:
                    yield _missing(key, bad.count)
                    continue
                if place.file not in opened:
                    opened[place.file] = stack.enter_context(place.file.open("rb"))
                yield self._document(key, opened[place.file], place)

    def _files(self) -> Sequence[Path]:
        if self._path.is_dir():
            found = sorted(self._path.glob("*.jsonl"))
            if not found:
                raise StopSync(f"{self._path} holds no .jsonl file. Nothing was removed.")
            return found
        if self._path.is_file():
            return [self._path]
        raise StopSync(f"{self._path} does not exist (any more). Nothing was removed.")

    def _document(self, key: str, stream: BinaryIO, place: Place) -> Document | Failed:
        stream.seek(place.start)
        line = stream.readline(LONGEST_LINE)
        if hashlib.sha256(line).hexdigest()[:32] != place.digest:
            return Failed(key, f"{place.file.name} changed while it was read; {key} will be tried again.")
        try:
            row = json.loads(line)
            assert id_of(row) == key, "the digest is that of the line the id was read from"
            return document_of(row, version=place.digest, default=self._default)
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            return Failed(key, f"{key}: {explain(error)}", permanent=True)


def _missing(key: str, bad: int) -> Gone | Failed:
    if not bad:
        return Gone(key)
    return Failed(key, f"{key} is not in the file, but {bad:,} of its lines cannot be read: it may be one of them.")
