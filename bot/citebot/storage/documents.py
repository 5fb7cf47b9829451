"""Documents with their passages: stored in bulk, so that what did not change keeps its passage ids."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NamedTuple

from sqlalchemy import bindparam, delete, func, insert, select, update

from citebot.model import Audience, Chunk, Document, Passage, Readers, Ref
from citebot.storage import clock, index_log, passages
from citebot.storage.batches import batches
from citebot.storage.changes import Changes, StoredPassage, compare
from citebot.storage.database import Transaction
from citebot.storage.failpoints import failpoint
from citebot.storage.ids import allocate
from citebot.storage.tables import document, passage

LOOKED_AT = 2_000
"""Documents of which titles are looked at for one who types."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is stored about a document, enough to tell whether it changed."""

    version: str
    readers_tag: str
    content_hash: str
    readers: Readers


class Version(NamedTuple):
    """What a listing says of a document, as it is stored."""

    version: str
    readers_tag: str
    row_id: int


@dataclass(frozen=True, slots=True)
class ToSave:
    """A document, its chunks, and what the listing said about it."""

    document: Document
    chunks: Sequence[Chunk]
    content_hash: str
    readers_tag: str
    version: str
    sweep: int
    moved_from: str = ""
    """The id of a stored document that this one is from now on; heeded when it is not stored under its own."""


@dataclass(frozen=True, slots=True)
class Left:
    """A stored document that a full listing did not name."""

    external_id: str
    content_hash: str
    title: str


@dataclass(frozen=True, slots=True)
class Saved:
    """What became of the passages."""

    added: int
    removed: int
    kept: int


def known(tx: Transaction, source_id: int, ids: Sequence[str]) -> dict[str, Known]:
    """Those of the documents that are stored."""
    columns = (document.c.version, document.c.readers_tag, document.c.content_hash, document.c.readers)
    query = select(document.c.external_id, *columns).where(document.c.source_id == source_id)
    return {
        row.external_id: Known(row.version, row.readers_tag, row.content_hash, Readers(frozenset(row.readers)))
        for some in batches(ids)
        for row in tx.execute(query.where(document.c.external_id.in_(some)))
    }


def versions(tx: Transaction, source_id: int, ids: Sequence[str]) -> dict[str, Version]:
    """Version and readers tag of those of the documents that are stored: all that a listing is compared with."""
    query = select(document.c.external_id, document.c.version, document.c.readers_tag, document.c.id)
    query = query.where(document.c.source_id == source_id)
    return {
        external_id: Version(version, tag, row_id)
        for some in batches(ids)
        for external_id, version, tag, row_id in tx.execute(query.where(document.c.external_id.in_(some)))
    }


def save(
    tx: Transaction,
    source_id: int,
    document: Document,
    chunks: Sequence[Chunk],
    *,
    content_hash: str,
    readers_tag: str,
    version: str,
    sweep: int,
) -> Saved:
    """Store one document, see `save_many`."""
    return save_many(tx, source_id, [ToSave(document, chunks, content_hash, readers_tag, version, sweep)])


def save_many(tx: Transaction, source_id: int, items: Sequence[ToSave]) -> Saved:
    """Store documents: unchanged passages keep their ids, the others get new ones, and the log tells the index.

    Given twice, the later one of a document counts.
    """
    newest = {item.document.id: item for item in items}
    index_log.lock(tx)
    before = _stored(tx, source_id, list(newest))
    before |= _move(tx, source_id, [item for key, item in newest.items() if item.moved_from and key not in before])
    fresh = [external_id for external_id in newest if external_id not in before]
    row_ids = {external_id: row_id for external_id, (row_id, _) in before.items()}
    row_ids.update(zip(fresh, allocate(tx, document, len(fresh)), strict=True))
    _write_documents(tx, source_id, newest, row_ids, before.keys())
    there = _passages_of(tx, [row_id for row_id, _ in before.values()])
    changes = Changes()
    for external_id, item in newest.items():
        row_id = row_ids[external_id]
        same_frame = before.get(external_id, (0, None))[1] == (item.document.title, item.document.language)
        compare(changes, row_id, there.get(row_id, []), item.chunks, reuse=same_frame)
    saved = _write_passages(tx, changes)
    failpoint("before-documents-commit")
    return saved


