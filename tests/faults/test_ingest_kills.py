"""An ingest that is killed anywhere and run again ends as one that was never killed: database, vectors and index."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from citebot.model import EVERYONE, Audience
from citebot.ports import IndexQuery, PartContext
from citebot.storage import Database, passages
from citebot_plugins.embedded.index import EmbeddedIndex

ZYGOTE = Path(__file__).with_name("ingest_zygote.py")
DOCUMENTS = 60
Run = Callable[..., int]


@pytest.fixture(scope="module")
def run() -> Iterator[Run]:
    """Runs one ingest and returns its exit status; negative is the signal that ended it."""
    child = subprocess.Popen(
        [sys.executable, "-W", "ignore", ZYGOTE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdin is not None
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"

    def go(home: Path, folder: Path, **ending: Any) -> int:
        assert child.stdin is not None
        assert child.stdout is not None
        home.mkdir(exist_ok=True)
        child.stdin.write(json.dumps({"home": str(home), "folder": str(folder), **ending}) + "\n")
        child.stdin.flush()
        return int(child.stdout.readline())

    yield go
    child.stdin.close()
    child.wait(10)
    child.stdout.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "folder"
    folder.mkdir()
    for number in range(DOCUMENTS):
        (folder / f"page-{number}.md").write_text(f"# Page {number}\n\nThe common word, and word{number}.\n")
    return folder


def change(folder: Path, chance: random.Random) -> None:
    """Edit, delete and add some pages."""
    for path in chance.sample(sorted(folder.iterdir()), 12):
        path.write_text(path.read_text() + f"\nEdited {chance.random()}.\n")
        os.utime(path, ns=(1, path.stat().st_mtime_ns + 1_000_000))
    for path in chance.sample(sorted(folder.iterdir()), 4):
        path.unlink()
    for _ in range(4):
        name = chance.randrange(10**9)
        (folder / f"new-{name}.md").write_text(f"The common word, and new{name}.\n")


def stored(home: Path) -> tuple[dict[int, tuple[str, str]], int]:
    """Passages by id as (document, text), and how many have no vector."""
    database = Database(f"sqlite:///{home / 'citebot.db'}")
    with database.read() as tx:
        ids = [entry.id for entry in passages.scan(tx, after=0, limit=10_000)]
        found = {key: (passage.document_id, passage.text) for key, passage in passages.by_ids(tx, ids).items()}
        models = passages.models(tx)
        missing = passages.count_missing(tx, models[0]) if models else len(found)
    database.close()
    return found, missing


def indexed(home: Path) -> tuple[set[int], int]:
    """Passages that a search finds, and how many have vectors."""

    async def look() -> tuple[set[int], int]:
        index = EmbeddedIndex(EmbeddedIndex.Settings(), PartContext(home / "index"))  # type: ignore[arg-type]
        await index.open()
        hits = await index.search(IndexQuery(Audience(frozenset({EVERYONE})), "common", limit=1_000))
        stats = await index.stats()
        await index.close()
        return set(hits.legs["words"]), stats.vectors

    return asyncio.run(look())


def check_healed(home: Path, clean: Path) -> None:
    found, missing = stored(home)
    expected, _ = stored(clean)
    assert sorted(found.values()) == sorted(expected.values())
    assert missing == 0
    assert indexed(home) == (set(found), len(found))


def test_killed_at_every_store(run: Run, folder: Path, tmp_path: Path) -> None:
    home, clean = tmp_path / "home", tmp_path / "clean"
    kills = 0
    for _ in range(30):
        if run(home, folder, failpoint="before-documents-commit", hit=2) == 0:
            break
        kills += 1
    assert 3 <= kills < 30
    assert run(clean, folder) == 0
    check_healed(home, clean)


@pytest.mark.parametrize("name", ["SIGKILL", "SIGTERM"])
def test_ended_at_random_while_the_folder_changes(run: Run, folder: Path, tmp_path: Path, name: str) -> None:
    chance = random.Random(name)
    home, clean = tmp_path / "home", tmp_path / "clean"
    ends = []
    for _ in range(12):
        ends.append(run(home, folder, signal=int(signal.Signals[name]), after=chance.uniform(0.02, 0.6)))
        change(folder, chance)
    assert run(home, folder) == 0
    assert run(clean, folder) == 0
    check_healed(home, clean)
    # A run that is asked to end ends well; one that is killed does not notice.
    assert set(ends) <= ({0, -signal.SIGKILL} if name == "SIGKILL" else {0, -signal.SIGTERM})
    assert name == "SIGTERM" or ends.count(-signal.SIGKILL) >= 3
