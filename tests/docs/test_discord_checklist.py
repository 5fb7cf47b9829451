"""Every test that the check-list of the Discord app names is there."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
PAGE = (TESTS.parent / "docs" / "platforms" / "discord-checklist.md").read_text("utf-8")


def test_every_item_is_listed_once_with_tests() -> None:
    rows = re.findall(r"^\| (\d+) \| .* \| (.*) \|$", PAGE, re.MULTILINE)
    assert [number for number, _ in rows] == [str(number) for number in range(1, 26)]
    assert all("::test_item_" in tests for _, tests in rows)


def test_the_tests_that_are_named_exist() -> None:
    named = re.findall(r"`((?:unit|integration|contract|faults)/[\w/]+\.py)(?:::(\w+))?`", PAGE)
    assert len(named) > 40
    for file, name in named:
        text = (TESTS / file).read_text("utf-8")
        assert f"def {name}(" in text or not name, f"{file}::{name}"
