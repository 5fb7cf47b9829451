"""What is done to a restored database, on both kinds, whichever tool has restored it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from citebot.errors import StorageError
from citebot.model import Chunk, Conversation, Document, Person, Readers
from citebot.ports import Inbound
from citebot.storage import (
    Database,
    curated,
    documents,
    index_log,
    leases,
    marks,
    restoring,
    schema,
    sources,
    todo,
    vault,
    work,
)
from citebot.storage.deletions import Run

PLACE = Conversation("console", "c")
TEAM = Readers.everyone()


def store(db: Database, source: str, name: str, *words: str) -> None:
    chunks = [Chunk(word, (), "", "paragraph", TEAM, word) for word in words]
    with db.write() as tx:
        kind = curated.KIND if source == curated.SOURCE else "jsonl"
        row = sources.get(tx, source) or sources.add(tx, name=source, type=kind, settings={})
        made = Document(name, name, "", TEAM)
        documents.save(tx, row.id, made, chunks, content_hash=name, readers_tag="r", version="1", sweep=1)


def answer(db: Database, words: str) -> int:
    """An answer that somebody wrote, with the document that is made of it."""
    with db.write() as tx:
        new = curated.add(
            tx, question="q", text=words, author=Person("ann"), url="", readers=TEAM, place=PLACE, message_id=words
        )
    assert new is not None
    store(db, curated.SOURCE, str(new), words)
    return new


def column(db: Database, query: str) -> list[Any]:
    with db.read() as tx:
        return list(tx.execute(text(query)).scalars())


def finish(db: Database, folder: Path, *later: tuple[str, int]) -> restoring.Reapplied:
    """Finish a restore; `later` is what (kind, row) was logged after the backup, which is the database as it is."""
    with db.read() as tx:
        head, mark = index_log.head(tx), marks.read(tx)
    runs = [Run(head + number, row, 1, what) for number, (what, row) in enumerate(later, 1)]
    record = folder / "removed.log"
    record.write_text(f"citebot removed rows of {mark.name}\n{Run(0, 0, 0, 'begin')}" + "".join(map(str, runs)))
    return restoring.finish(db, [record])


def ids(db: Database, words: str) -> int:
    (found,) = column(db, f"SELECT id FROM passage WHERE text = '{words}'")
    return int(found)


def test_removed_passages_documents_and_sources_go_again(database: Database, tmp_path: Path) -> None:
    store(database, "wiki", "whole", "a", "b")
    store(database, "wiki", "part", "c", "d")
    store(database, "wiki", "empty")
    store(database, "old", "x", "e")
    (old,) = column(database, "SELECT id FROM source WHERE name = 'old'")
    (empty,) = column(database, "SELECT id FROM document WHERE external_id = 'empty'")
    gone = [("remove", ids(database, word)) for word in ("a", "b", "c")]
    made = finish(database, tmp_path, *gone, ("document", empty), ("source", old), ("put", 10**9), ("vector", 1))
    assert made.removed == {"passage": 3, "document": 2, "source": 1, "curated_answer": 0}
    assert (made.complete, made.closed) == (True, 0)
    assert column(database, "SELECT text FROM passage") == ["d"]
    assert column(database, "SELECT name FROM source") == ["wiki"]
    with database.read() as tx:
        row = sources.get(tx, "wiki")
        assert row is not None
        known = documents.known(tx, row.id, ["part", "whole", "empty"])
    assert {name: (one.version, one.content_hash, one.readers_tag) for name, one in known.items()} == {
        "part": ("", "", "")
    }, "what is left of a changed document is fetched again"


def test_a_passage_whose_readers_changed_is_closed(database: Database, tmp_path: Path) -> None:
    store(database, "wiki", "a", "open", "other")
    made = finish(database, tmp_path, ("put", ids(database, "open")))
    assert made.closed == 1
    with database.read() as tx:
        row = sources.get(tx, "wiki")
        assert row is not None
        assert documents.known(tx, row.id, ["a"])["a"].version == ""
    assert [len(readers) for readers in column(database, "SELECT readers FROM passage ORDER BY id")] in (
        [0, 1],
        [2, len('["everyone"]')],
    )


def test_answers_of_people_go_again_or_are_closed(database: Database, tmp_path: Path) -> None:
    removed, changed, same = (answer(database, words) for words in ("removed", "changed", "same"))
    made = finish(
        database,
        tmp_path,
        *(("curated", removed), ("remove", ids(database, "removed")), ("remove", ids(database, "changed"))),
    )
    assert (made.removed["curated_answer"], made.curated_closed) == (1, [changed])
    with database.read() as tx:
        left = {row.id: row.readers.principals for row in curated.every(tx)}
    assert left == {changed: frozenset(), same: TEAM.principals}


def test_what_the_backup_has_seen_itself_is_not_done_again(database: Database, tmp_path: Path) -> None:
    store(database, "wiki", "a", "a")
    with database.read() as tx:
        head, mark = index_log.head(tx), marks.read(tx)
    record = tmp_path / "removed.log"
    lines = [Run(0, 0, 0, "begin"), Run(1, ids(database, "a"), head, "remove")]
    record.write_text(f"citebot removed rows of {mark.name}\n" + "".join(map(str, lines)))
    made = restoring.finish(database, [record])
    assert not any(made.removed.values())
    assert made.complete
    assert column(database, "SELECT text FROM passage") == ["a"]


def test_nothing_is_taken_for_new_and_everything_is_read_again(database: Database, tmp_path: Path) -> None:
    store(database, "wiki", "a", "a")
    with database.write() as tx:
        row = sources.get(tx, "wiki")
        assert row is not None
        sources.set_cursor(tx, row.id, {"at": 1})
        sources.set_feed(tx, row.id, "7", read=True)
        sources.end_sweep(tx, row.id)
        assert leases.acquire(tx, "source 1", "dead process", 9999)
        for name in ("heard-team", "token"):
            vault.put(tx, "platform/slack", name, {"$secret": "k", "token": "t"})
        for number in (1, 2):
            place = Conversation("console", str(number))
            work.accept(tx, Inbound(f"d{number}", f"m{number}", place, Person("ann"), "q"))
        tx.execute(text("UPDATE inbox SET created_at = '2020-01-01 00:00:00.000000' WHERE delivery_id = 'd1'"))
        before = {name: tx.execute(text(f"SELECT max(id) FROM {name}")).scalar_one() for name in ("passage", "inbox")}
        head = index_log.head(tx)
    for _ in range(2):  # done twice it does no harm
        made = finish(database, tmp_path)
    with database.write() as tx:
        row = sources.get(tx, "wiki")
        assert row is not None
        assert (row.cursor, row.feed, row.feed_at, row.swept_at) == (None, None, None, None)
        assert leases.acquire(tx, "source 1", "somebody", 9) is not None
        assert vault.names(tx, "platform/slack") == ["token"], "chats are not read back to the backup"
        assert work.counts(tx, "inbox") == {"dead": 1, "ready": 1}
        assert [job.inbound.delivery_id for job in work.claim(tx, "inbox", lease=9, limit=9)] == ["d2"]
        assert (index_log.oldest(tx), index_log.head(tx)) == (None, made.position)
        assert made.position > head + 2**32
        new, _ = work.accept(tx, Inbound("d3", "m3", PLACE, Person("ann"), "q"))
        assert new > before["inbox"] + 1_000_000
        todo.hurry(tx, row.id, ["b"])
    store(database, "wiki", "b", "b")
    assert before["passage"] + 10_000 < ids(database, "b") < before["passage"] + 100_000, "an index has arrays by it"


@pytest.mark.postgres
def test_a_server_that_is_in_use_is_not_touched(postgres_url: str) -> None:
    restored, other = Database(postgres_url), Database(postgres_url)
    schema.upgrade(restored)
    with other.read() as tx:
        sources.list_all(tx)
    with pytest.raises(StorageError, match=r"1 connections of Citebot use .*Stop all its processes"):
        restoring.finish(restored, [])
    other.close()
    restoring.finish(restored, [])
    restored.close()
