"""What the reads of this process did, as Prometheus counters."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Histogram

from citebot.app.meter import Ending, Kind

FETCHED = frozenset({"saved", "same", "failed"})
"""What may become of a document that a source was asked for, beside being gone."""
RUN_SECONDS = (0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3_600, 14_400, 86_400)
"""From a folder that is looked through to the first read of a large wiki."""


class SyncCounters:
    """A `SyncCounter`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def of_a_source(name: str, about: str) -> Counter:
            return Counter(f"citebot_sync_{name}", about, ["source"], registry=registry)

        self._fetched = of_a_source("fetched_documents", "Documents fetched: saved, the same as before, or failed.")
        self._counters = {
            "listed": of_a_source("listed_documents", "Documents that listings and change feeds named."),
            "saved": of_a_source("saved_documents", "Documents stored, new or changed."),
            "same": of_a_source("same_documents", "Documents fetched that had not changed."),
            "failed": of_a_source("failed_documents", "Documents that could not be read, each try counted."),
            "removed": of_a_source("removed_documents", "Documents removed because they have gone."),
            "chunks": of_a_source("chunks", "New passages."),
            "requests": of_a_source("http_requests", "Requests sent to servers."),
            "retries": of_a_source("http_retries", "Requests that were repeated because a server was busy or away."),
        }
        self._seconds = Histogram(
            "citebot_sync_run_seconds",
            "Length of reads, by kind (regular, urgent) and ending (ok, stopped, busy, failed).",
            ["source", "kind", "ending"],
            buckets=RUN_SECONDS,
            registry=registry,
        )

    def know(self, sources: Iterable[str]) -> None:
        """Show zeros for sources of which nothing was counted yet: a rate needs something to begin with.

        Sources that are not among them were removed, and their series with them.
        """
        present = set(sources)
        for source in present:
            for counter in (self._fetched, *self._counters.values()):
                counter.labels(source)
            self._seconds.labels(source, "regular", "ok")
        for series in (self._fetched, *self._counters.values(), self._seconds):
            for source in {sample.labels["source"] for metric in series.collect() for sample in metric.samples}:
                if source not in present:
                    series.remove_by_labels({"source": source})

    def count(self, source: str, what: str, number: int) -> None:
        if what in FETCHED:
            self._fetched.labels(source).inc(number)
        if what in self._counters:
            self._counters[what].labels(source).inc(number)

    def end(self, source: str, *, kind: Kind, ending: Ending, seconds: float) -> None:
        self._seconds.labels(source, kind, ending).observe(seconds)
