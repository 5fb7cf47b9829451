"""Passages by id, and their vectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, Select, and_, func, select

from citebot.model import DocumentKind, Embedding, Passage, Readers, Trust
from citebot.ports import IndexEntry
from citebot.storage import index_log
from citebot.storage.batches import batches
from citebot.storage.database import Transaction
from citebot.storage.tables import document, embedding, passage, source
from citebot.storage.upsert import insert

_WHOLE: Select[Any] = (
    select(
        passage,
        source.c.name.label("source"),
        source.c.synced_at,
        source.c.trust,
        document.c.external_id,
        document.c.title,
        document.c.url,
        document.c.language,
        document.c.kind.label("document_kind"),
        document.c.path,
        document.c.authors,
        document.c.updated,
    )
    .join(document, passage.c.document_id == document.c.id)
    .join(source, document.c.source_id == source.c.id)
)
_ENTRY: Select[Any] = (
    select(
        passage.c.id,
        passage.c.text,
        passage.c.headings,
        passage.c.readers,
        source.c.name.label("source"),
        document.c.title,
        document.c.language,
        document.c.updated,
    )
    .join(document, passage.c.document_id == document.c.id)
    .join(source, document.c.source_id == source.c.id)
)


def heading_line(title: str, headings: Sequence[str]) -> str:
    """Title and heading path in one line."""
    return " › ".join([title, *headings])


def by_ids(tx: Transaction, ids: Sequence[int]) -> dict[int, Passage]:
    """The passages that still exist, by id."""
    found: dict[int, Passage] = {}
    for some in batches(ids):
        found.update((row.id, whole(row)) for row in tx.execute(_WHOLE.where(passage.c.id.in_(some))))
    return found


def of_document(tx: Transaction, document_id: int) -> list[Passage]:
    """All passages of a document, by its row's id, in order."""
    query = _WHOLE.where(passage.c.document_id == document_id).order_by(passage.c.position)
    return [whole(row) for row in tx.execute(query)]


def entries(tx: Transaction, ids: Sequence[int]) -> list[IndexEntry]:
    """The passages that still exist as the index gets them, ids ascending."""
    found: list[IndexEntry] = []
    for some in batches(ids):
        found.extend(_entry(row) for row in tx.execute(_ENTRY.where(passage.c.id.in_(some))))
    return sorted(found, key=lambda entry: entry.id)


def scan(tx: Transaction, *, after: int, limit: int) -> list[IndexEntry]:
    """All passages in pieces, ids ascending; go on from the last id."""
    return [_entry(row) for row in tx.execute(_page(_ENTRY, after, limit))]


def newest_id(tx: Transaction) -> int:
    """The highest passage id now, 0 when there is none."""
    return int(tx.execute(select(func.coalesce(func.max(passage.c.id), 0))).scalar_one())


def unembedded(tx: Transaction, model: str, *, after: int, limit: int) -> list[tuple[int, str]]:
    """Passages without a vector of `model`: id, and heading line and text as the embedder gets them."""
    query = select(passage.c.id, document.c.title, passage.c.headings, passage.c.text).join(document)
    found = tx.execute(_page(_without_vector(query, model), after, limit))
    return [(row.id, f"{heading_line(row.title, row.headings)}\n{row.text}") for row in found]


def models(tx: Transaction) -> list[str]:
    """The models that stored vectors come from, the one with most vectors first."""
    count = func.count().label("vectors")
    rows = tx.execute(select(embedding.c.model, count).group_by(embedding.c.model).order_by(count.desc()))
    return [row.model for row in rows]


def count(tx: Transaction) -> int:
    """How many passages there are."""
    return int(tx.execute(select(func.count()).select_from(passage)).scalar_one())


def count_embedded(tx: Transaction, model: str) -> int:
    """How many passages have a vector of `model`."""
    return int(tx.execute(select(func.count()).select_from(embedding).where(embedding.c.model == model)).scalar_one())


def count_missing(tx: Transaction, model: str) -> int:
    """How many passages have no vector of `model`."""
    return int(tx.execute(_without_vector(select(func.count()).select_from(passage), model)).scalar_one())


def save_embeddings(tx: Transaction, model: str, rows: Sequence[tuple[int, Embedding]]) -> None:
    """Keep vectors; those of passages that were removed meanwhile are dropped."""
    if not rows:
        return
    index_log.lock(tx)
    alive = _alive(tx, [passage_id for passage_id, _ in rows])
    values = [
        {"passage_id": passage_id, "model": model, "dimensions": made.dimensions, "data": made.data}
        for passage_id, made in rows
        if passage_id in alive
    ]
    if not values:
        return
    statement = insert(tx, embedding)
    new = statement.excluded
    tx.execute(
        statement.on_conflict_do_update(
            index_elements=[embedding.c.passage_id, embedding.c.model],
            set_={"dimensions": new.dimensions, "data": new.data},
        ),
        values,
    )
    index_log.write(tx, "vector", sorted(alive), model=model)


def embeddings(tx: Transaction, model: str, ids: Sequence[int]) -> list[tuple[int, Embedding]]:
    """The vectors of `model` that these passages have, ids ascending."""
    found: list[tuple[int, Embedding]] = []
    for some in batches(ids):
        query = select(embedding).where(embedding.c.model == model, embedding.c.passage_id.in_(some))
        found.extend((row.passage_id, Embedding(row.dimensions, bytes(row.data))) for row in tx.execute(query))
    return sorted(found, key=lambda pair: pair[0])


def whole(row: Row[Any]) -> Passage:
    """A row of the joined tables as the value."""
    return Passage(
        id=row.id,
        source=row.source,
        document_id=row.external_id,
        title=row.title,
        url=row.url,
        anchor=row.anchor,
        headings=tuple(row.headings),
        text=row.text,
        kind=row.kind,
        position=row.position,
        readers=Readers(frozenset(row.readers)),
        language=row.language,
        document_kind=row.document_kind,
        path=tuple(row.path),
        authors=tuple(row.authors),
        updated=row.updated,
        synced=row.synced_at,
        trust=row.trust or trusted_as(row.document_kind),
    )


def trusted_as(kind: DocumentKind) -> Trust:
    """How far documents are trusted of whose source nobody has said it: tickets come from anybody."""
    return "open" if kind == "ticket" else "team"


def _entry(row: Row[Any]) -> IndexEntry:
    return IndexEntry(
        id=row.id,
        source=row.source,
        text=row.text,
        heading=heading_line(row.title, row.headings),
        readers=Readers(frozenset(row.readers)),
        language=row.language,
        updated=row.updated,
    )


def _page(query: Select[Any], after: int, limit: int) -> Select[Any]:
    return query.where(passage.c.id > after).order_by(passage.c.id).limit(limit)


def _without_vector(query: Select[Any], model: str) -> Select[Any]:
    made = and_(embedding.c.passage_id == passage.c.id, embedding.c.model == model)
    return query.where(~select(embedding.c.passage_id).where(made).exists())


def _alive(tx: Transaction, ids: Sequence[int]) -> set[int]:
    found: set[int] = set()
    for some in batches(ids):
        found.update(
            tx.execute(
                select(passage.c.id).where(passage.c.id.in_(some)).with_for_update(read=True, key_share=True)
            ).scalars()
        )
    return found
