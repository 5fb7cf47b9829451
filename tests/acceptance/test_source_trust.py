"""`citebot source trust`: who may have written in a source, as an admin sets and sees it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def helpdesk(citebot: Any, tmp_path: Path) -> Any:
    """The command line with one open source."""
    (tmp_path / "a.md").write_text("# Parking\n\nParking permits cost 40 euros a month.\n")
    added = citebot.json("source", "add", "files", "--name", "helpdesk", "--path", str(tmp_path), "--trust", "open")
    assert added["trust"] == "open"
    return citebot


def test_it_is_set_when_a_source_is_added_and_changed_later(helpdesk: Any) -> None:
    assert helpdesk.json("source", "show", "helpdesk")["trust"] == "open"
    assert helpdesk.json("source", "trust", "helpdesk", "curated") == {"name": "helpdesk", "trust": "curated"}
    assert [row["trust"] for row in helpdesk.json("source", "list")] == ["curated"]
    assert "curated" in helpdesk("source", "show", "helpdesk").stdout
    assert helpdesk.json("source", "trust", "helpdesk", "--default")["trust"] is None
    assert "open for tickets, else team (by kind)" in helpdesk("source", "show", "helpdesk").stdout


@pytest.mark.parametrize(
    ("said", "complaint"),
    [
        (("helpdesk",), "Say either open, team or curated, or --default."),
        (("helpdesk", "open", "--default"), "Say either open, team or curated, or --default."),
        (("helpdesk", "somewhat"), "is not one of 'open', 'team', 'curated'"),
        (("other", "open"), "There is no source “other”."),
    ],
)
def test_what_makes_no_sense_is_said_in_one_line(helpdesk: Any, said: tuple[str, ...], complaint: str) -> None:
    result = helpdesk("source", "trust", *said)
    assert result.exit_code != 0
    assert complaint in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_an_answer_from_an_open_source_says_so(helpdesk: Any) -> None:
    helpdesk("source", "sync", "--no-vectors")
    asked = ("ask", "How much does a parking permit cost?")
    assert "anybody may have written “Parking”" in helpdesk.json(*asked)["notes"]
    helpdesk("source", "trust", "helpdesk", "team")
    assert helpdesk.json(*asked)["notes"] == []
