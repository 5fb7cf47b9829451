"""Two processes on one data folder, and syncs that are stopped or killed in the middle."""

from __future__ import annotations

import json
import re
import signal
import socket
import sqlite3
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

QUESTION = "How many days of annual leave do I get?"
MANY = 6_000


@contextmanager
def serving(commands: Any, *args: str) -> Iterator[tuple[subprocess.Popen[str], str, list[str]]]:
    """A server, its address, and what it said until it was up."""
    process = commands.start("serve", *args)
    said: list[str] = []
    try:
        for line in process.stderr:
            said.append(line)
            if match := re.search(r"The web chat is at (http://\S+)", line):
                yield process, match[1], said
                break
        else:
            pytest.fail("".join(said))
    finally:
        process.terminate()
        process.communicate(timeout=30)


def wait_for(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.005)


def test_a_second_owner_is_told_what_to_do_and_asking_beside_it_works(company: Any) -> None:
    with serving(company, "--port", "0") as (process, _, _):
        busy = company.process("source", "sync")
        asked = company.process("ask", QUESTION)

    assert busy.returncode == 1
    assert f"is in use by process {process.pid}" in busy.stderr
    assert "stop it, or choose another folder" in busy.stderr
    assert len(busy.stderr.splitlines()) == 1
    assert "26 days" in asked.stdout
    assert company("source", "sync").exit_code == 0


def test_a_taken_port_leads_to_the_next_free_one(company: Any) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with (
            serving(company, "--port", str(port)) as (_, address, said),
            urllib.request.urlopen(f"{address}/livez", timeout=10) as page,
        ):
            assert page.status == 200

    assert not address.endswith(f":{port}")
    assert f"Port {port} is taken by another program" in "".join(said)


def content(folder: Path) -> dict[str, list[tuple[int, str]]]:
    """What is stored of every document."""
    with sqlite3.connect(folder / "citebot.db") as database:
        rows = database.execute(
            "SELECT d.external_id, p.position, p.text FROM passage p"
            " JOIN document d ON d.id = p.document_id ORDER BY 1, 2"
        ).fetchall()
    database.close()
    found: dict[str, list[tuple[int, str]]] = {}
    for document, position, text in rows:
        found.setdefault(document, []).append((position, text))
    return found


def documents(folder: Path) -> int:
    try:
        with sqlite3.connect(f"file:{folder / 'citebot.db'}?mode=ro", uri=True) as database:
            count: int = database.execute("SELECT count(*) FROM document").fetchone()[0]
    except sqlite3.OperationalError:
        return 0
    database.close()
    return count


@pytest.fixture
def export(tmp_path: Path) -> Path:
    """So many that no machine has read them before it is told to stop."""
    path = tmp_path / "export.jsonl"
    rows = (
        {"id": f"D-{n}", "title": f"Title {n}", "text": f"About word{n}x.\n\n" * 5, "readers": ["everyone"]}
        for n in range(MANY)
    )
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.mark.parametrize("name", ["SIGTERM", "SIGKILL", "SIGINT"])
def test_a_sync_that_is_ended_goes_on_at_once_in_the_next(
    name: str, commands: Callable[[str], Any], export: Path
) -> None:
    ended, clean = commands("ended"), commands("clean")
    for one in (ended, clean):
        one("source", "add", "jsonl", "--name", "export", "--path", str(export))
    with ended.start("source", "sync") as process:
        wait_for(lambda: documents(ended.folder) > 100 or process.poll() is not None)
        process.send_signal(signal.Signals[name])
        began = time.monotonic()
        _, err = process.communicate(timeout=30)
        assert time.monotonic() - began < 5
    assert process.returncode != 0
    assert "Traceback" not in err
    assert 100 < documents(ended.folder) < MANY

    again = ended("source", "sync")

    assert again.exit_code == 0, again.stderr
    assert clean("source", "sync").exit_code == 0
    assert content(ended.folder) == content(clean.folder)
    status = ended.json("index", "status")
    assert (status["passages"], status["behind"]) == (clean.json("index", "status")["passages"], 0)
    assert ended.json("search", f"word{MANY - 1}x")["hits"][0]["document"] == f"D-{MANY - 1}"