def hide(tx: Transaction, source_id: int, external_id: str) -> None:
    """Close a document and all its passages to everybody; text, ids and vectors stay until it is saved again.

    There is no function that opens one without its chunks: a comment may have readers of its own.
    """
    key = (document.c.source_id == source_id, document.c.external_id == external_id)
    index_log.lock(tx)
    row_id = tx.execute(select(document.c.id).where(*key)).scalar()
    if row_id is None:
        return
    # Without a version the next listing fetches it again.
    tx.execute(update(document).where(document.c.id == row_id).values(readers=[], version=""))
    tx.execute(update(passage).where(passage.c.document_id == row_id).values(readers=[]))
    theirs = select(passage.c.id).where(passage.c.document_id == row_id)
    index_log.write_selected(tx, "put", theirs.order_by(passage.c.position))


def confirm(tx: Transaction, source_id: int, rows: Sequence[tuple[str, str, str]], sweep: int) -> None:
    """Note for fetched documents that nothing but (id, version, readers tag) changed."""
    if not rows:
        return
    key = (document.c.source_id == source_id, document.c.external_id == bindparam("key"))
    values = {
        "version": bindparam("now_version"),
        "readers_tag": bindparam("now_tag"),
        "seen_sweep": sweep,
        "fetched_at": clock.now(tx),
    }
    rows_now = [{"key": key, "now_version": version, "now_tag": tag} for key, version, tag in rows]
    tx.execute(update(document).where(*key).values(**values), rows_now)


def touch(tx: Transaction, row_ids: Sequence[int], sweep: int) -> None:
    """Note that a full listing still names these documents, by their rows' ids."""
    for some in batches(row_ids):
        tx.execute(update(document).where(document.c.id.in_(some)).values(seen_sweep=sweep))


def remove(tx: Transaction, source_id: int, ids: Sequence[str]) -> int:
    """Remove documents with everything made of them; says how many there were."""
    index_log.lock(tx)
    gone = 0
    for some in batches(ids):
        chosen = (document.c.source_id == source_id, document.c.external_id.in_(some))
        theirs = select(passage.c.id).join(document).where(*chosen)
        index_log.write_selected(tx, "remove", theirs.order_by(passage.c.id))
        bare = ~select(passage.c.id).where(passage.c.document_id == document.c.id).exists()
        index_log.write_selected(tx, "document", select(document.c.id).where(*chosen, bare))
        gone += tx.execute(delete(document).where(*chosen)).rowcount
    return gone


def row_ids(tx: Transaction, source_id: int) -> Iterator[int]:
    """The ids of the rows of a source's documents, without holding them all."""
    query = select(document.c.id).where(document.c.source_id == source_id)
    yield from tx.execute(query, execution_options={"yield_per": 10_000}).scalars()


def left(tx: Transaction, row_ids: Sequence[int], sweep: int) -> list[Left]:
    """Those of the rows that no listing since `sweep` has named and no fetch has found, by id."""
    columns = (document.c.external_id, document.c.content_hash, document.c.title)
    query = select(*columns).where(document.c.seen_sweep < sweep)
    found = [Left(*row) for some in batches(row_ids) for row in tx.execute(query.where(document.c.id.in_(some)))]
    return sorted(found, key=lambda one: one.external_id)


def stale(tx: Transaction, source_id: int, *, age: timedelta, limit: int) -> list[Ref]:
    """Documents that were not fetched for `age`, oldest first: an edit that no listing shows is found this way."""
    columns = (document.c.external_id, document.c.version, document.c.readers_tag)
    query = select(*columns).where(document.c.source_id == source_id, document.c.fetched_at < clock.now(tx) - age)
    return [Ref(*row) for row in tx.execute(query.order_by(document.c.fetched_at, document.c.id).limit(limit))]


def count(tx: Transaction, source_id: int) -> int:
    """How many documents a source has."""
    query = select(func.count()).select_from(document).where(document.c.source_id == source_id)
    return int(tx.execute(query).scalar_one())


def view(tx: Transaction, passage_id: int) -> list[Passage]:
    """All passages of the document that this passage belongs to, in order; empty when it is gone."""
    row_id = tx.execute(select(passage.c.document_id).where(passage.c.id == passage_id)).scalar()
    return [] if row_id is None else passages.of_document(tx, row_id)


