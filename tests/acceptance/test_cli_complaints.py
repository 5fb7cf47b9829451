"""What is wrong is said in one line on stderr, with the exit code that scripts can act on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

FAILED, WRONG = 1, 2


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (["aks"], WRONG, "Did you mean “ask”?"),
        (["ask"], WRONG, "Missing argument 'QUESTION'"),
        (["ask", "--colour", "x"], WRONG, "“citebot ask --help” shows how"),
        (["ask", "--source", "nope", "x"], FAILED, "There is no source “nope”. Known: company, tickets."),
        (["search", "-k", "0", "x"], WRONG, "-k"),
        (["answers", "show", "nope"], FAILED, "“citebot answers list” shows the ids"),
        (["completion", "tcsh"], WRONG, "'bash', 'zsh', 'fish'"),
        (["plugins", "show", "nope"], FAILED, "“citebot plugins list” shows the names"),
        (["source", "add", "wiki"], WRONG, "Known kinds: files, git, jsonl, mediawiki, redmine, website."),
        (["source", "add", "files", "--name", "A B", "--path", "."], WRONG, "use lower-case letters"),
        (["source", "add", "files", "--name", "company", "--path", "{docs}"], FAILED, "already a source “company”"),
        (["source", "add", "files", "--name", "x", "--path", "/nowhere"], FAILED, "/nowhere does not exist"),
        (["source", "add", "files", "--name", "x", "--path", "{empty}"], FAILED, "holds no file that matches"),
        (["source", "add", "files", "--name", "x", "--path", "{docs}", "--rules", "{"], WRONG, "--rules takes JSON"),
        (["source", "show", "nope"], FAILED, "“citebot source list” shows the names"),
        (["source", "check", "nope"], FAILED, "“citebot source list” shows the names"),
        (["source", "sync", "nope"], FAILED, "“citebot source list” shows the names"),
        (["source", "pause", "nope"], FAILED, "“citebot source list” shows the names"),
        (["source", "remove", "nope", "--yes"], FAILED, "“citebot source list” shows the names"),
        (["source", "remove", "company"], FAILED, "Nothing was removed"),
        (["eval", "run", "--dataset", "/nowhere"], WRONG, "'/nowhere' does not exist"),
        (["eval", "run", "--dataset", "{empty}"], WRONG, "corpus.jsonl"),
        (["eval", "answers", "--questions", "{docs}/a.md"], WRONG, "a.md"),
        (["--set", "answering.treshold=0.4", "ask", "x"], WRONG, "Did you mean “answering.threshold”?"),
        (["--set", "answering.threshold=much", "ask", "x"], WRONG, "answering.threshold"),
        (["--set", "answering.threshold", "ask", "x"], WRONG, "--set takes KEY=VALUE"),
        (["--set", 'plugins.enabled=["nope"]', "plugins", "list"], FAILED, "nope"),
        (["--set", "index.use=nope", "ask", "x"], WRONG, "nope"),
        (["--config", "/nowhere.toml", "ask", "x"], WRONG, "/nowhere.toml"),
        (["--data-dir", "/dev/null/x", "ask", "x"], FAILED, "/dev/null/x"),
        (["--set", "database.url=postgresql+psycopg://127.0.0.1:1/x", "ask", "x"], FAILED, "database"),
        (["--set", "platform.console.host=0.0.0.0", "serve"], WRONG, "needs a token"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_one_clear_line(args: list[str], code: int, said: str, company: Any, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.md").write_text("# A\n\nText.\n")
    places = {"{docs}": str(tmp_path / "docs"), "{empty}": str(tmp_path / "empty")}
    for mark, place in places.items():
        args = [arg.replace(mark, place) for arg in args]

    result = company(*args)

    lines = result.stderr.splitlines()[-1:] if args[-1] == "company" else result.stderr.splitlines()
    assert (result.exit_code, len(lines)) == (code, 1), result.stderr
    assert lines[0].startswith("citebot: ")
    assert said in lines[0]
    assert company("ask", "How many days of annual leave do I get?").exit_code == 0


def test_debug_shows_where_an_error_came_from(company: Any) -> None:
    shown = company.process("--debug", "source", "show", "nope")

    assert shown.returncode == 1
    assert "Traceback" in shown.stderr
    assert "There is no source “nope”" in shown.stderr


def test_settings_of_a_file_are_named_in_the_complaint(company: Any, tmp_path: Path) -> None:
    (tmp_path / "citebot.toml").write_text("[answering]\nthreshhold = 0.4\n")

    result = company("ask", "x")

    assert result.exit_code == 2
    assert "citebot.toml" in result.stderr
    assert "“answering.threshold”" in result.stderr
