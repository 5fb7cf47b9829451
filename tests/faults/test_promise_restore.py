"""Promise P33: everything is wiped and restored; rows and hashes are equal, and what was deleted stays deleted."""

from __future__ import annotations

import hashlib
import os
import random
import shlex
import shutil
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from citebot.model import Conversation, Embedding, Person, Readers
from citebot.storage import Database, curated, passages

Rows = dict[Any, Any]
LOST = ("the database", "everything", "nothing", "its text")


class World:
    """A bot with documents, answers of people and vectors, and what it costs to lose all of it."""

    def __init__(self, bot: Any, folder: Path, url: str) -> None:
        self.bot = bot
        self.url = url
        self.place, self.old, self.outside = (folder / name for name in ("place", "old", "outside"))
        self.outside.mkdir()
        self.chance = random.Random(5)
        self.words = 0
        for name in (self.place, self.old):
            name.mkdir()
            for number in range(12):
                self.write(name / f"page{number}.md")
        if url:
            bot.options = (*bot.options, "--set", f"database.url={url}")
            self.run("db", "upgrade")
        self.run("source", "add", "files", "--name", "place", "--path", str(self.place), "--readers", "everyone")

    def run(self, *args: str) -> str:
        done = self.bot(*args)
        assert done.exit_code == 0, f"{args}: {done.stderr}"
        return str(done.stdout)

    def write(self, file: Path) -> None:
        """A page of two sections, each with a word that is nowhere else."""
        sections = []
        for _ in range(2):
            self.words += 1
            sections.append(f"# Part {self.words}\n\nThe {self.word(self.words)} sings at five. {'La ' * 400}\n")
        file.write_text("\n".join(sections))

    @staticmethod
    def word(number: int) -> str:
        return f"kanari{number:06}x"

    def open(self) -> Database:
        return Database(self.url or f"sqlite:///{self.bot.folder / 'citebot.db'}")

    def learn(self) -> None:
        """Read the sources, and give every passage a vector."""
        self.run("source", "sync", "--no-vectors")
        db = self.open()
        with db.write() as tx:
            ids = [key for key, _ in passages.unembedded(tx, "m", after=0, limit=10_000)]
            values = [struct.pack("8e", *(self.chance.uniform(-1, 1) for _ in range(8))) for _ in ids]
            made = [(key, Embedding(8, value)) for key, value in zip(ids, values, strict=True)]
            passages.save_embeddings(tx, "m", made)
        db.close()

    def answer(self) -> int:
        self.words += 1
        db = self.open()
        with db.write() as tx:
            new = curated.add(
                tx,
                question="Who sings?",
                text=f"The {self.word(self.words)}.",
                author=Person("ann"),
                url="",
                readers=Readers.everyone(),
                place=Conversation("console", "c"),
                message_id=str(self.words),
            )
        db.close()
        assert new is not None
        return new

    def rows(self) -> tuple[Rows, Rows, Rows]:
        """Passages with their vectors, documents and answers of people, as they are stored."""
        db = self.open()
        with db.read() as tx:
            found = tx.execute(
                text(
                    "SELECT p.id, d.id, d.external_id, p.text, p.content_hash, p.position, CAST(p.readers AS TEXT), "
                    "e.data FROM passage p JOIN document d ON d.id = p.document_id "
                    "JOIN embedding e ON e.passage_id = p.id"
                )
            ).all()
            parts = {
                row[0]: (row[1], hashlib.sha256(repr((*row[2:7], bytes(row[7]))).encode()).hexdigest()) for row in found
            }
            pages = {row[0]: row[1:] for row in tx.execute(text("SELECT id, external_id, title FROM document"))}
            answers = {row.id: row.text for row in curated.every(tx)}
        db.close()
        return parts, pages, answers

    def content(self) -> dict[str, list[str]]:
        """What is known of each document, whatever the numbers of its rows are."""
        db = self.open()
        with db.read() as tx:
            rows = tx.execute(
                text(
                    "SELECT s.name, d.external_id, p.content_hash FROM passage p JOIN document d "
                    "ON d.id = p.document_id JOIN source s ON s.id = d.source_id"
                )
            ).all()
        db.close()
        found: dict[str, list[str]] = {}
        for source, name, digest in rows:
            found.setdefault(f"{source} {name}", []).append(digest)
        return {name: sorted(digests) for name, digests in found.items()}

    def back_up(self, file: Path) -> None:
        if not self.url:
            self.run("db", "backup", str(file), "--force")
            return
        says = self.bot("db", "backup", str(file))
        assert says.exit_code == 1
        subprocess.run(shlex.split(says.stderr.partition("own tool: ")[2]), check=True)

    def restore(self, file: Path, lost: str) -> str:
        given = ("--tombstones", str(self.outside / "removed.log"))
        if not self.url:
            return self.run("db", "restore", str(file), "--yes", *(given if lost == "everything" else ()))
        says = self.bot("db", "restore", str(file))
        assert says.exit_code == 1
        tool, _, after = says.stderr.partition("into an empty database, ")[2].partition(" && ")
        subprocess.run(shlex.split(tool), check=True)
        assert after.strip() == "citebot db upgrade && citebot db restored"
        self.run("db", "upgrade")
        return self.run("db", "restored", *given)

    def lose(self, lost: str) -> None:
        if self.url:
            db = self.open()
            with db.write() as tx:
                tx.execute(text("DROP SCHEMA public CASCADE"))
                tx.execute(text("CREATE SCHEMA public"))
            db.close()
        elif lost == "its text":
            (self.bot.folder / "citebot.db").write_bytes(os.urandom(100_000))
        if lost == "everything":
            shutil.rmtree(self.bot.folder)
        elif lost == "the database":
            for file in self.bot.folder.glob("citebot.db*"):
                file.unlink()

    def holds(self, word: str) -> list[str]:
        """Files in which a word is."""
        files = [file for file in self.bot.folder.rglob("*") if file.is_file()]
        return [file.name for file in files if word.encode() in file.read_bytes().lower()]


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def world(request: pytest.FixtureRequest, citebot: Any, tmp_path: Path) -> World:
    """A world on each kind of database."""
    if request.param == "sqlite":
        return World(citebot, tmp_path, "")
    url: str = request.getfixturevalue("postgres_url")
    db = Database(url)
    with db.write() as tx:
        tx.execute(text("DROP SCHEMA public CASCADE"))
        tx.execute(text("CREATE SCHEMA public"))
    db.close()
    return World(citebot, tmp_path, url)


