"""Deleted means gone: no byte of removed text is left in any file after a purge."""

from __future__ import annotations

import random
import re
import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import text

from citebot.errors import StorageError
from citebot.model import (
    Answer,
    Audience,
    Chunk,
    Citation,
    Conversation,
    Document,
    Embedding,
    Person,
    Question,
    Readers,
    ScoredPassage,
    Turn,
)
from citebot.ports import Inbound
from citebot.storage import Database, answers, documents, passages, purge, schema, sources, work

CANARY = re.compile(rb"CANARY-[0-9]{6}")


def canary(number: int) -> str:
    return f"CANARY-{number:06d}"


def found_in(folder: Path) -> set[bytes]:
    return {match for file in folder.iterdir() if file.is_file() for match in CANARY.findall(file.read_bytes())}


def save(db: Database, source: int, name: str, number: int, size: int) -> None:
    body = f"{canary(number)} {'lorem ipsum ' * size}"
    chunk = Chunk(body, (f"heading {canary(number)}",), "", "paragraph", Readers.everyone(), str(number))
    doc = Document(name, f"title {canary(number)}", "", Readers.everyone(), fields={"k": canary(number)})
    with db.write() as tx:
        documents.save(tx, source, doc, [chunk], content_hash="", readers_tag="", version="", sweep=1)


def test_no_byte_of_deleted_or_edited_documents_is_left_in_sqlite_files(tmp_path: Path) -> None:
    db = Database(f"sqlite:///{tmp_path / 'citebot.db'}")
    schema.upgrade(db)
    chance = random.Random(7)
    with db.write() as tx:
        source = sources.add(tx, name="wiki", type="files", settings={}).id
    current = {f"d{n}": n for n in range(200)}
    for name, number in current.items():
        save(db, source, name, number, chance.choice((1, 20, 300, 2000)))
    for number in range(200, 300):
        name = chance.choice(sorted(current))
        current[name] = number
        save(db, source, name, number, chance.choice((1, 20, 300, 2000)))
    gone = chance.sample(sorted(current), 120)
    with db.write() as tx:
        ids = [entry.id for entry in passages.scan(tx, after=0, limit=1000)]
        passages.save_embeddings(tx, "m", [(ids[0], Embedding(8, b"CANARY-999999 xx"))])
        documents.remove(tx, source, gone)
        documents.remove(tx, source, [documents.view(tx, ids[0])[0].document_id] if documents.view(tx, ids[0]) else [])
    kept = {canary(number).encode() for name, number in current.items() if name not in gone}
    assert found_in(tmp_path) - kept, "before the purge the log still holds removed text"
    purge.purge(db)
    left = found_in(tmp_path)
    assert left <= kept
    assert len(left) >= len(kept) - 1
    db.close()


def answer(db: Database, id: str, passage_id: int, quote: str) -> None:
    question = Question("q", Person("ann"), Conversation("console", "c"), Audience(frozenset({"everyone"})))
    with db.write() as tx:
        found = passages.by_ids(tx, [passage_id])[passage_id]
        cited = Citation(1, found, (quote,))
        answers.save(tx, Answer(id, question, quote, True, (cited,), (ScoredPassage(found, 1.0),)), {})


def test_answers_and_histories_that_quote_removed_text_are_emptied(database: Database) -> None:
    with database.write() as tx:
        source = sources.add(tx, name="wiki", type="files", settings={}).id
        asked = Inbound("d", "m", Conversation("console", "c"), Person("ann"), "q", (Turn("assistant", canary(1)),))
        work.accept(tx, asked)
        work.complete(tx, work.claim(tx, "inbox", lease=9)[0])
    save(database, source, "a", 1, 1)
    save(database, source, "b", 2, 1)
    with database.read() as tx:
        first, second = (entry.id for entry in passages.scan(tx, after=0, limit=9))
    answer(database, "of a", first, f"quote {canary(1)}")
    answer(database, "of b", second, f"quote {canary(2)}")
    with database.write() as tx:
        documents.remove(tx, source, ["a"])
    assert purge.purge(database) == purge.Purged(answers=1, histories=1)
    with database.read() as tx:
        emptied, whole = answers.get(tx, "of a"), answers.get(tx, "of b")
        rows = str([tx.execute(text(f"SELECT * FROM {name}")).all() for name in ("answer", "inbox", "outbox")])
    assert emptied is not None
    assert whole is not None
    assert (emptied.text, emptied.citations[0].sentences, emptied.citations[0].url) == (purge.REMOVED, (), "")
    assert whole.text == f"quote {canary(2)}"
    assert canary(1) not in rows
    assert purge.purge(database) == purge.Purged(answers=0, histories=0)


def test_a_reader_that_keeps_the_log_open_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "citebot.db"
    db = Database(f"sqlite:///{path}", busy_seconds=0.2)
    schema.upgrade(db)
    with db.write() as tx:
        source = sources.add(tx, name="wiki", type="files", settings={}).id
    save(db, source, "a", 1, 1)
    reader = sqlite3.connect(path, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM passage").fetchall()
    with db.write() as tx:
        documents.remove(tx, source, ["a"])
    with pytest.raises(StorageError, match="Stop it and purge again"):
        purge.purge(db)
    reader.close()
    purge.purge(db)
    assert found_in(tmp_path) == set()
    db.close()
