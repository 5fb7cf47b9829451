"""What a platform was called for, as Prometheus counters."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from citebot.ports import CountsCalls


class PlatformCalls(Collector):
    """Reads the figures at every scrape."""

    def __init__(self, name: str, platform: CountsCalls) -> None:
        self._name = name
        self._platform = platform

    def describe(self) -> Iterable[Metric]:
        """Nothing: they are read when they are asked for."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """All of this process."""
        found = self._platform.called
        yield self._counter("calls", "Calls of the platform.", found.calls)
        yield self._counter("limited_calls", "Calls that the platform wanted later.", found.limited)
        about = "How long calls of the platform took in all, with the waits for its limits."
        yield self._counter("call_seconds", about, found.seconds)

    def _counter(self, name: str, about: str, value: float) -> CounterMetricFamily:
        family = CounterMetricFamily(f"citebot_platform_{name}", about, labels=["platform"])
        family.add_metric([self._name], value)
        return family
