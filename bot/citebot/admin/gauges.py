"""The figures of the database as Prometheus gauges."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import structlog
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from citebot.admin.figures import Figures, SourceFigures
from citebot.budgets import MILLIONTHS
from citebot.errors import CitebotError

log = structlog.get_logger("citebot.metrics")

OF_A_SOURCE: tuple[tuple[str, str, Callable[[SourceFigures], float | None]], ...] = (
    ("documents", "Documents stored.", lambda s: s.status.documents),
    ("passages", "Passages stored.", lambda s: s.status.passages),
    ("waiting_documents", "Documents listed that wait to be fetched.", lambda s: s.status.waiting),
    ("parked_documents", "Documents that could not be read and are not tried any more.", lambda s: s.status.parked),
    ("read_age_seconds", "Time since the last read that ended well.", lambda s: s.age),
    ("next_read_seconds", "Time until the next regular read is due.", lambda s: s.until_due),
    ("groups_age_seconds", "Time since its groups were read, which say who may read.", lambda s: s.groups_age),
    ("late", "1 when reads have been missed.", lambda s: s.fresh.late),
    ("failing", "1 when the last read failed.", lambda s: bool(s.status.failure)),
    ("paused", "1 while it is not read.", lambda s: s.status.paused),
)
"""Name behind `citebot_source_`, help, value; one without a value is left out."""


class Gauges(Collector):
    """Reads the figures once for every scrape."""

    def __init__(self, read: Callable[[], Figures], *, searched: bool = True) -> None:
        self._read = read
        self._searched = searched

    def describe(self) -> Iterable[Metric]:
        """Nothing: the registry would ask for a whole scrape to learn the names."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """All gauges; without a database, that there is none."""
        try:
            figures = self._read()
        except CitebotError as error:
            log.warning("the database tells no figures", error=str(error))
            yield _gauge("citebot_database_up", "1 when the database answers.", 0)
            return
        yield _gauge("citebot_database_up", "1 when the database answers.", 1)
        yield from _of_sources(figures)
        yield from _of_the_index(figures, searched=self._searched)
        yield from _of_queues(figures)
        yield from _of_budgets(figures)


def _of_sources(figures: Figures) -> Iterator[Metric]:
    for name, about, value_of in OF_A_SOURCE:
        family = GaugeMetricFamily(f"citebot_source_{name}", about, labels=["source"])
        for source in figures.sources:
            if (value := value_of(source)) is not None:
                family.add_metric([source.status.name], float(value))
        yield family


def _of_the_index(figures: Figures, *, searched: bool) -> Iterator[Metric]:
    yield _gauge(
        "citebot_passages_without_vector", "Passages that have no vector of the model yet.", figures.without_vector
    )
    index = figures.index
    if not searched:
        return
    yield _gauge("citebot_index_up", "1 when the index of this process answers.", index is not None)
    if index is not None:
        yield _gauge("citebot_index_passages", "Passages in the index.", index.passages)
        yield _gauge("citebot_index_vectors", "Vectors in the index.", index.vectors)
        yield _gauge("citebot_index_size_bytes", "Size of the index.", index.bytes)
        yield _gauge("citebot_index_behind_changes", "Changes the index has not applied.", figures.behind)


def _of_queues(figures: Figures) -> Iterator[Metric]:
    rows = GaugeMetricFamily(
        "citebot_queue_rows", "Questions (inbox) and posts (outbox) by state.", labels=["queue", "state"]
    )
    oldest = GaugeMetricFamily(
        "citebot_queue_oldest_age_seconds", "Age of the oldest row that is not done.", labels=["queue"]
    )
    waiting = GaugeMetricFamily(
        "citebot_queue_waiting_seconds", "Age of the oldest row that nobody has begun.", labels=["queue"]
    )
    for name, queue in figures.queues.items():
        oldest.add_metric([name], queue.oldest)
        waiting.add_metric([name], queue.waiting)
        for state, count in queue.rows.items():
            rows.add_metric([name, state], count)
    yield from (rows, oldest, waiting)


def _of_budgets(figures: Figures) -> Iterator[Metric]:
    labels = ["scope", "unit"]
    used = GaugeMetricFamily("citebot_budget_used", "Used today, by whoever has used most.", labels=labels)
    limit = GaugeMetricFamily("citebot_budget_limit", "Limit of a day.", labels=labels)
    for scope, limits in figures.today.limits.items():
        amounts = [one.used for one in figures.today.budgets if one.counter.budget == scope]
        for unit, most, spent in (
            ("cost", limits.cost / MILLIONTHS, max((one.cost for one in amounts), default=0) / MILLIONTHS),
            ("tokens", limits.tokens, max((one.tokens for one in amounts), default=0)),
        ):
            if most:
                used.add_metric([scope, unit], spent)
                limit.add_metric([scope, unit], most)
    yield from (used, limit)


def _gauge(name: str, about: str, value: float) -> Metric:
    return GaugeMetricFamily(name, about, value=float(value))