@pytest.mark.timeout(1200)
def test_wiped_and_restored_it_is_equal_and_what_was_deleted_stays_deleted(
    world: World, count: Callable[[int, int], int]
) -> None:
    for number in range(count(1 if world.url else 2, 20)):
        _round(world, LOST[number % len(LOST)], world.outside / f"{number}.db")


def _round(world: World, lost: str, file: Path) -> None:
    world.run("source", "add", "files", "--name", "old", "--path", str(world.old), "--readers", "everyone")
    kept, gone = world.answer(), world.answer()
    gone_word = world.word(world.words)
    world.learn()
    world.back_up(file)
    parts, pages, answers = world.rows()
    files = sorted(world.place.iterdir())
    removed = world.chance.sample(files, 3)
    deleted = [word for page in removed for word in page.read_text().split() if word.startswith("kanari")]
    deleted += [word for page in world.old.iterdir() for word in page.read_text().split() if word.startswith("kanari")]
    for page in removed:
        page.unlink()
    half = world.chance.choice([page for page in files if page not in removed and page.read_text().count("# ") == 2])
    sections = half.read_text().split("# ")
    deleted += [word for word in sections[2].split() if word.startswith("kanari")]
    half.write_text(f"# {sections[1]}")
    for _ in range(3):
        world.write(world.place / f"new{world.words}.md")
    world.run("source", "remove", "old", "--yes")
    world.run("curated", "remove", str(gone))
    world.learn()
    world.run("db", "tombstones", str(world.outside / "removed.log"))
    live_parts, _, _ = world.rows()
    content = world.content()
    assert parts.keys() - live_parts.keys()

    world.lose(lost)
    said = world.restore(file, lost)
    assert "Removed again:" in said
    expected = {key: value for key, value in parts.items() if key in live_parts}
    owners = {owner for owner, _ in expected.values()}
    parts_now, pages_now, answers_now = world.rows()
    assert parts_now == expected
    assert pages_now == {key: value for key, value in pages.items() if key in owners}
    assert answers_now == {key: value for key, value in answers.items() if key != gone}
    assert kept in answers_now
    for replaced in world.bot.folder.glob("*.replaced"):
        replaced.unlink()
    world.run("index", "rebuild")
    status = world.bot.json("index", "status")
    assert (status["passages"], status["behind"]) == (len(parts_now), 0)
    for word in {*deleted, gone_word}:
        assert world.holds(word) == []
    assert not [hit for hit in world.bot.json("search", deleted[0])["hits"] if deleted[0] in str(hit)]
    world.learn()
    assert world.content() == content, "with what its sources have, it is what it was"
