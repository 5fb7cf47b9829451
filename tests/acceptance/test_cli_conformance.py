"""`citebot source check NAME --conformance`: what an admin sees of a source that is set up."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from citebot.testing.local_server import LocalServer, local_server

sys.path.insert(0, str(Path(__file__).parents[1] / "contract" / "archive"))

from archive_server import TOKEN, ArchiveServer

ARCHIVE = Path(__file__).parents[1] / "contract" / "archive"

PLUGIN = f"""
import sys
sys.path.insert(0, {str(ARCHIVE)!r})

from archive_source import ArchiveSource
from broken_reading import LogsItsToken
from broken_when_ill import AnyErrorIsGone

from citebot import hookimpl


class Talkative(LogsItsToken):
    name = "talkative"

    def url(self, page):
        return f"/{{self.settings.token.get_secret_value()}}"  # a complaint of A4 quotes it


class Forgetful(AnyErrorIsGone):
    name = "forgetful"


@hookimpl
def citebot_register_sources():
    return [ArchiveSource, Talkative, Forgetful]
"""


@pytest.fixture
def archive() -> ArchiveServer:
    """Twelve documents."""
    server = ArchiveServer()
    for number in range(12):
        server.add(f"Page {number}", f"Text of page {number}.", ["everyone"])
    return server


@pytest.fixture
def server(archive: ArchiveServer) -> Iterator[LocalServer]:
    """The archive, served."""
    with local_server(archive.answer) as served:
        yield served


@pytest.fixture
def run(citebot: Any, server: LocalServer, tmp_path: Path) -> Callable[..., Any]:
    """The command line with the plugin and the archive as its sources, in pages of four."""
    folder = tmp_path / "plugins"
    folder.mkdir()
    (folder / "archive.py").write_text(PLUGIN)
    egress = ("--set", f"egress.allow=127.0.0.1:{server.port}", "--set", "egress.requests_per_second=1000")
    citebot.options += ("--set", f"plugins.dir={folder}", *egress)
    for kind in ("archive", "talkative", "forgetful"):
        given = ("--url", server.url, "--token", TOKEN, "--page-size", "4", "--no-check")
        assert citebot("source", "add", kind, "--name", kind, *given).exit_code == 0
    return lambda *args: citebot("source", "check", *args)


def test_a_sound_source_passes_all_that_can_be_seen(run: Any, archive: ArchiveServer) -> None:
    before = [page.row("") for page in archive.pages.values()], list(archive.journal)
    result = run("archive", "--conformance")
    assert result.exit_code == 0, result.output
    assert "17 passed, 0 failed, 0 left out. At most 200 documents were read, and nothing was changed." in result.stdout
    assert ([page.row("") for page in archive.pages.values()], archive.journal) == before


def test_a_broken_source_fails_with_why_and_requests(run: Any, server: LocalServer, tmp_path: Path) -> None:
    result = run("forgetful", "--conformance", "--html", str(tmp_path / "page.html"))
    assert result.exit_code == 1
    assert "F4 What cannot be fetched is not gone: With a server error for every request, 5 documents" in result.stdout
    assert "Why it matters: Error pages would empty the index" in result.stdout
    assert f"  GET {server.url}/api/page → 500" in result.stdout
    page = (tmp_path / "page.html").read_text()
    assert "With a server error for every request" in page
    assert f"{server.url}/api/page → 500" in page


def test_programs_get_json_and_the_code(run: Any) -> None:
    result = run("forgetful", "--conformance", "--json")
    found = json.loads(result.stdout)
    assert (result.exit_code, found["name"], found["failed"], len(found["checks"])) == (1, "forgetful", 1, 17)
    (failed,) = [check for check in found["checks"] if check["outcome"] == "failed"]
    assert failed["id"] == "F4"
    assert failed["requests"]


def test_no_secret_is_shown_however_a_source_fails(run: Any, tmp_path: Path) -> None:
    result = run("talkative", "--conformance", "--html", str(tmp_path / "page.html"))
    assert "A6 No secret in logs and complaints: A secret was written" in result.stdout
    assert "is not absolute: /***" in result.stdout
    assert TOKEN not in result.output + (tmp_path / "page.html").read_text()


def test_no_more_documents_are_read_than_asked_for(run: Any, server: LocalServer) -> None:
    assert run("archive", "--conformance", "--documents", "3").exit_code == 0
    fetched = {received.query["id"] for received in server.received if received.path == "/api/page"}
    assert fetched == {"000001", "000002", "000003", "no-such-document"}


def test_a_server_out_of_reach_is_one_line(run: Any, server: LocalServer) -> None:
    server.close()
    result = run("archive", "--conformance")
    assert result.exit_code == 1
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert "cannot be reached" in line


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (("nope", "--conformance"), 1, "There is no source “nope”."),
        (("archive", "--html", "page.html"), 2, "go with --conformance"),
        (("archive", "--conformance", "--html", "none/page.html"), 2, "There is no folder none"),
    ],
)
def test_wrong_use_is_one_line(run: Any, args: tuple[str, ...], code: int, words: str) -> None:
    result = run(*args)
    assert result.exit_code == code
    (line,) = result.stderr.splitlines()
    assert words in line


def test_a_folder_is_checked_as_well(citebot: Any, tmp_path: Path) -> None:
    (tmp_path / "one.md").write_text("# One\n\nText.\n")
    citebot("source", "add", "files", "--name", "notes", "--path", str(tmp_path))
    result = citebot("source", "check", "notes", "--conformance")
    assert result.exit_code == 0, result.output
    assert "0 failed" in result.stdout
