"""A server that is told to end does so within five seconds, whatever it is doing, and loses nothing."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

PATIENCE = 10.0
SLOW_PLUGIN = '''
import asyncio, time
from citebot import Batch, Document, NoSettings, Readers, Ref, SourceSpec, hookimpl
from citebot.ports import Draft


class Dawdling:
    """Writes a sentence every half second."""

    name, summary, Settings = "dawdling", "slow", NoSettings

    def __init__(self, settings, context): ...
    async def open(self): ...
    async def close(self): ...

    async def generate(self, request):
        sentence = request.passages[0].passage.text.split(". ")[0]
        for _ in range(60):
            yield Draft(sentence + ". [1] ")
            await asyncio.sleep(0.5)


class Endless:
    """Has a document for ever, or hangs."""

    name, summary, Settings, spec = "endless", "slow", NoSettings, SourceSpec()

    def __init__(self, settings, context): ...

    def list(self, ctx, cursor):
        yield Batch(tuple(Ref(str(n)) for n in range(2000)), None)

    def fetch(self, ctx, ids):
        for id in ids:
            if int(id) >= 10:
                time.sleep(60)
            yield Document(id, id, f"word{id}x", Readers.everyone())


@hookimpl
def citebot_register_generators():
    return [Dawdling]


@hookimpl
def citebot_register_sources():
    return [Endless]
'''


def ends_in_time(process: subprocess.Popen[str]) -> str:
    """Tell it to end; what it said."""
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=30)
    assert time.monotonic() - began < PATIENCE
    assert "Traceback" not in err, err
    return err


def address_of(process: subprocess.Popen[str]) -> str:
    assert process.stderr is not None
    for line in process.stderr:
        if match := re.search(r"The web chat is at (http://\S+)", line):
            return match[1]
    pytest.fail("the server ended")


def rows(folder: Path, statement: str) -> list[tuple[Any, ...]]:
    with sqlite3.connect(folder / "citebot.db") as database:
        found = database.execute(statement).fetchall()
    database.close()
    return found


def wait_for(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.02)


@pytest.fixture
def slow(company: Any, tmp_path: Path) -> Any:
    """The sample company with a slow plugin."""
    folder = tmp_path / "plugins"
    folder.mkdir()
    (folder / "slow.py").write_text(SLOW_PLUGIN)
    company.options = (*company.options, "--set", f"plugins.dir={folder}")
    return company


@pytest.mark.parametrize("seconds", [0.0, 0.3, 0.6, 0.9, 1.2])
def test_right_after_start(seconds: float, company: Any) -> None:
    with company.start("serve", "--port", "0") as process:
        time.sleep(seconds)
        ends_in_time(process)


@pytest.mark.parametrize("role", ["all", "gateway"])
def test_when_idle(role: str, company: Any) -> None:
    with company.start("serve", "--port", "0", "--role", role) as process:
        address_of(process)
        ends_in_time(process)

    assert process.returncode == 0


def ask(address: str, text: str) -> None:
    with urllib.request.urlopen(f"{address}/", timeout=10):
        pass
    body = json.dumps({"id": "message-0001", "conversation": "tab-0001", "text": text, "history": []}).encode()
    headers = {"Content-Type": "application/json", "X-Citebot": "1", "Origin": address}
    request = urllib.request.Request(f"{address}/api/questions", body, headers, method="POST")
    with urllib.request.urlopen(request, timeout=10) as response:
        assert response.status in (200, 201, 202)


def test_while_an_answer_is_written(slow: Any) -> None:
    with slow.start("--set", "generator.use=dawdling", "serve", "--port", "0") as process:
        address = address_of(process)
        ask(address, "How many days of annual leave do I get?")
        wait_for(lambda: rows(slow.folder, "SELECT 1 FROM inbox WHERE attempts > 0") != [])
        time.sleep(1)
        ends_in_time(process)
    assert process.returncode == 0
    before = len(slow.json("answers", "list"))

    with slow.start("serve", "--port", "0") as process:
        address_of(process)
        wait_for(lambda: rows(slow.folder, "SELECT 1 FROM outbox WHERE state = 'done'") != [])
        ends_in_time(process)

    answers = slow.json("answers", "list")
    assert len(answers) - before in (0, 1)
    assert sum(answer["question"].startswith("How many days of annual leave do I get?") for answer in answers) == 1


def test_while_a_source_is_read_that_hangs(slow: Any) -> None:
    assert slow("source", "add", "endless", "--name", "endless").exit_code == 0
    with slow.start("serve", "--port", "0") as process:
        address_of(process)
        wait_for(lambda: rows(slow.folder, "SELECT 1 FROM todo") != [])
        time.sleep(0.5)
        ends_in_time(process)

    assert process.returncode == 0
    assert rows(slow.folder, "SELECT count(*) FROM todo")[0][0] > 0
    with slow.start("source", "sync", "endless") as process:
        time.sleep(3)
        assert process.poll() is None, "the next run is kept from reading"
        os.kill(process.pid, signal.SIGKILL)
