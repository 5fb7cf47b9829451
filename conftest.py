"""What holds for all tests: the example plugin is tested apart, and CI leaves nothing out in silence."""

from __future__ import annotations

import os
import re
from collections.abc import Generator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

collect_ignore = ["tests/example_plugin"]

DOES_NOT_APPLY = re.compile(r"[A-L]\d+: ")
"""A check of the conformance kit that says nothing about one kind of source: no server would enable it."""
NEEDS_SOMETHING = ("postgres", "browser", "mediawiki", "redmine", "local_slack", "elasticsearch", "aimock")
GROUP = re.compile(r'^pytestmark = .*xdist_group\("([\w-]+)"\)', re.MULTILINE)


@pytest.hookimpl(tryfirst=True, optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Keep the files of a group on one worker: each would start a server of its own.

    pytest-xdist 3.8 writes groups into the names of tests, in a way that pytest 9.2 takes no notice of; without this,
    `--dist loadgroup` gives every test to whoever is free.
    """
    if config.getvalue("dist") != "loadgroup":
        return None
    from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

    class ByGroup(LoadScopeScheduling):  # type: ignore[misc]
        def _split_scope(self, nodeid: str) -> str:
            return _group(config.rootpath / nodeid.partition("::")[0]) or nodeid

    return ByGroup(config, log)


@cache
def _group(file: Path) -> str:
    found = GROUP.search(file.read_text("utf-8")) if file.suffix == ".py" and file.is_file() else None
    return found[1] if found else ""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """With CI=true, a test that is skipped for want of a server has failed; checks that do not apply have not."""
    report = yield
    needs = [name for name in NEEDS_SOMETHING if item.get_closest_marker(name)]
    if not (report.skipped and needs and os.environ.get("CI") == "true" and call.excinfo is not None):
        return report
    if not DOES_NOT_APPLY.match(str(call.excinfo.value)):
        report.outcome = "failed"
        report.longrepr = f"left out although CI=true; it needs {', '.join(needs)}: {call.excinfo.value}"
    return report
