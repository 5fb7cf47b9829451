"""How far a sync is: a display that stays in its place on a terminal, a line every few seconds anywhere else."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields
from typing import TYPE_CHECKING, Literal

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from citebot.cli.output import duration, note

if TYPE_CHECKING:
    from citebot.ingest import EmbeddingProgress, SyncProgress

LINE_EVERY = 5.0
"""Seconds between two lines where there is no terminal."""
REFRESHES = 8
"""Per second, on a terminal."""
Doing = Literal["listing", "fetching", "embedding"]


class SyncDisplay:
    """Takes what is told of a sync and knows how to show it. Told by the threads that work."""

    def __init__(self, changed: Callable[[], None] = lambda: None, *, clock: Callable[[], float] = time.monotonic):
        self._changed = changed
        columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
        self._bar = Progress(*columns, TimeElapsedColumn(), get_time=clock, auto_refresh=False)
        self._task = self._bar.add_task("", visible=False)
        self._title = ""
        self._doing: Doing = "listing"
        self._state: SyncProgress | None = None
        self._vectors: EmbeddingProgress | None = None

    def begin(self, title: str, *, so_far: SyncProgress | None = None) -> None:
        """Something else begins; `so_far` is what the reads before it did."""
        self._title, self._doing, self._state = title, "listing", so_far
        self._bar.remove_task(self._task)
        self._task = self._bar.add_task(title, total=None)

    def reading(self, state: SyncProgress) -> None:
        """How far the read of a source is."""
        self._state = state
        fetched = state.done + state.removed
        if fetched and self._doing == "listing":
            self._doing = "fetching"
            self._bar.reset(self._task, start=True)
        if self._doing == "listing":
            self._advance(state.listed, None)
        else:
            total = max(state.queued, state.done)
            self._advance(min(fetched, total), total)

    def embedding(self, state: EmbeddingProgress) -> None:
        """How far the vectors are."""
        self._vectors, self._doing = state, "embedding"
        self._advance(state.done, state.total)

    def __rich__(self) -> Group:
        table = Table.grid(padding=(0, 2))
        table.add_column(style="dim")
        table.add_column(justify="right", min_width=len("1,234 documents/s"))
        for name, value in self.figures().items():
            table.add_row(f"  {name}", value)
        said = [Text(self._said, style="dim", no_wrap=True, overflow="ellipsis")] if self._said else []
        return Group(self._bar.get_renderable(), table, *said)

    def figures(self) -> dict[str, str]:
        """Every figure that matters, as text."""
        state = self._state
        counts = {**state.counts(), "fetched": state.done} if state else {}
        names = ("listed", "queued", "fetched", "same", "failed", "removed", "chunks")
        return {
            **{name: f"{counts.get(name, 0):,}" for name in names},
            "vectors": f"{self._vectors.done:,}" if self._vectors else "0",
            "rate": self._rate() or "-",
            "time left": self._left() or "-",
        }

    def line(self) -> str:
        """What matters now in one line."""
        if self._now:
            parts = [f"{self._now.done:,} of {self._now.total:,}"]
        else:
            figures = [(name, value) for name, value in self.figures().items() if name not in ("rate", "time left")]
            parts = [f"{value} {name}" for name, value in figures if value != "0"]
        left = self._left()
        parts += [part for part in (self._rate(), left and f"{left} left", self._said) if part]
        return f"{self._title}: {', '.join(parts) or 'nothing yet'}"

    @property
    def _now(self) -> EmbeddingProgress | None:
        """The vectors while they are what is made."""
        return self._vectors if self._doing == "embedding" else None

    @property
    def _said(self) -> str:
        return self._state.note if self._state else ""

    def _advance(self, completed: int, total: int | None) -> None:
        # A new total makes rich forget the speed.
        if total is not None and total != self._bar.tasks[0].total:
            self._bar.update(self._task, total=total)
        self._bar.update(self._task, completed=completed)
        self._changed()

    def _rate(self) -> str:
        """As “58 documents/s”; empty before there is one."""
        speed = self._now.rate if self._now else self._bar.tasks[0].speed
        what = {"listing": "listed", "fetching": "documents", "embedding": "vectors"}[self._doing]
        return f"{speed:,.{0 if speed >= 10 else 1}f} {what}/s" if speed else ""

    def _left(self) -> str:
        seconds = self._now.seconds_left if self._now else self._bar.tasks[0].time_remaining
        return duration(round(seconds)) if seconds else ""


@contextmanager
def sync_display(*, quiet: bool) -> Iterator[SyncDisplay]:
    """The display, shown on stderr in the way that fits."""
    if quiet:
        yield SyncDisplay()
    elif sys.stderr.isatty():
        display = SyncDisplay()
        console = Console(stderr=True)
        with Live(display, console=console, transient=True, refresh_per_second=REFRESHES), _logs_above():
            yield display
    else:
        spoken = Spoken(lambda: note(display.line()))
        display = SyncDisplay(spoken)
        yield display


class Spoken:
    """Says something, but not more often than every few seconds, and nothing of what is done before."""

    def __init__(self, say: Callable[[], None], *, clock: Callable[[], float] = time.monotonic) -> None:
        self._say = say
        self._clock = clock
        self._last = clock()

    def __call__(self) -> None:
        if self._clock() - self._last >= LINE_EVERY:
            self._last = self._clock()
            self._say()


@contextmanager
def _logs_above() -> Iterator[None]:
    """Have log lines printed above the display: their handler holds the stderr from before it."""
    moved = [(h, h.stream) for h in logging.getLogger().handlers if isinstance(h, logging.StreamHandler)]
    for handler, _ in moved:
        handler.setStream(sys.stderr)
    try:
        yield
    finally:
        for handler, stream in moved:
            handler.setStream(stream)


def total_of(states: list[SyncProgress]) -> SyncProgress:
    """The counts of several sources together."""
    from citebot.ingest import SyncProgress

    names = [field.name for field in fields(SyncProgress) if field.name != "note"]
    return SyncProgress(**{name: sum(getattr(state, name) for state in states) for name in names})
