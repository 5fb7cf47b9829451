"""The conformance kit passes a sound source, and catches every broken one by name."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from citebot.testing.sources.catalogue import CHECKS
from citebot.testing.sources.checking import Check, Result, Trial, result_of

sys.path.insert(0, str(Path(__file__).parent / "archive"))

import broken_content  # noqa: F401 - fills the list
import broken_reading  # noqa: F401
import broken_when_ill  # noqa: F401
from archive_lab import archive_of
from archive_source import ArchiveSource
from caught import BROKEN

BY_ID = {check.id: check for check in CHECKS}


def came_of(check: Check, kind: type[ArchiveSource], folder: Path) -> Result:
    """The result of one check for one kind of source."""
    with archive_of(kind) as lab:
        trial = Trial(lab, folder)
        try:
            return result_of(check, trial)
        finally:
            trial.close()


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.id)
def test_a_sound_source_passes_and_nothing_waits(check: Check, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda seconds: pytest.fail(f"waits for {seconds} s"))
    result = came_of(check, ArchiveSource, tmp_path)
    assert (result.outcome, result.what) == ("passed", "")


@pytest.mark.parametrize(
    ("kind", "check", "words"),
    [
        pytest.param(kind, BY_ID[id], words, id=f"{kind.__name__}-{id}")
        for kind, checks in BROKEN
        for id, words in checks.items()
    ],
)
def test_a_broken_source_is_caught(kind: type[ArchiveSource], check: Check, words: str, tmp_path: Path) -> None:
    result = came_of(check, kind, tmp_path)
    assert result.outcome == "failed"
    assert words in result.what


def test_every_check_catches_a_broken_source() -> None:
    assert {id for _, checks in BROKEN for id in checks} == set(BY_ID)
