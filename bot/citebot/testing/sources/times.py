"""D: time is not what it seems: ties, edges, clocks that go wrong, and no end."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import islice

from citebot.errors import CursorExpired
from citebot.model import Batch, Json
from citebot.ports import ReportsChanges
from citebot.testing.sources.checking import DOCUMENTS, EVERYONE, Trial, check, must
from citebot.testing.sources.lab import Bursts, SetsPages

MOST_BATCHES = 500
"""Also requests: for a listing of a few documents, and a feed of a few changes."""
EDGES = 4
PAGE = 10
"""Of a listing, where its size can be set."""
SKEW = timedelta(minutes=5)


@check("D1", "More changes in a second than a page holds", why="Imports and bots do this.", needs=Bursts)
def bursts(trial: Trial) -> None:
    lab = trial.lab
    assert isinstance(lab, Bursts)
    world = trial.ways()[-1]
    number = 3 * PAGE if isinstance(lab, SetsPages) else min(lab.burst_size, 500)
    lab.burst(number)
    world.page_size = PAGE
    world.run()
    missing = DOCUMENTS + number - len(world.texts())
    must(not missing, f"After {number} changes in one second, {missing} documents are missing.")
    trial.must_be_clean(world, "After many changes in one second")


@check("D2", "Edits at the edge of a poll", why="What falls between two polls stays wrong until the next listing.")
def edges(trial: Trial) -> None:
    key = trial.keys[4]
    for world in trial.ways():
        for turn in range(EDGES):
            trial.lab.edit(key, f"Edge {turn} of {world.by_feed}.")
            world.run()
            seen = f"Edge {turn} of {world.by_feed}." in world.texts()[key]
            must(seen, "An edit right after a poll is not seen by the next.")


@check("D3", "Clocks that differ by five minutes", why="The server's clock is not ours.")
def clocks(trial: Trial) -> None:
    for world in trial.ways():
        for turn, skew in enumerate((SKEW, -SKEW, SKEW)):
            trial.lab.edit(trial.keys[turn], f"Skewed {turn} of {world.by_feed}.")
            new = trial.lab.create(f"Skewed {turn} of {world.by_feed}", "Made meanwhile.", EVERYONE)
            world.run(skew=skew)
            texts = world.texts()
            seen = f"Skewed {turn} of {world.by_feed}." in texts[trial.keys[turn]] and new in texts
            must(seen, f"With a clock {skew.total_seconds() / 60:+.0f} minutes off, a change is not seen.")


@check("D4", "Listing and feed end", why="A loop without end asks the server until somebody notices.", observes=True)
def it_ends(trial: Trial) -> None:
    source = trial.source()
    trial.network.budget = MOST_BATCHES
    with trial.context() as ctx:
        listing = list(islice(trial.listing(ctx, source), MOST_BATCHES))
        must(trial.most is not None or len(listing) < MOST_BATCHES, "The listing does not end.")
        if isinstance(source, ReportsChanges):
            cursor = _position(source.changes(ctx, None))
            for turn in range(2):
                try:
                    batches = list(islice(source.changes(ctx, cursor), MOST_BATCHES))
                except CursorExpired:
                    break
                must(len(batches) < MOST_BATCHES, "The change feed does not end.")
                trial.network.budget = MOST_BATCHES
                cursor = batches[-1].cursor if batches else cursor
                if turn == 0 and trial.keys:
                    trial.lab.edit(trial.keys[0], "Changed for the feed.")


def _position(batches: Iterator[Batch]) -> Json:
    cursor: Json = None
    for batch in islice(batches, MOST_BATCHES):
        cursor = batch.cursor
    return cursor
