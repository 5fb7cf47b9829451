"""Documents and passages on both databases: what keeps its id, what the index is told."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from citebot.model import Chunk, Document, Embedding, Readers
from citebot.storage import Database, Transaction, documents, index_log, passages, schema, sources

EVERYONE = Readers.everyone()
BOARD = Readers.of(groups=["board"])


def chunk(
    text: str, readers: Readers = EVERYONE, headings: tuple[str, ...] = ("Leave",), anchor: str = "leave"
) -> Chunk:
    return Chunk(
        text, headings, anchor, "paragraph", readers, hashlib.sha256(text.encode(errors="replace")).hexdigest()
    )


def store(tx: Transaction, source: int, name: str, chunks: Sequence[Chunk], **document: object) -> documents.Saved:
    doc = Document(**{"id": name, "title": name, "body": "", "readers": EVERYONE, **document})  # type: ignore[arg-type]
    return documents.save(tx, source, doc, chunks, content_hash="h", readers_tag="t", version="1", sweep=1)


def stored(tx: Transaction) -> dict[str, int]:
    return {entry.text: entry.id for entry in passages.scan(tx, after=0, limit=1000)}


def log_since(tx: Transaction, seq: int) -> list[tuple[int, str]]:
    return [(row.passage_id, row.what) for row in index_log.since(tx, seq, 1000)]


@pytest.fixture
def source(database: Database) -> int:
    with database.write() as tx:
        return sources.add(tx, name="wiki", type="files", settings={}).id


def test_unchanged_passages_keep_their_ids_and_the_log_names_only_changes(database: Database, source: int) -> None:
    with database.write() as tx:
        assert store(tx, source, "a", [chunk("one"), chunk("two"), chunk("three")]) == documents.Saved(3, 0, 0)
        before, seq = stored(tx), index_log.head(tx)
    with database.write() as tx:
        saved = store(tx, source, "a", [chunk("new"), chunk("three"), chunk("one", anchor="moved")])
        after = stored(tx)
        log = log_since(tx, seq)
    assert saved == documents.Saved(added=1, removed=1, kept=2)
    assert (after["one"], after["three"]) == (before["one"], before["three"])
    assert log == [(before["two"], "remove"), (after["new"], "put")]
    assert after["new"] > max(before.values())
    with database.read() as tx:
        shown = documents.view(tx, after["one"])
    assert [(p.text, p.position, p.anchor) for p in shown][2] == ("one", 2, "moved")


def test_changed_readers_keep_ids_text_and_vectors(database: Database, source: int) -> None:
    with database.write() as tx:
        store(tx, source, "a", [chunk("one"), chunk("two")])
        ids = stored(tx)
        passages.save_embeddings(tx, "m", [(ids["one"], Embedding(2, b"abcd"))])
        seq = index_log.head(tx)
        assert store(tx, source, "a", [chunk("one", BOARD), chunk("two")]) == documents.Saved(0, 0, 2)
        assert log_since(tx, seq) == [(ids["one"], "put")]
        assert passages.by_ids(tx, [ids["one"]])[ids["one"]].readers == BOARD
        assert passages.embeddings(tx, "m", list(ids.values())) == [(ids["one"], Embedding(2, b"abcd"))]


@pytest.mark.parametrize("change", [{"title": "renamed"}, {"language": "de"}])
def test_what_every_passage_is_indexed_with_replaces_them_all(
    database: Database, source: int, change: dict[str, str]
) -> None:
    with database.write() as tx:
        store(tx, source, "a", [chunk("one"), chunk("two")])
        before = stored(tx)
        assert store(tx, source, "a", [chunk("one"), chunk("two")], **change) == documents.Saved(2, 2, 0)
        assert not set(before.values()) & set(stored(tx).values())


def test_a_hidden_document_is_closed_with_every_passage(database: Database, source: int) -> None:
    with database.write() as tx:
        store(tx, source, "a", [chunk("one"), chunk("two")])
        seq = index_log.head(tx)
        documents.hide(tx, source, "a")
        assert {entry.readers for entry in passages.scan(tx, after=0, limit=9)} == {Readers.nobody()}
        assert [what for _, what in log_since(tx, seq)] == ["put", "put"]
        known = documents.known(tx, source, ["a", "missing"])
    assert (known["a"].readers, known["a"].version, len(known)) == (Readers.nobody(), "", 1)


def test_removing_takes_passages_and_vectors_along_and_ids_are_never_used_again(
    database: Database, source: int
) -> None:
    with database.write() as tx:
        store(tx, source, "a", [chunk("one")])
        gone = stored(tx)["one"]
        passages.save_embeddings(tx, "m", [(gone, Embedding(2, b"abcd"))])
        seq = index_log.head(tx)
        assert documents.remove(tx, source, ["a", "missing"]) == 1
        assert log_since(tx, seq) == [(gone, "remove")]
        assert (passages.embeddings(tx, "m", [gone]), documents.view(tx, gone)) == ([], [])
    with database.write() as tx:
        store(tx, source, "a", [chunk("one")])
        assert stored(tx)["one"] > gone


def test_a_sweep_finds_what_a_listing_no_longer_names(database: Database, source: int) -> None:
    with database.write() as tx:
        for name in ("a", "b", "c"):
            store(tx, source, name, [])
        sweep = sources.begin_sweep(tx, source) + 1
        rows = list(documents.row_ids(tx, source))
        documents.touch(tx, rows[1:2], sweep)
        assert [one.external_id for one in documents.left(tx, rows, sweep)] == ["a", "c"]
        assert documents.count(tx, source) == 3


def test_a_batch_with_one_document_twice_keeps_the_later(database: Database, source: int) -> None:
    items = [
        documents.ToSave(Document("a", "t", "", EVERYONE), [chunk(text)], text, "", version, 1)
        for text, version in (("old", "1"), ("new", "2"))
    ]
    with database.write() as tx:
        assert documents.save_many(tx, source, items) == documents.Saved(1, 0, 0)
        assert documents.known(tx, source, ["a"])["a"].version == "2"
        assert list(stored(tx)) == ["new"]


def test_values_come_back_as_they_went_in(database: Database, source: int) -> None:
    local = datetime(2026, 3, 1, 12, 0, tzinfo=timezone(timedelta(hours=2)))
    facts = {"url": "https://w/1", "path": ("Space", "Page"), "authors": ("Zoë",), "language": "en", "updated": local}
    with database.write() as tx:
        store(tx, source, "a", [chunk("Größe ✓ 漢字")], kind="ticket", **facts)
        (entry,) = passages.scan(tx, after=0, limit=10)
        passage = passages.by_ids(tx, [entry.id])[entry.id]
    assert (passage.path, passage.authors, passage.document_kind) == (("Space", "Page"), ("Zoë",), "ticket")
    assert passage.updated == local.astimezone(UTC).replace(tzinfo=None)
    assert (passage.link, entry.heading, entry.text) == ("https://w/1#leave", "a › Leave", "Größe ✓ 漢字")


def test_characters_that_a_database_refuses_are_dropped(database: Database, source: int) -> None:
    with database.write() as tx:
        store(tx, source, "a", [chunk("zero\x00byte and \ud800 half", headings=("x\x00y",))], title="t\x00itle")
        (entry,) = passages.scan(tx, after=0, limit=10)
    assert (entry.text, entry.heading) == ("zerobyte and ? half", "title › xy")


def test_vectors_are_kept_per_model_and_missing_ones_counted(database: Database, source: int) -> None:
    with database.write() as tx:
        store(tx, source, "a", [chunk("one"), chunk("two")])
        ids = stored(tx)
        assert passages.unembedded(tx, "m", after=0, limit=1) == [(ids["one"], "a › Leave\none")]
        seq = index_log.head(tx)
        passages.save_embeddings(tx, "m", [(ids["one"], Embedding(2, b"abcd")), (10**6, Embedding(2, b"gone"))])
        assert log_since(tx, seq) == [(ids["one"], "vector")]
        assert (passages.count_missing(tx, "m"), passages.count_missing(tx, "other")) == (1, 2)
        passages.save_embeddings(tx, "m", [(ids["one"], Embedding(2, b"efgh"))])
        assert passages.embeddings(tx, "m", [ids["one"]]) == [(ids["one"], Embedding(2, b"efgh"))]


def test_the_log_can_be_read_in_pieces_and_trimmed_without_going_back(database: Database, source: int) -> None:
    with database.write() as tx:
        assert index_log.head(tx) == 0
        store(tx, source, "a", [chunk(str(n)) for n in range(5)])
        rows = index_log.since(tx, 0, 100)
        assert [row.seq for row in rows] == sorted(row.seq for row in rows)
        assert index_log.since(tx, rows[2].seq, 1) == rows[3:4]
        assert index_log.trim(tx, rows[-1].seq) == 5
    with database.read() as tx:
        assert (index_log.head(tx), index_log.oldest(tx)) == (rows[-1].seq, None)


def test_log_positions_become_visible_in_their_order(database: Database, source: int) -> None:
    """Else an index that has read position 9 would never hear of 8, which was committed later."""
    began, committed = threading.Event(), []

    def write(name: str, wait: float) -> None:
        with database.write() as tx:
            store(tx, source, name, [chunk(name)])
            seq = index_log.head(tx)
            began.set()
            time.sleep(wait)
        committed.append(seq)

    slow = threading.Thread(target=write, args=("slow", 0.4))
    slow.start()
    assert began.wait(5)
    write("quick", 0)
    slow.join()
    assert committed == sorted(committed)


words = st.lists(st.tuples(st.sampled_from("abcdef"), st.booleans()), max_size=8)


@given(versions=st.lists(words, min_size=1, max_size=5))
@settings(max_examples=60, deadline=None)
def test_any_history_of_edits_ends_in_the_last_version_and_the_log_alone_leads_there(
    versions: list[list[tuple[str, bool]]],
) -> None:
    with TemporaryDirectory() as folder:
        db = Database(f"sqlite:///{Path(folder) / 'citebot.db'}")
        schema.upgrade(db)
        with db.write() as tx:
            source = sources.add(tx, name="wiki", type="files", settings={}).id
        mirror: dict[int, tuple[str, Readers]] = {}
        seq = 0
        for version in versions:
            chunks = [chunk(text, BOARD if secret else EVERYONE) for text, secret in version]
            with db.write() as tx:
                store(tx, source, "a", chunks)
                for row in index_log.since(tx, seq, 1000):
                    seq = row.seq
                    found = passages.entries(tx, [row.passage_id])
                    if row.what == "remove":
                        mirror.pop(row.passage_id, None)
                    elif found:
                        assert mirror.get(row.passage_id, (found[0].text,))[0] == found[0].text
                        mirror[row.passage_id] = (found[0].text, found[0].readers)
                now = passages.scan(tx, after=0, limit=1000)
                shown = documents.view(tx, now[0].id) if now else []
            assert [(p.text, p.readers) for p in shown] == [(c.text, c.readers) for c in chunks]
            assert mirror == {entry.id: (entry.text, entry.readers) for entry in now}
        db.close()
