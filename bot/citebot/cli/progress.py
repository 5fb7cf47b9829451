"""Long work of commands: its progress for people on stderr, nothing for programs."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

from citebot.app import Citebot, IndexStatus
from citebot.app.alone import Alone
from citebot.cli.output import complain, duration, note, warn
from citebot.cli.sync_display import Spoken, SyncDisplay, sync_display, total_of
from citebot.errors import CitebotError, ModelUnavailable, SourceError
from citebot.ingest import Build, Builder, SyncProgress
from citebot.logging_setup import without_secrets

LOOK_AGAIN = 0.5
"""Seconds until a build that waits, for vectors or for another process, is looked at again."""
Report = Callable[[str, int, int | None], None]
"""(what is going on, done, total or None)."""


@contextmanager
def bar(title: str, *, quiet: bool) -> Iterator[Report]:
    """A progress bar on stderr, or a line now and then; yields what to call with the state of the work."""
    if quiet:
        yield lambda note, done, total: None
        return
    if not sys.stderr.isatty():
        line = ""
        spoken = Spoken(lambda: note(line))

        def say(doing: str, done: int, total: int | None) -> None:
            nonlocal line
            line = f"{title} {doing}".strip() + f": {done:,}" + (f" of {total:,}" if total else "")
            spoken()

        yield say
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(title, total=None)

        def report(doing: str, done: int, total: int | None) -> None:
            progress.update(task, description=f"{title} {doing}".strip(), completed=done, total=total)

        yield report


async def sync_sources(
    bot: Citebot, names: Sequence[str], *, allow_removals: bool, full: bool = False, vectors: bool, quiet: bool
) -> list[dict[str, Any]]:
    """Sync the named sources (all that are not paused without names), then make the missing vectors."""
    known = {source.name for source in await bot.sources()}
    for name in names:
        if name not in known:
            raise CitebotError(f"There is no source “{name}”. “citebot source list” shows the names.")
    chosen = list(names) or [s.name for s in await bot.sources() if not s.paused]
    if not chosen:
        raise CitebotError(
            "There is no source to sync. Add one: citebot source add files --name handbook --path ./docs"
        )
    reads: list[_Read] = []
    with sync_display(quiet=quiet) as display:
        for name in chosen:
            read = await _sync_one(bot, name, allow_removals=allow_removals, full=full, display=display)
            reads.append(read)
            if not quiet:
                read.tell()
        made = await _make_vectors(bot, reads, display=display, quiet=quiet) if vectors else 0
    return [{**read.row(), "vectors": made} for read in reads]


class _Read:
    """What came of one source."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.state = SyncProgress()
        self.failure = ""
        self.seconds = 0.0

    def tell(self) -> None:
        counts = ", ".join(f"{value} {key}" for key, value in self.state.counts().items() if value)
        if self.failure:
            complain(f"{self.name}: {self.failure}")
        if counts or not self.failure:
            note(f"{self.name}: {counts or 'nothing yet'}, in {duration(self.seconds)}")

    def row(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "failure": without_secrets(self.failure),
            **self.state.counts(),
            "fetched": self.state.done,
            "seconds": round(self.seconds, 3),
        }


async def _sync_one(bot: Citebot, name: str, *, allow_removals: bool, full: bool, display: SyncDisplay) -> _Read:
    read, began = _Read(name), time.monotonic()
    display.begin(f"Reading {name}")

    def show(state: SyncProgress) -> None:
        read.state = state
        display.reading(state)

    try:
        await bot.sync(name, progress=show, allow_removals=allow_removals, full=full)
    except SourceError as error:
        # The other sources are read all the same.
        read.failure = str(error)
    read.seconds = time.monotonic() - began
    return read


async def _make_vectors(bot: Citebot, reads: Sequence[_Read], *, display: SyncDisplay, quiet: bool) -> int:
    """Embed what has no vector yet and bring it to the index; says how many there were."""
    if bot.embedding is None:
        return 0
    began = time.monotonic()
    so_far = total_of([read.state for read in reads])
    display.begin("Making vectors", so_far=so_far)
    made = await bot.embedding.run_once(progress=display.embedding)
    display.begin("Bringing them to the index", so_far=so_far)
    await bot.feeder.catch_up()
    if made and not quiet:
        seconds = time.monotonic() - began
        note(f"{made} vectors made, in {duration(seconds)} ({made / seconds:.0f}/s)")
    return made


async def rebuild_index(bot: Citebot, *, quiet: bool) -> IndexStatus:
    """Build the index anew, in its place or beside it, with a bar."""
    try:
        await bot.indexing.choose_model()
    except ModelUnavailable as error:
        warn(f"No vectors are made now: {error}")
    if bot.indexing.builder is not None:
        await _build_beside(bot, bot.indexing.builder, quiet=quiet)
    else:
        with bar("Rebuilding the index", quiet=quiet) as report:
            await bot.feeder.rebuild(lambda done, total: report("", done, total))
    return await bot.index_status()


async def _build_beside(bot: Citebot, builder: Builder, *, quiet: bool) -> None:
    """Begin the next index, or go on with it, until it is whole; also when another process builds it."""
    await builder.begin()
    vectors = Alone(bot.database, "embedding")
    with bar("Building", quiet=quiet) as report:

        def show(build: Build, left: float | None = None) -> None:
            report(build.place + (f", about {duration(left)} left" if left else ""), build.done, build.total)

        try:
            while (build := await builder.state()) is not None and not build.whole:
                show(build)
                if bot.embedding is not None:
                    with suppress(ModelUnavailable):  # those that are there are built in
                        await vectors.do(bot.embedding.run_once)
                await builder.run_once(show)
                await asyncio.sleep(LOOK_AGAIN)
        finally:
            await vectors.leave()
