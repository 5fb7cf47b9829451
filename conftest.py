"""What holds for all tests: the example plugin is tested apart, and CI leaves nothing out in silence."""

from __future__ import annotations

import os
from collections.abc import Generator

import pytest

collect_ignore = ["tests/example_plugin"]

NEEDS_SOMETHING = ("postgres", "browser", "mediawiki", "redmine")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """With CI=true, a test that is skipped for want of a server has failed."""
    report = yield
    needs = [name for name in NEEDS_SOMETHING if item.get_closest_marker(name)]
    if report.skipped and needs and os.environ.get("CI") == "true" and call.excinfo is not None:
        report.outcome = "failed"
        report.longrepr = f"left out although CI=true; it needs {', '.join(needs)}: {call.excinfo.value}"
    return report
