"""The checks that only read, on a place where people work."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from citebot.ports import Source
from citebot.settings import EgressSettings
from citebot.testing.sources.catalogue import CHECKS
from citebot.testing.sources.checking import Check, Result, Trial, result_of
from citebot.testing.sources.network import Network

OBSERVED = tuple(check for check in CHECKS if check.observes)


class Observed:
    """A place that is only read. Whatever would change it is not there."""

    def __init__(self, make: Callable[[Path], Source], egress: EgressSettings, secrets: Sequence[str]) -> None:
        self.source = make
        self.egress = egress
        self.secrets = secrets

    def create(self, *_: object) -> str:
        """Never."""
        raise AssertionError("a check that only reads has tried to write")

    edit = delete = create


def observe(
    lab: Observed,
    *,
    most: int,
    starting: Callable[[Check], None] = lambda check: None,
    asking: Callable[[int], None] = lambda number: None,
) -> Iterator[Result]:
    """Run every check that only reads, over at most so many documents; in a database that is thrown away.

    `asking` is told the number of requests so far. They keep the pace of the settings: there is a server behind them.
    """
    with tempfile.TemporaryDirectory(prefix="citebot-check-") as folder:
        network = Network(lab.egress, patient=True, asking=asking)
        trial = Trial(lab, Path(folder), network, most=most)  # type: ignore[arg-type]
        try:
            # Raises what is wrong, in one line, before every check says the same.
            with trial.context() as ctx:
                next(iter(trial.listing(ctx, trial.source())), None)
            for check in OBSERVED:
                starting(check)
                result = result_of(check, trial)
                # People write meanwhile: what is wrong is wrong twice.
                yield result if result.outcome != "failed" else result_of(check, trial)
        finally:
            trial.close()
