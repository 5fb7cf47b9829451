"""What became of calls of models in this process, as Prometheus metrics."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from citebot.calls import Callee, Calls, Outcome
from citebot.ports import Usage

MODEL = ("kind", "part", "model")
BREAKER = {"closed": 0, "half_open": 1, "open": 2}
MILLIONTHS = 1_000_000
SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 1.5, 2.5, 5, 8, 15, 20, 30, 60)
"""From a vector of a local model to the deadline of an answer."""


class CallCounters:
    """A `CallCounter`."""

    def __init__(self, registry: CollectorRegistry, calls: Calls) -> None:
        def of_a_model(name: str, about: str, *labels: str) -> Counter:
            return Counter(f"citebot_model_{name}", about, [*MODEL, *labels], registry=registry)

        def seconds(name: str, about: str) -> Histogram:
            return Histogram(f"citebot_model_{name}_seconds", about, MODEL, buckets=SECONDS, registry=registry)

        self._calls = of_a_model("calls", "Calls by outcome.", "outcome")
        self._retries = of_a_model("retries", "Calls that were made once more.")
        self._hedges = of_a_model("hedges", "Calls of this model beside another that was slow.")
        self._input = of_a_model("input_tokens", "Tokens sent.")
        self._output = of_a_model("output_tokens", "Tokens received.")
        self._cost = of_a_model("cost", "Cost in the currency of the prices in the settings.")
        self._whole = seconds("call", "Length of calls, however they ended.")
        self._first = seconds("first_text", "Time to the first text of generators.")
        registry.register(Breakers(calls))
        for callee in calls.callees:
            self._know(callee)

    def call(self, callee: Callee[object], outcome: Outcome, *, seconds: float, first: float | None) -> None:
        labels = _labels(callee)
        self._calls.labels(*labels, outcome).inc()
        self._whole.labels(*labels).observe(seconds)
        if first is not None:
            self._first.labels(*labels).observe(first)

    def use(self, callee: Callee[object], usage: Usage) -> None:
        labels = _labels(callee)
        self._input.labels(*labels).inc(usage.input_tokens)
        self._output.labels(*labels).inc(usage.output_tokens)
        self._cost.labels(*labels).inc(usage.cost / MILLIONTHS)

    def retry(self, callee: Callee[object]) -> None:
        self._retries.labels(*_labels(callee)).inc()

    def hedge(self, callee: Callee[object]) -> None:
        self._hedges.labels(*_labels(callee)).inc()

    def _know(self, callee: Callee[object]) -> None:
        """Show zeros: a rate needs something to begin with."""
        labels = _labels(callee)
        for outcome in ("ok", "failed"):
            self._calls.labels(*labels, outcome)
        self._whole.labels(*labels)
        if callee.kind == "generator":
            for series in (self._retries, self._hedges, self._first):
                series.labels(*labels)
        for counter in (self._input, self._output, self._cost):
            counter.labels(*labels)


class Breakers(Collector):
    """The states of breakers at a scrape."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def describe(self) -> Iterable[Metric]:
        """Nothing: the states are looked at only when they are asked for."""
        return ()

    def collect(self) -> Iterator[Metric]:
        family = GaugeMetricFamily(
            "citebot_model_breaker_state", "0 calls pass, 1 one may try, 2 none does.", labels=list(MODEL)
        )
        for callee in self._calls.callees:
            family.add_metric(_labels(callee), BREAKER[callee.breaker.state])
        yield family


def _labels(callee: Callee[object]) -> tuple[str, str, str]:
    return callee.kind, callee.name, callee.model
