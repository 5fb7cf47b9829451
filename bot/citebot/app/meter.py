"""Tells whoever counts what the reads of sources do, while they do it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal, Protocol

import structlog

from citebot.errors import SourceBusy
from citebot.ingest import SyncProgress
from citebot.logging_setup import without_secrets

log = structlog.get_logger("citebot.sync")

LOGGED_EVERY = 15.0
"""Seconds between two lines of a read that takes long."""

LONGEST_NOTE = 200

Kind = Literal["regular", "urgent"]
Ending = Literal["ok", "stopped", "busy", "failed"]


class SyncCounter(Protocol):
    """Counts. Called by the threads that read."""

    def count(self, source: str, what: str, number: int) -> None:
        """So many more; `what` is a key of `SyncProgress.counts`, `requests` or `retries`."""

    def end(self, source: str, *, kind: Kind, ending: Ending, seconds: float) -> None:
        """A read has ended."""


class Meter:
    """Every read of a source in this process passes here."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.counters: list[SyncCounter] = []
        self._clock = clock

    @contextmanager
    def run(
        self,
        source: str,
        *,
        kind: Kind,
        stopped: Callable[[], bool] = lambda: False,
        show: Callable[[SyncProgress], None] | None = None,
    ) -> Iterator[Run]:
        """One read; `show` is shown how far it is."""
        began = self._clock()
        ending: Ending = "failed"
        run = Run(source, self.counters, show or (lambda state: None), self._clock)
        try:
            yield run
            ending = "stopped" if stopped() else "ok"
        except SourceBusy:
            ending = "busy"
            raise
        finally:
            seconds = self._clock() - began
            for counter in self.counters:
                counter.end(source, kind=kind, ending=ending, seconds=seconds)
            log.info("source read", source=source, kind=kind, ending=ending, seconds=round(seconds, 1), **run.counts)


class Run:
    """One read that is counted."""

    def __init__(
        self,
        source: str,
        counters: list[SyncCounter],
        show: Callable[[SyncProgress], None],
        clock: Callable[[], float],
    ) -> None:
        self._source = source
        self._counters = counters
        self._show = show
        self._clock = clock
        self._logged = clock()
        self._state = SyncProgress()
        self.counts: dict[str, int] = {}
        """What it has done so far."""

    def show(self, state: SyncProgress) -> None:
        """Count what is new in the figures of the runner, and show them."""
        state.note = self._state.note
        self._state = state
        counts = state.counts()
        for what, number in counts.items():
            if (more := number - self.counts.get(what, 0)) > 0:
                self._count(what, more)
        self.counts = counts
        if self._clock() - self._logged >= LOGGED_EVERY:
            self._logged = self._clock()
            log.info("source is being read", source=self._source, **counts)
        self._show(state)

    def note(self, text: str) -> None:
        """What the source says it is doing; it may name what is not ours, such as a file, so it is made harmless."""
        shown = "".join(each if each.isprintable() else " " for each in without_secrets(text))
        self._state.note = shown[:LONGEST_NOTE]
        self._show(self._state)

    def ask(self, what: Literal["request", "retry"]) -> None:
        """`ctx.http` asks a server."""
        self._count({"request": "requests", "retry": "retries"}[what], 1)

    def _count(self, what: str, number: int) -> None:
        for counter in self._counters:
            counter.count(self._source, what, number)
