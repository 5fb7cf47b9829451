"""What people, logs and programs see of a long sync; and documents that could not be read, tried again."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from citebot.cli import sync_display
from citebot.cli.output import duration
from citebot.cli.sync_display import Spoken, SyncDisplay
from citebot.ingest import EmbeddingProgress, SyncProgress

PLUGIN = '''
import time
from pathlib import Path

from pydantic import BaseModel

from citebot import Batch, Document, Failed, Readers, Ref, SourceSpec, hookimpl
from citebot.testing.fake_models import FakeEmbedder


class Zoo:
    """A slow place; what is in `cure` need not exist, and until it does some documents are poison."""

    name, summary, spec = "zoo", "slow", SourceSpec()

    class Settings(BaseModel):
        animals: int = 60
        pause: float = 0.01
        cure: Path

    def __init__(self, settings, context):
        self.settings = settings

    def list(self, ctx, cursor):
        for part in range(3):
            ctx.progress(f"looking into cage {part}")
            time.sleep(self.settings.pause * 10)
            yield Batch(tuple(Ref(f"{part}-{n}", "1") for n in range(self.settings.animals // 3)), str(part))

    def fetch(self, ctx, ids):
        ctx.log.warning("the keeper sleeps")
        for one in ids:
            time.sleep(self.settings.pause)
            if one.endswith("-7") and not self.settings.cure.exists():
                yield Failed(one, "It is poison.", permanent=True)
            else:
                yield Document(one, one, f"The zebra {one} is striped.", Readers.everyone(), version="1")


class SlowEmbedder(FakeEmbedder):
    name = "slow"

    async def embed_passages(self, texts):
        time.sleep(0.3)
        return await super().embed_passages(texts)


@hookimpl
def citebot_register_sources():
    return [Zoo]


@hookimpl
def citebot_register_embedders():
    return [SlowEmbedder]
'''
FIGURES = ("listed", "queued", "fetched", "same", "failed", "removed", "chunks", "vectors", "rate", "time left")


@pytest.fixture
def cure(tmp_path: Path) -> Path:
    return tmp_path / "cure"


@pytest.fixture
def zoo(citebot: Any, tmp_path: Path, cure: Path) -> Any:
    """The command line with a slow source, called zoo, and a slow model."""
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "zoo.py").write_text(PLUGIN)
    citebot.options = (*citebot.options, "--set", f"plugins.dir={tmp_path / 'plugins'}", "--set", "embedder.use=slow")
    citebot("source", "add", "zoo", "--name", "zoo", "--cure", str(cure))
    return citebot


@pytest.fixture
def slow_zoo(zoo: Any, cure: Path) -> Any:
    """One that takes long enough to be watched: what is fetched is stored every two seconds."""
    zoo("source", "remove", "zoo", "--yes")
    zoo("source", "add", "zoo", "--name", "zoo", "--pause", "0.1", "--cure", str(cure))
    return zoo


# --- on a terminal ---------------------------------------------------------------------------------------------------


class Screen:
    """A terminal as far as rich uses one: what was ever seen, and what is left on it."""

    def __init__(self) -> None:
        self.lines = [""]
        self.row = 0
        self.seen = ""

    def show(self, raw: str) -> None:
        self.seen += re.sub(r"\x1b\[[?0-9;]*[a-zA-Z]", "", raw)
        for piece in re.findall(r"\x1b\[[?0-9;]*[a-zA-Z]|\r|\n|[^\x1b\r\n]+", raw):
            self._do(piece)

    def _do(self, piece: str) -> None:
        if piece == "\n":
            self.row += 1
            self.lines += [""] * (self.row + 1 - len(self.lines))
        elif piece.endswith("A") and piece.startswith("\x1b"):
            self.row -= int(piece[2:-1] or 1)
        elif piece == "\x1b[2K":
            self.lines[self.row] = ""
        elif piece[0] not in "\x1b\r":
            self.lines[self.row] += piece

    @property
    def left(self) -> list[str]:
        return [line.strip() for line in self.lines if line.strip()]


def on_a_terminal(*line: str, until: str = "", interrupt: bool = False) -> tuple[int, str]:
    """Run a command that owns a terminal of its own; with `interrupt`, press Ctrl-C when `until` is seen."""
    spawn = f"import os, pty; raise SystemExit(os.waitstatus_to_exitcode(pty.spawn({list(line)!r})) % 256)"
    env = {**os.environ, "TERM": "xterm", "COLUMNS": "100", "LINES": "40", "PYTHONUTF8": "1"}
    line_of_child = [sys.executable, "-c", spawn]
    with subprocess.Popen(line_of_child, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        seen = b""
        try:
            while piece := os.read(child.stdout.fileno(), 65536):
                seen += piece
                if interrupt and until.encode() in seen:
                    os.write(child.stdin.fileno(), b"\x03")
                    interrupt = False
            return child.wait(timeout=30), seen.decode()
        finally:
            child.kill()


def command(zoo: Any, *args: str) -> list[str]:
    return [sys.executable, "-m", "citebot", *zoo.options, *args]


@pytest.mark.slow
def test_a_terminal_shows_every_figure_and_is_left_tidy(slow_zoo: Any) -> None:
    code, raw = on_a_terminal(*command(slow_zoo, "source", "sync", "zoo"))

    screen = Screen()
    screen.show(raw)
    assert code == 0, screen.seen
    assert [name for name in FIGURES if f"  {name} " not in screen.seen] == []
    for shown in ("Reading zoo", "Making vectors", "looking into cage 1", "listed/s", "documents/s"):
        assert shown in screen.seen
    assert re.search(r"time left +\d+ s", screen.seen)
    assert raw.rindex("\x1b[?25h") > raw.rindex("\x1b[?25l")  # the cursor is back
    log, *rest = screen.left
    assert "the keeper sleeps" in log
    rest = [line for line in rest if line != "source=zoo"]
    assert [re.sub(r"[\d.]+ s\b.*", "TIME", line) for line in rest] == [
        "zoo: 60 listed, 60 queued, 57 saved, 3 failed, 57 chunks, in TIME",
        "57 vectors made, in TIME",
    ]


@pytest.mark.slow
def test_ctrl_c_ends_it_in_one_line_and_gives_the_cursor_back(slow_zoo: Any) -> None:
    code, raw = on_a_terminal(*command(slow_zoo, "source", "sync", "zoo"), until="documents/s", interrupt=True)

    screen = Screen()
    screen.show(raw)
    assert code not in (0, None)
    assert "Traceback" not in screen.seen
    assert raw.rindex("\x1b[?25h") > raw.rindex("\x1b[?25l")
    assert not any("time left" in line for line in screen.left)
    assert "citebot" in screen.left[-1] or "Aborted" in screen.left[-1]
    assert slow_zoo.json("source", "sync", "zoo", "--no-vectors")[0]["failure"] == ""


def test_json_on_a_terminal_is_nothing_but_the_result(zoo: Any) -> None:
    code, raw = on_a_terminal(*command(zoo, "--set", "log.level=error", "source", "sync", "zoo", "--json"))

    (row,) = json.loads(raw)
    assert code == 0
    wanted = {"name": "zoo", "failure": "", "listed": 60, "queued": 60, "fetched": 60, "saved": 57, "same": 0}
    assert wanted.items() <= row.items()
    assert {"failed": 3, "removed": 0, "chunks": 57, "vectors": 57}.items() <= row.items()
    assert row["seconds"] > 0


# --- in a log --------------------------------------------------------------------------------------------------------


def test_a_log_gets_a_line_now_and_then(zoo: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sync_display, "LINE_EVERY", 0.2)

    lines = [line for line in zoo("source", "sync", "zoo").stderr.splitlines() if "keeper" not in line]

    reading = [line for line in lines if line.startswith("Reading zoo: ")]
    assert "60 listed, 60 queued" in reading[-1]
    assert "looking into cage" in reading[0]
    assert any(line.startswith("zoo: 60 listed, 60 queued, 57 saved, 3 failed, 57 chunks, in ") for line in lines)
    assert lines[-1].startswith("57 vectors made, in ")
    assert len(lines) < 20


def test_a_short_sync_says_no_more_than_what_came_of_it(zoo: Any) -> None:
    zoo("source", "sync")

    lines = zoo("source", "sync").stderr.splitlines()

    assert len(lines) == 1
    assert re.fullmatch(r"zoo: 60 listed, in [\d.]+ s", lines[0])


def test_a_line_is_said_at_most_every_few_seconds() -> None:
    now, said = 0.0, []
    spoken = Spoken(lambda: said.append(now), clock=lambda: now)

    for tick in range(200):
        now = tick / 10
        spoken()

    assert said == [5.0, 10.0, 15.0]


def test_the_rest_of_the_time_follows_from_the_rate() -> None:
    now = 0.0
    display = SyncDisplay(clock=lambda: now)
    display.begin("Reading wiki")
    told = []
    for state in (
        SyncProgress(listed=1_000, queued=1_000),
        SyncProgress(listed=3_000, queued=3_000),
        SyncProgress(listed=3_000, queued=3_000, saved=100, chunks=400),
        SyncProgress(listed=3_000, queued=3_000, saved=290, same=9, failed=1, chunks=1_200),
    ):
        now += 10
        display.reading(state)
        told.append(display.line())
    now += 10
    display.begin("Making vectors", so_far=SyncProgress(listed=3_000))
    display.embedding(EmbeddingProgress(done=200, total=1_200, rate=5.0))

    assert told[1] == "Reading wiki: 3,000 listed, 3,000 queued, 200 listed/s"
    assert told[2] == "Reading wiki: 3,000 listed, 3,000 queued, 100 fetched, 400 chunks"
    assert told[3].endswith("300 fetched, 9 same, 1 failed, 1,200 chunks, 20 documents/s, 2 min 15 s left")
    assert display.line() == "Making vectors: 200 of 1,200, 5.0 vectors/s, 3 min 20 s left"
    assert display.figures()["listed"] == "3,000"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.04, "0 s"),
        (0.44, "0.4 s"),
        (9.96, "10 s"),
        (59.6, "1 min"),
        (185, "3 min 5 s"),
        (3_599.7, "1 h"),
        (7_800, "2 h 10 min"),
    ],
)
def test_times_are_said_in_words(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_what_a_source_says_cannot_steer_the_terminal(zoo: Any, tmp_path: Path) -> None:
    plugin = tmp_path / "plugins" / "zoo.py"
    plugin.write_text(PLUGIN.replace("looking into cage {part}", "\\x1b]0;owned\\x07 cage\\nspoofed [red]{part}"))

    code, raw = on_a_terminal(*command(zoo, "source", "sync", "zoo", "--no-vectors"))

    assert code == 0
    assert "]0;owned" in raw
    assert "\x1b]" not in raw
    assert "\x07" not in raw
    assert re.search(r"\[red\]\d", raw)


# --- documents that could not be read --------------------------------------------------------------------------------


def parked(zoo: Any) -> list[str]:
    return [one["document"] for one in zoo.json("source", "show", "zoo")["failed"]]


def test_parked_documents_are_seen_and_tried_again_on_demand(zoo: Any, cure: Path) -> None:
    zoo("source", "sync", "--no-vectors")
    shown = zoo("source", "show", "zoo", "--failed").stdout
    assert parked(zoo) == ["0-7", "1-7", "2-7"]
    assert "It is poison." in shown
    assert "citebot source retry zoo" in shown

    cure.touch()
    assert zoo.json("source", "sync", "--no-vectors")[0]["fetched"] == 0  # nobody asked for them
    one = zoo("source", "retry", "zoo", "1-7")
    assert one.stdout.startswith("1 document of zoo will be tried again: ")
    assert len(one.stdout.splitlines()) == 1
    assert parked(zoo) == ["0-7", "2-7"]
    assert zoo.json("source", "retry", "zoo") == {"name": "zoo", "documents": ["0-7", "2-7"]}
    assert zoo.json("source", "sync", "--no-vectors")[0]["saved"] == 3
    assert parked(zoo) == []
    assert zoo("source", "retry", "zoo").stdout == "Nothing of zoo is parked.\n"


def test_poison_is_parked_again(zoo: Any) -> None:
    zoo("source", "sync", "--no-vectors")
    zoo("source", "retry", "zoo", "1-7")

    assert zoo.json("source", "sync", "--no-vectors")[0]["failed"] == 1
    assert parked(zoo) == ["0-7", "1-7", "2-7"]


def test_a_document_that_is_not_parked_is_no_slip(zoo: Any) -> None:
    zoo("source", "sync", "--no-vectors")

    refused = zoo("source", "retry", "zoo", "1-7", "1-8")

    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "“1-8” of zoo is not parked. “citebot source show zoo --failed” lists what is." in refused.stderr
    assert parked(zoo) == ["0-7", "1-7", "2-7"]
    zoo("source", "pause", "zoo")
    assert "the source is paused" in zoo("source", "retry", "zoo").stdout


def test_a_running_server_tries_them_within_seconds(zoo: Any, cure: Path) -> None:
    server = zoo.start("--set", "embedder.use=none", "--set", "log.level=info", "serve", "--port", "0")
    try:
        assert any("source read" in line for line in server.stderr)  # the next regular one is minutes away
        assert parked(zoo) == ["0-7", "1-7", "2-7"]
        cure.touch()
        zoo("source", "retry", "zoo")
        deadline = time.monotonic() + 30
        while zoo.json("source", "show", "zoo")["documents"] < 60 and time.monotonic() < deadline:
            time.sleep(0.2)
        assert zoo.json("source", "show", "zoo")["documents"] == 60
    finally:
        server.send_signal(signal.SIGTERM)
        server.communicate(timeout=30)
