"""Measures a search against graded questions."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import TYPE_CHECKING, Any

from citebot.errors import CitebotError, WrongUse
from citebot.evaluation.bootstrap import Interval, interval, paired
from citebot.evaluation.datasets import Dataset, EvalQuery
from citebot.evaluation.metrics import DEFAULT_METRICS, Metric, ranked
from citebot.evaluation.timing import Latency

if TYPE_CHECKING:
    from rich.table import Table

Search = Callable[[EvalQuery], Awaitable[Mapping[str, float]]]
"""Document id to score, the higher the better. Of a document's passages the best one counts."""
Progress = Callable[[int, int], None]
"""Called with the questions done and the questions there are."""


@dataclass(frozen=True, slots=True)
class RetrievalReport:
    """What one system did on one data set, question by question."""

    system: str
    dataset: str
    values: Mapping[str, Mapping[str, float]]
    """Metric to question id to value."""
    run: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Question id to document id to score."""
    latency: Latency = field(default_factory=Latency)
    failures: Mapping[str, str] = field(default_factory=dict)
    """Questions the search raised on, which count as nothing found."""
    ungraded: int = 0

    def summary(self, *, seed: int = 0) -> dict[str, Interval]:
        """Mean of every metric with its 95 % interval."""
        return {metric: interval(list(values.values()), seed=seed) for metric, values in self.values.items()}

    def to_json(self) -> dict[str, Any]:
        """For files and `--json`; the run itself goes into a TREC run file."""
        return {
            "system": self.system,
            "dataset": self.dataset,
            "questions": len(next(iter(self.values.values()), ())),
            "ungraded": self.ungraded,
            "metrics": {
                name: {"mean": value.mean, "low": value.low, "high": value.high}
                for name, value in self.summary().items()
            },
            "latency": self.latency.to_json(),
            "failures": dict(self.failures),
            "per_question": {name: dict(values) for name, values in self.values.items()},
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> RetrievalReport:
        """What `to_json` wrote, for comparing with an older run."""
        try:
            per_question = {name: dict(values) for name, values in value["per_question"].items()}
            return cls(str(value["system"]), str(value["dataset"]), per_question)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise WrongUse("This is not a retrieval report: make one with `citebot eval run --json`") from error


async def evaluate_retrieval(
    dataset: Dataset,
    search: Search,
    *,
    system: str = "citebot",
    metrics: Sequence[Metric] = DEFAULT_METRICS,
    progress: Progress = lambda done, total: None,
    clock: Callable[[], float] = time.perf_counter,
) -> RetrievalReport:
    """Ask every graded question, one after the other, and measure the ranking."""
    run: dict[str, Mapping[str, float]] = {}
    failures: dict[str, str] = {}
    seconds: list[float] = []
    for done, query in enumerate(dataset.queries, start=1):
        started = clock()
        try:
            run[query.id] = await search(query)
        except CitebotError as error:
            run[query.id] = {}
            failures[query.id] = str(error)
        seconds.append(clock() - started)
        progress(done, len(dataset.queries))
    return RetrievalReport(
        system=system,
        dataset=dataset.name,
        values=score_run(run, dataset.grades, metrics=metrics),
        run=run,
        latency=Latency.of(seconds),
        failures=failures,
        ungraded=dataset.ungraded,
    )


def score_run(
    run: Mapping[str, Mapping[str, float]],
    grades: Mapping[str, Mapping[str, int]],
    *,
    metrics: Sequence[Metric] = DEFAULT_METRICS,
) -> dict[str, dict[str, float]]:
    """Metric to question to value, over all graded questions: one the run lacks counts as nothing found."""
    rankings = {query: ranked(run.get(query, {})) for query in grades}
    return {
        str(metric): {query: metric.of(rankings[query], graded) for query, graded in grades.items()}
        for metric in metrics
    }


@dataclass(frozen=True, slots=True)
class Difference:
    """One metric of two systems, question by question."""

    metric: str
    ours: float
    theirs: float
    gain: Interval
    better: int
    worse: int


def compare(ours: RetrievalReport, theirs: RetrievalReport, *, seed: int = 0) -> list[Difference]:
    """Paired differences ours - theirs in the metrics both have; raises `WrongUse` when they share no question."""
    differences = []
    for metric, values in ours.values.items():
        other = theirs.values.get(metric, {})
        shared = sorted(values.keys() & other.keys())
        if shared:
            gain = paired(values, other, seed=seed)
            better = sum(values[query] > other[query] for query in shared)
            worse = sum(values[query] < other[query] for query in shared)
            mean, other_mean = (fmean(side[query] for query in shared) for side in (values, other))
            differences.append(Difference(metric, mean, other_mean, gain, better, worse))
    if not differences:
        raise WrongUse(f"{ours.system} and {theirs.system} cannot be compared: they share no metric and question")
    return differences


def report_table(report: RetrievalReport) -> Table:
    """The summary for a terminal."""
    from rich.table import Table

    table = Table(title=f"{report.system} on {report.dataset}", caption=_caption(report))
    table.add_column("metric")
    for column in ("mean", "95 % interval"):
        table.add_column(column, justify="right")
    for name, value in report.summary().items():
        table.add_row(name, f"{value.mean:.3f}", f"{value.low:.3f} to {value.high:.3f}")
    return table


def comparison_table(differences: Sequence[Difference], *, ours: str, theirs: str) -> Table:
    """A comparison for a terminal; a gain whose interval leaves zero out is marked."""
    from rich.table import Table

    table = Table("metric", ours, theirs, "gain", "95 % interval", "better / worse")
    for row in differences:
        mark = " *" if row.gain.decided else ""
        bounds = f"{row.gain.low:+.3f} to {row.gain.high:+.3f}{mark}"
        numbers = (f"{row.ours:.3f}", f"{row.theirs:.3f}", f"{row.gain.mean:+.3f}")
        table.add_row(row.metric, *numbers, bounds, f"{row.better} / {row.worse}")
    return table


def _caption(report: RetrievalReport) -> str:
    parts = [f"{len(next(iter(report.values.values()), ()))} questions"]
    if report.latency.count:
        parts.append(f"p50 {report.latency.p50 * 1000:.0f} ms, p95 {report.latency.p95 * 1000:.0f} ms")
    if report.ungraded:
        parts.append(f"{report.ungraded} without grades left out")
    if report.failures:
        parts.append(f"{len(report.failures)} failed")
    return ", ".join(parts)
