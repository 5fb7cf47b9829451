"""Data folders that are damaged, too new, or full: one clear line, nothing lost, and the next run heals."""

from __future__ import annotations

import json
import resource
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

QUESTION = "How many days of annual leave do I get?"
KILOBYTE = 1024


def garbage_state(index: Path) -> None:
    (index / "state.json").write_bytes(b"\x00garbage{")


def half_state(index: Path) -> None:
    state = json.loads((index / "state.json").read_text())
    (index / "state.json").write_text(json.dumps({key: state[key] for key in list(state)[:2]})[:-4])


def truncated_words(index: Path) -> None:
    for path in (index / "words").iterdir():
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def no_words(index: Path) -> None:
    for path in (index / "words").iterdir():
        path.unlink()


@pytest.mark.parametrize("damage", [garbage_state, half_state, truncated_words, no_words])
def test_a_damaged_index_heals_while_it_is_asked(damage: Callable[[Path], None], company: Any) -> None:
    damage(company.folder / "index" / "embedded")

    answer = company.json("ask", QUESTION)

    assert "26 days" in answer["text"]
    assert company.json("index", "status")["behind"] == 0


def test_truncated_vectors_heal(company: Any) -> None:
    index = company.folder / "index" / "embedded"
    for name, data in (("vectors.f32", b"\x01" * 100), ("vectors.ids", b"\x01" * 9)):
        (index / name).write_bytes(data)
    state = json.loads((index / "state.json").read_text())
    (index / "state.json").write_text(json.dumps({**state, "rows": 200, "dimensions": 384, "model": "some-model"}))

    assert "26 days" in company.json("ask", QUESTION)["text"]
    assert company.json("index", "status")["vectors"] == 0


@pytest.mark.parametrize("command", [["ask", QUESTION], ["source", "list"], ["db", "check"], ["serve"], ["doctor"]])
def test_a_database_from_the_future_is_not_touched(command: list[str], company: Any) -> None:
    path = company.folder / "citebot.db"
    with sqlite3.connect(path) as database:
        [version] = database.execute("SELECT version_num FROM alembic_version").fetchone()
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    database.close()

    refused = company(*command)

    assert refused.exit_code == 1
    assert "was written by a newer Citebot (schema 9999" in refused.stderr + refused.stdout
    assert len(refused.stderr.splitlines()) <= 1
    with sqlite3.connect(path) as database:
        database.execute("UPDATE alembic_version SET version_num = ?", [version])
    database.close()
    assert "26 days" in company.json("ask", QUESTION)["text"]


def test_a_file_that_is_no_database_is_left_alone(citebot: Any) -> None:
    citebot.folder.mkdir()
    (citebot.folder / "citebot.db").write_bytes(b"my thesis" * 1000)

    refused = citebot("source", "list")

    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "is not a Citebot database" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    assert (citebot.folder / "citebot.db").read_bytes().startswith(b"my thesis")


def test_a_full_disk_is_named_and_the_next_sync_heals(citebot: Any, tmp_path: Path) -> None:
    path = tmp_path / "many.jsonl"
    rows = (
        {"id": f"D-{n}", "title": f"Title {n}", "text": f"word{n}x " * 60, "readers": ["everyone"]} for n in range(800)
    )
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    citebot("source", "add", "jsonl", "--name", "many", "--path", str(path))
    room = 700 * KILOBYTE

    full = citebot.process("source", "sync", preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (room, room)))

    assert full.returncode == 1, full.stderr
    assert len(full.stderr.splitlines()) == 1, full.stderr
    assert "Traceback" not in full.stderr
    assert citebot("source", "sync").exit_code == 0
    assert citebot.json("source", "list")[0]["documents"] == 800
    assert citebot.json("search", "word799x")["hits"][0]["document"] == "D-799"
