"""Sources that are gone, empty or broken: one clear line, nothing lost, and the next run heals."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest


def write_docs(folder: Path, count: int = 12) -> Path:
    folder.mkdir()
    for number in range(count):
        (folder / f"{number}.md").write_text(f"# Room {number}\n\nThe code of room {number} is word{number}x.\n")
    return folder


def found(commands: Any, word: str = "word3x") -> bool:
    return any(word in hit["text"] for hit in commands.json("search", word)["hits"])


@pytest.fixture
def docs(citebot: Any, tmp_path: Path) -> Path:
    """A folder of twelve files, read as the source `docs`."""
    folder = write_docs(tmp_path / "docs")
    assert citebot("source", "add", "files", "--name", "docs", "--path", str(folder)).exit_code == 0
    assert citebot("source", "sync").exit_code == 0
    return folder


@pytest.mark.parametrize("emptied", [False, True], ids=["gone", "empty"])
def test_a_folder_that_went_away_takes_nothing_with_it(emptied: bool, docs: Path, citebot: Any) -> None:
    away = docs.rename(docs.with_name("away"))
    if emptied:
        docs.mkdir()

    failed = citebot("source", "sync", "docs")

    assert failed.exit_code == 1
    assert len(failed.stderr.splitlines()) == 1
    assert str(docs) in failed.stderr or "source confirm" in failed.stderr
    assert citebot.json("source", "list")[0]["failure"]
    assert found(citebot)

    shutil.rmtree(docs, ignore_errors=True)
    away.rename(docs)
    assert citebot("source", "sync", "docs").exit_code == 0
    assert not citebot.json("source", "list")[0]["failure"]


def test_binaries_are_no_documents(citebot: Any, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "cat.png").write_bytes(bytes(range(256)) * 40)

    refused = citebot("source", "add", "files", "--name", "photos", "--path", str(folder))

    assert refused.exit_code == 1
    assert "holds no file that matches" in refused.stderr
    assert citebot.json("source", "list") == []


def test_a_binary_in_disguise_spoils_nothing(docs: Path, citebot: Any) -> None:
    (docs / "disguised.pdf").write_bytes(bytes(range(256)) * 40)
    (docs / "disguised.md").write_bytes(bytes(range(256)) * 40)
    (docs / "new.md").write_text("# New\n\nThe code is word99x.\n")

    citebot("source", "sync")

    assert found(citebot, "word99x")
    failed = citebot.json("source", "show", "docs")["failed"]
    assert "disguised.pdf" in {one["document"] for one in failed}
    assert "disguised.pdf" in citebot("source", "show", "docs", "--failed").stdout


def test_a_line_that_is_no_json_is_named_and_the_others_are_read(citebot: Any, tmp_path: Path) -> None:
    path = tmp_path / "tickets.jsonl"
    rows = [
        {"id": f"T-{n}", "title": f"Ticket {n}", "text": f"About word{n}x.", "readers": ["everyone"]} for n in (1, 2)
    ]
    path.write_text(f"{json.dumps(rows[0])}\n{{oops\n{json.dumps(rows[1])}\n")
    citebot("source", "add", "jsonl", "--name", "tickets", "--path", str(path), "--no-check")

    synced = citebot("source", "sync")

    assert found(citebot, "word1x")
    shown = synced.stderr + json.dumps(citebot.json("source", "show", "tickets"))
    assert "tickets.jsonl:2" in shown or "line 2" in shown

    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert citebot("source", "sync").exit_code == 0
    assert found(citebot, "word2x")


def test_a_source_whose_plugin_is_not_enabled_is_named_and_its_documents_stay(docs: Path, citebot: Any) -> None:
    without = ("--set", 'plugins.enabled=["console", "embedded", "local"]')

    failed = citebot(*without, "source", "sync")

    assert failed.exit_code != 0
    assert len(failed.stderr.splitlines()) == 1
    assert "files" in failed.stderr
    assert any("word3x" in hit["text"] for hit in citebot.json(*without, "search", "word3x")["hits"])
    assert citebot("source", "sync").exit_code == 0


def test_one_sick_source_does_not_keep_the_others_from_being_read(docs: Path, citebot: Any, tmp_path: Path) -> None:
    other = write_docs(tmp_path / "other", 1)
    citebot("source", "add", "files", "--name", "zoo", "--path", str(other))
    shutil.rmtree(docs)

    result = citebot("source", "sync", "--json")

    outcome = {one["name"]: one for one in json.loads(result.stdout)}
    assert result.exit_code == 1
    assert outcome["docs"]["failure"]
    assert outcome["zoo"]["saved"] == 1
