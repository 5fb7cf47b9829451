"""`citebot dev`: a person tries the app in a browser, without Slack or Discord."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("slack_bolt")
pytest.importorskip("discord")

from click.testing import CliRunner

from citebot.cli.root import cli


@pytest.fixture(params=["slack", "discord"])
def page(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of the page of a running `citebot dev`."""
    arguments = ["--data-dir", str(tmp_path), "--set", "embedder.use=", "dev", request.param, "--port", "0"]
    with (tmp_path / "said").open("w+") as said:
        process = subprocess.Popen([sys.executable, "-m", "citebot", *arguments], stdout=said, stderr=said)
        try:
            found = None
            for _ in range(600):
                found = re.search(r"Open (http://127\.0\.0\.1:\d+/)", (tmp_path / "said").read_text())
                if found or process.poll() is not None:
                    break
                time.sleep(0.1)
            assert found, (tmp_path / "said").read_text()
            yield found[1]
        finally:
            process.send_signal(signal.SIGINT)
            assert process.wait(30) == 0, (tmp_path / "said").read_text()


def looked_at(address: str, **query: str) -> dict[str, Any]:
    with urllib.request.urlopen(f"{address}view/parts?{urllib.parse.urlencode(query)}", timeout=10) as answer:
        parts: dict[str, Any] = json.load(answer)
    return parts


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_somebody_asks_in_the_browser_and_is_answered_with_sources(page: str) -> None:
    side = looked_at(page)["side"]
    alice = re.findall(r'as=(\w+)[^"]*">alice', side, re.IGNORECASE)[0]
    for _ in range(600):  # the page of Discord says whether the app is there
        if found := re.findall(r'in=(\w+)[^"]*">citebot<', looked_at(page)["side"]):
            break
        time.sleep(0.1)
    direct = found[0]
    time.sleep(1)  # until the app has its socket in Slack
    question = {"as": alice, "in": direct, "place": direct, "do": "say"}
    question["line"] = "How many days of annual leave do I get?"
    urllib.request.urlopen(f"{page}view/act", urllib.parse.urlencode(question).encode(), timeout=10).close()
    for _ in range(300):
        main = looked_at(page, **{"as": alice, "in": direct})["main"]
        thread = re.findall(r"thread=([\d.]+)", main)
        said = main + (looked_at(page, **{"as": alice, "in": direct, "thread": thread[0]})["thread"] if thread else "")
        if "26 days" in said and "Sources" in said:
            break
        time.sleep(0.2)
    assert "26 days" in said
    assert "Annual leave" in said


def test_a_platform_without_a_fake_says_which_has_one(tmp_path: Path) -> None:
    done = CliRunner().invoke(cli, ["--data-dir", str(tmp_path), "dev", "console"])
    assert done.exit_code == 2
    assert done.stderr == "citebot: There is no fake of console; there is one of discord, slack.\n"


def test_a_port_that_is_taken_is_one_line(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        arguments = ["--data-dir", str(tmp_path), "--set", "embedder.use=", "dev", "slack", "--port", str(port)]
        done = CliRunner().invoke(cli, arguments)
    assert done.exit_code == 1
    assert done.stderr.splitlines()[-1].startswith(f"citebot: Port {port} cannot be used")
