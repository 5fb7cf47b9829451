"""The built-in source of answers that people wrote: read from the database, through the path of all documents."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC
from typing import ClassVar

from pydantic import BaseModel

from citebot.model import Batch, Document, Failed, Gone, Json, Ref
from citebot.ports import NoSettings, SourceContext, SourceSpec
from citebot.storage import Database, curated
from citebot.storage.curated import KIND, CuratedAnswer

AT_ONCE = 500


class CuratedSource:
    """`citebot.ports.Source` over the table of these answers."""

    name: ClassVar[str] = KIND
    summary: ClassVar[str] = "Answers that people wrote where nothing was found."
    Settings: ClassVar[type[BaseModel]] = NoSettings
    spec: ClassVar[SourceSpec] = SourceSpec(id_example="7")

    def __init__(self, database: Database) -> None:
        self._database = database

    def list(self, ctx: SourceContext, cursor: Json) -> Iterator[Batch]:
        with self._database.read() as tx:
            rows = curated.every(tx)
        refs = [Ref(str(row.id), _version(row), row.readers.tag) for row in rows]
        for at in range(0, max(1, len(refs)), AT_ONCE):
            yield Batch(tuple(refs[at : at + AT_ONCE]), total=len(refs))

    def fetch(self, ctx: SourceContext, ids: Sequence[str]) -> Iterator[Document | Gone | Failed]:
        with self._database.read() as tx:
            found = {str(row.id): row for row in curated.some(tx, [int(id) for id in ids if id.isdecimal()])}
        for id in ids:
            yield _document(found[id]) if id in found else Gone(id)


def _version(row: CuratedAnswer) -> str:
    return row.changed_at.isoformat()


def _document(row: CuratedAnswer) -> Document:
    return Document(
        id=str(row.id),
        title=row.question,
        body=row.text,
        format="text",
        readers=row.readers,
        url=row.url,
        version=_version(row),
        kind="thread",
        created=row.created_at.replace(tzinfo=UTC),
        updated=row.changed_at.replace(tzinfo=UTC),
        authors=(row.author_name or row.author,),
    )
