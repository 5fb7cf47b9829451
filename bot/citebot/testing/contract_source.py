"""The conformance kit of sources as tests.

Inherit, and say how to change the place your source reads (see `citebot.testing.sources.lab`):

    class TestMyWiki(SourceContract):
        def make_lab(self, folder: Path) -> Lab:
            return MyLab(folder)

`pytest --conformance-report FOLDER` writes what came of it as JSON and HTML.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from citebot.testing.sources.catalogue import CHECKS
from citebot.testing.sources.checking import Check, Result, Trial, result_of
from citebot.testing.sources.lab import Lab

Report = Callable[[str, Result], None]


class SourceContract:
    """What Citebot relies on in every source; each check runs real syncs over a real database."""

    def make_lab(self, folder: Path) -> Lab:
        """An empty place in `folder`, or on a server of yours."""
        raise NotImplementedError

    @pytest.fixture
    def lab(self, tmp_path: Path) -> Lab:
        """An empty place."""
        return self.make_lab(tmp_path / "place")

    @pytest.fixture
    def trial(self, lab: Lab, tmp_path: Path) -> Iterator[Trial]:
        """The place, and databases that read it."""
        made = Trial(lab, tmp_path / "trial")
        yield made
        made.close()

    @pytest.mark.parametrize("check", CHECKS, ids=lambda check: f"{check.id} {check.title}")
    def test_conforms(self, check: Check, trial: Trial, conformance_report: Report) -> None:
        """One check of the kit."""
        result = result_of(check, trial)
        conformance_report(type(self).__name__, result)
        if result.outcome == "left out":
            pytest.skip(f"{check.id}: {result.what}")
        requests = "".join(f"\n  {request}" for request in result.requests)
        assert result.outcome == "passed", f"{check.id} {check.title}: {result.what}\n{check.why}{requests}"
