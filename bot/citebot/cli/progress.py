"""Progress of long work: bars for people on stderr, nothing for programs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

from citebot.app import Citebot, IndexStatus
from citebot.cli.output import complain, note
from citebot.errors import CitebotError, SourceError
from citebot.ingest import EmbeddingProgress, SyncProgress
from citebot.logging_setup import without_secrets

Report = Callable[[str, int, int | None], None]
"""(what is going on, done, total or None)."""


@contextmanager
def bar(title: str, *, quiet: bool) -> Iterator[Report]:
    """A progress bar on stderr; yields what to call with the state of the work."""
    if quiet or not sys.stderr.isatty():
        yield lambda note, done, total: None
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

        def report(note: str, done: int, total: int | None) -> None:
            progress.update(task, description=f"{title} {note}".strip(), completed=done, total=total)

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
    results = [await _sync_one(bot, name, allow_removals=allow_removals, full=full, quiet=quiet) for name in chosen]
    if vectors:
        await make_vectors(bot, quiet=quiet)
    return results


async def _sync_one(bot: Citebot, name: str, *, allow_removals: bool, full: bool, quiet: bool) -> dict[str, Any]:
    try:
        with bar(f"Reading {name}", quiet=quiet) as report:

            def show(state: SyncProgress) -> None:
                report(_counts(state), state.done, max(state.listed, state.queued) or None)

            state = await bot.sync(name, progress=show, allow_removals=allow_removals, full=full)
    except SourceError as error:
        # The other sources are read all the same.
        if not quiet:
            complain(f"{name}: {error}")
        return {"name": name, "failure": without_secrets(str(error))}
    if not quiet:
        note(f"{name}: {_counts(state)}")
    return {"name": name, "failure": "", **state.counts()}


def _counts(state: SyncProgress) -> str:
    counts = {key: value for key, value in state.counts().items() if value}
    return ", ".join(f"{value} {key}" for key, value in counts.items()) or "nothing yet"


async def make_vectors(bot: Citebot, *, quiet: bool) -> None:
    """Embed what has no vector yet and bring it to the index."""
    if bot.embedding is None:
        return
    with bar("Making vectors", quiet=quiet) as report:

        def show(state: EmbeddingProgress) -> None:
            report(f"({state.rate:.0f}/s)" if state.rate else "", state.done, state.total)

        await bot.embedding.run_once(progress=show)
    await bot.feeder.catch_up()


async def rebuild_index(bot: Citebot, *, quiet: bool) -> IndexStatus:
    """Build the index anew with a bar."""
    with bar("Rebuilding the index", quiet=quiet) as report:
        await bot.feeder.rebuild(lambda done, total: report("", done, total))
    return await bot.index_status()