def _stored(tx: Transaction, source_id: int, ids: Sequence[str]) -> dict[str, tuple[int, tuple[str, str]]]:
    """Row id, and title and language: what every passage's place in the index depends on."""
    columns = (document.c.external_id, document.c.id, document.c.title, document.c.language)
    query = select(*columns).where(document.c.source_id == source_id)
    return {
        row.external_id: (row.id, (row.title, row.language))
        for some in batches(ids)
        for row in tx.execute(query.where(document.c.external_id.in_(some)))
    }


def _move(tx: Transaction, source_id: int, items: Sequence[ToSave]) -> dict[str, tuple[int, tuple[str, str]]]:
    """Give stored documents the ids that they have now; their passages and vectors stay what they are."""
    if not items:
        return {}
    key = (document.c.source_id == source_id, document.c.external_id == bindparam("old_id"))
    moves = [{"old_id": item.moved_from, "new_id": item.document.id} for item in items]
    tx.execute(update(document).where(*key).values(external_id=bindparam("new_id")), moves)
    return _stored(tx, source_id, [item.document.id for item in items])


def _passages_of(tx: Transaction, row_ids: Sequence[int]) -> dict[int, list[StoredPassage]]:
    found: dict[int, list[StoredPassage]] = {}
    columns = [getattr(passage.c, name) for name in StoredPassage.__slots__]
    query = select(passage.c.document_id, *columns).order_by(passage.c.document_id, passage.c.position)
    for some in batches(row_ids):
        for owner, *values in tx.execute(query.where(passage.c.document_id.in_(some))):
            found.setdefault(owner, []).append(StoredPassage(*values))
    return found


def _write_documents(
    tx: Transaction, source_id: int, items: dict[str, ToSave], row_ids: dict[str, int], existing: Iterable[str]
) -> None:
    now = clock.now(tx)
    there = set(existing)
    rows = [_document_row(source_id, row_ids[key], item) | {"fetched_at": now} for key, item in items.items()]
    new = [row for row in rows if row["external_id"] not in there]
    old = [{"row_id": row.pop("id"), **row} for row in rows if row["external_id"] in there]
    if new:
        tx.execute(insert(document), new)
    if old:
        tx.execute(update(document).where(document.c.id == bindparam("row_id")), old)


def _document_row(source_id: int, row_id: int, item: ToSave) -> dict[str, Any]:
    doc = item.document
    return {
        "id": row_id,
        "source_id": source_id,
        "external_id": doc.id,
        "title": doc.title,
        "url": doc.url,
        "kind": doc.kind,
        "path": list(doc.path),
        "authors": list(doc.authors),
        "fields": dict(doc.fields),
        "language": doc.language,
        "version": item.version,
        "readers": sorted(doc.readers.principals),
        "readers_tag": item.readers_tag,
        "content_hash": item.content_hash,
        "created": clock.stored(doc.created),
        "updated": clock.stored(doc.updated),
        "seen_sweep": item.sweep,
    }


def _write_passages(tx: Transaction, changes: Changes) -> Saved:
    for some in batches(changes.removed):
        tx.execute(delete(passage).where(passage.c.id.in_(some)))
    if changes.changed:
        tx.execute(update(passage).where(passage.c.id == bindparam("row_id")), changes.changed)
    ids = allocate(tx, passage, len(changes.added))
    if ids:
        rows = [{"id": new_id, **row} for new_id, row in zip(ids, changes.added, strict=True)]
        tx.execute(insert(passage), rows)
    index_log.write(tx, "remove", changes.removed)
    index_log.write(tx, "put", [*changes.opened, *ids])
    return Saved(added=len(ids), removed=len(changes.removed), kept=changes.kept)


def titles(tx: Transaction, text: str, *, audience: Audience, most: int) -> list[str]:
    """Different titles with a text in them, of documents an audience may read, the newest first."""
    query = select(document.c.title, document.c.readers).where(
        document.c.title.icontains(text.strip(), autoescape=True)
    )
    found: dict[str, None] = {}
    for row in tx.execute(query.order_by(document.c.id.desc()).limit(LOOKED_AT)):
        if audience.may_read(Readers(frozenset(row.readers))):
            found[row.title] = None
            if len(found) == most:
                break
    return list(found)
