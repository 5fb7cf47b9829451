"""`citebot source schedule`: how often one source is read, as an admin sets and sees it."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

POLL = 300.0
"""Seconds, of sources without a schedule of their own."""


@pytest.fixture
def sources(citebot: Any, tmp_path: Path) -> Any:
    """The command line with two sources of one file each."""
    citebot.options += ("--set", f"ingest.poll={POLL:g}")
    for name in ("docs", "rare"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "a.md").write_text("# A\n\nText.\n")
        assert citebot("source", "add", "files", "--name", name, "--path", str(folder)).exit_code == 0
    return citebot


def listed(citebot: Any, name: str) -> dict[str, Any]:
    """What `source list` says of a source."""
    found: dict[str, Any]
    (found,) = [row for row in citebot.json("source", "list") if row["name"] == name]
    return found


def due_within(citebot: Any, name: str, seconds: float) -> bool:
    """Whether the next read of a source is to come, and no later than that; the times of lists are UTC."""
    before = datetime.now(UTC)
    due = datetime.fromisoformat(listed(citebot, name)["due"])
    return before < due.replace(tzinfo=due.tzinfo or UTC) <= datetime.now(UTC) + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("said", "seconds", "shown"),
    [
        ("6h", 21_600, "6h"),
        ("90s", 90, "90s"),
        ("90", 90, "90s"),
        ("15m", 900, "15m"),
        ("1d", 86_400, "1d"),
        ("1.5h", 5_400, "90m"),
        (" 48 H ", 172_800, "2d"),
        ("5s", 5, "5s"),
        ("366d", 31_622_400, "366d"),
        ("999999s", 999_999, "999999s"),
    ],
)
def test_a_schedule_is_shown_as_poll_and_due(said: str, seconds: float, shown: str, sources: Any) -> None:
    result = sources("source", "schedule", "rare", "--every", said)

    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == f"rare is read every {shown}.\n"
    assert listed(sources, "rare")["poll"] == seconds
    assert due_within(sources, "rare", seconds)


def test_the_others_keep_to_the_setting(sources: Any) -> None:
    sources("source", "schedule", "rare", "--every", "1d")
    assert listed(sources, "docs")["poll"] is None
    assert due_within(sources, "docs", POLL)


def test_it_can_be_taken_back(sources: Any) -> None:
    sources("source", "schedule", "rare", "--every", "1d")
    result = sources("source", "schedule", "rare", "--default")
    assert result.stdout == "rare is read every 5m.\n"
    assert listed(sources, "rare")["poll"] is None
    assert due_within(sources, "rare", POLL)


def test_programs_are_told_what_counts(sources: Any) -> None:
    set_now = sources.json("source", "schedule", "rare", "--every", "6h")
    taken_back = sources.json("source", "schedule", "rare", "--default")
    assert set_now == {"name": "rare", "poll": 21_600.0, "seconds": 21_600.0}
    assert taken_back == {"name": "rare", "poll": None, "seconds": POLL}


def test_people_see_when_the_next_read_is(sources: Any) -> None:
    sources("source", "schedule", "rare", "--every", "30d")
    lines = {line.split()[0]: line for line in sources("source", "list").stdout.splitlines() if line.strip()}
    assert re.search(r" in \d+ (h|min) ", lines["rare"])
    assert re.search(r" in [0-5] min ", lines["docs"])


def test_a_paused_source_is_due_at_no_time_and_keeps_its_schedule(sources: Any) -> None:
    sources("source", "schedule", "rare", "--every", "6h")
    sources("source", "pause", "rare")
    assert (listed(sources, "rare")["poll"], listed(sources, "rare")["due"]) == (21_600.0, None)
    sources("source", "pause", "rare", "--resume")
    assert due_within(sources, "rare", 21_600)


@pytest.mark.parametrize(
    "said", ["0", "4s", "4.9", "-1h", "soon", "1h30m", "6 weeks", "", "1e9", "6hh", "∞", "367d", "999999d", "9999999d"]
)
def test_what_is_no_time_is_refused_and_changes_nothing(said: str, sources: Any) -> None:
    sources("source", "schedule", "rare", "--every", "6h")

    refused = sources("source", "schedule", "rare", "--every", said)

    assert (refused.exit_code, refused.stdout) == (2, "")
    assert len(refused.stderr.splitlines()) == 1
    assert f"“{said}” is no time between two reads" in refused.stderr
    assert "90s, 15m, 2h or 1d, from 5s to 366d." in refused.stderr
    assert listed(sources, "rare")["poll"] == 21_600.0


@pytest.mark.parametrize("options", [(), ("--every", "6h", "--default")], ids=["neither", "both"])
def test_one_of_the_two_is_to_be_said(options: tuple[str, ...], sources: Any) -> None:
    refused = sources("source", "schedule", "rare", *options)
    assert refused.exit_code == 2
    assert "Say either --every TIME or --default." in refused.stderr


def test_a_source_that_is_not_there_is_named(sources: Any) -> None:
    refused = sources("source", "schedule", "nothing", "--every", "6h")
    assert (refused.exit_code, len(refused.stderr.splitlines())) == (1, 1)
    assert "There is no source “nothing”" in refused.stderr


def test_a_name_that_is_used_again_begins_without_a_schedule(sources: Any, tmp_path: Path) -> None:
    sources("source", "schedule", "rare", "--every", "6h")
    assert sources("source", "remove", "rare", "--yes").exit_code == 0
    sources("source", "add", "files", "--name", "rare", "--path", str(tmp_path / "docs"))
    assert listed(sources, "rare")["poll"] is None
