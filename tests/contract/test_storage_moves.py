"""A document under another id, on both databases: the same passages, and what is queued as new."""

from __future__ import annotations

import hashlib

import pytest

from citebot.model import Chunk, Document, Embedding, Readers, Ref
from citebot.storage import Database, Transaction, documents, index_log, passages, sources, todo
from citebot.storage.documents import Left, ToSave

EVERYONE = Readers.everyone()
BOARD = Readers.of(groups=["board"])


def item(
    name: str, text: str, *, moved_from: str = "", readers: Readers = EVERYONE, title: str = "Title", sweep: int = 1
) -> ToSave:
    chunk = Chunk(text, ("Leave",), "leave", "paragraph", readers, hashlib.sha256(text.encode()).hexdigest())
    document = Document(name, title, text, readers, url=f"https://w/{name}", path=(name,))
    return ToSave(document, [chunk], f"hash of {text}", "t", "1", sweep, moved_from)


def stored(tx: Transaction) -> dict[str, tuple[int, str]]:
    ids = [entry.id for entry in passages.scan(tx, after=0, limit=1000)]
    return {p.document_id: (p.id, p.text) for p in passages.by_ids(tx, ids).values()}


@pytest.fixture
def source(database: Database) -> int:
    with database.write() as tx:
        found = sources.add(tx, name="docs", type="files", settings={}).id
        documents.save_many(tx, found, [item("a", "one"), item("b", "two")])
    return found


def test_a_document_that_moved_keeps_passages_and_vectors(database: Database, source: int) -> None:
    with database.write() as tx:
        before = stored(tx)
        passages.save_embeddings(tx, "m", [(before["a"][0], Embedding(2, b"abcd"))])
        seq = index_log.head(tx)
        saved = documents.save_many(tx, source, [item("c", "one", moved_from="a", readers=BOARD)])
        assert saved == documents.Saved(added=0, removed=0, kept=1)
        assert stored(tx) == {"c": before["a"], "b": before["b"]}
        passage = passages.by_ids(tx, [before["a"][0]])[before["a"][0]]
        assert (passage.url, passage.path, passage.readers) == ("https://w/c", ("c",), BOARD)
        assert passages.count_missing(tx, "m") == 1
        log = [(row.passage_id, row.what) for row in index_log.since(tx, seq, 10)]
    assert log == [(before["a"][0], "put")], "only for its readers, which changed"


def test_many_move_at_once_beside_others(database: Database, source: int) -> None:
    with database.write() as tx:
        before = stored(tx)
        moved = [item("x", "one", moved_from="a"), item("y", "two", moved_from="b", title="New"), item("z", "three")]
        assert documents.save_many(tx, source, moved) == documents.Saved(added=2, removed=1, kept=1)
        after = stored(tx)
    assert after["x"] == before["a"]
    assert sorted(after) == ["x", "y", "z"]


def test_what_is_stored_under_its_own_id_moves_nothing(database: Database, source: int) -> None:
    with database.write() as tx:
        before = stored(tx)
        documents.save_many(tx, source, [item("b", "two", moved_from="a")])
        assert stored(tx) == before


def test_a_document_that_is_gone_meanwhile_is_made_anew(database: Database, source: int) -> None:
    with database.write() as tx:
        before = stored(tx)
        documents.remove(tx, source, ["a"])
        documents.save_many(tx, source, [item("c", "one", moved_from="a")])
        assert stored(tx)["c"][0] > max(key for key, _ in before.values())


def test_documents_of_other_sources_do_not_move(database: Database, source: int) -> None:
    with database.write() as tx:
        other = sources.add(tx, name="other", type="files", settings={}).id
        documents.save_many(tx, other, [item("c", "one", moved_from="a")])
        assert (documents.count(tx, source), documents.count(tx, other)) == (2, 1)


def test_what_a_listing_left_out_and_what_it_brought(database: Database, source: int) -> None:
    with database.write() as tx:
        rows = list(documents.row_ids(tx, source))
        assert documents.left(tx, rows, 1) == []
        assert documents.left(tx, rows, 2) == [
            Left("a", "hash of one", "Title"),
            Left("b", "hash of two", "Title"),
        ]
        todo.add(tx, source, [Ref("a", "2")])
        assert not todo.has_new(tx, source)
        todo.add(tx, source, [Ref("c", "1")])
        assert todo.has_new(tx, source)
        todo.fail(tx, source, "c", "broken", permanent=True)
        assert not todo.has_new(tx, source)
