"""Failpoints: harmless until armed, and every one of them is really passed somewhere."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from citebot.storage.failpoints import failpoint
from citebot.testing.failpoints import FAILPOINTS, arm, armed

CORE = Path(__file__).parents[2] / "bot" / "citebot"


def test_an_armed_point_runs_its_action_and_only_while_armed() -> None:
    passed: list[str] = []
    with armed("after-claim", lambda: passed.append("after-claim")):
        failpoint("after-claim")
        failpoint("before-post")
    failpoint("after-claim")
    assert passed == ["after-claim"]


def test_a_misspelt_point_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(ValueError, match="No failpoint 'after-clam'; there are: before-inbox-commit"):
        arm("after-clam", lambda: None)


def test_every_named_point_is_passed_in_the_code_and_none_without_a_name() -> None:
    called = {
        name for file in CORE.rglob("*.py") for name in re.findall(r'failpoint\("([a-z-]+)"\)', file.read_text("utf-8"))
    }
    assert called == set(FAILPOINTS)


def test_kill_at_kills_on_the_hit_that_was_asked_for() -> None:
    code = (
        "from citebot.testing.failpoints import kill_at; from citebot.storage.failpoints import failpoint\n"
        "kill_at('before-post', hit=2); failpoint('before-post'); print('once', flush=True); failpoint('before-post')"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (ended.stdout, ended.returncode) == ("once\n", -signal.SIGKILL)
