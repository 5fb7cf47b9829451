"""L: large places, stops, and no way around `ctx.http`."""

from __future__ import annotations

import sys
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from citebot.testing.sources.checking import Trial, attempt, check, must
from citebot.testing.sources.lab import Bursts, ReadsNetwork
from citebot.testing.sources.network import Network

MOST_IN_MEMORY = 64_000_000
MOST_IN_A_BATCH = 5_000
END_SECONDS = 5.0
MORE_REQUESTS = 4
"""For the document that is being fetched."""


@check("L1", "A long listing stays small", why="Memory that grows with the place ends the process.", needs=Bursts)
def many_documents(trial: Trial) -> None:
    lab = trial.lab
    assert isinstance(lab, Bursts)
    lab.burst(lab.burst_size)
    source, listed, pages, largest = trial.source(), 0, 0, 0
    with trial.context() as ctx:
        asked = len(trial.network.requests)
        tracemalloc.start()
        try:
            for batch in source.list(ctx, None):
                listed, pages, largest = listed + len(batch.items), pages + 1, max(largest, len(batch.items))
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        asked = len(trial.network.requests) - asked
    must(listed >= lab.burst_size, f"{listed:,} of {lab.burst_size:,} documents were listed.")
    must(largest <= MOST_IN_A_BATCH, f"A batch has {largest:,} documents; {MOST_IN_A_BATCH:,} are allowed.")
    must(peak <= MOST_IN_MEMORY, f"Listing {listed:,} documents takes {peak / 1e6:.0f} MB.")
    must(asked <= pages + trial.requests_to_begin(), f"{asked:,} requests for {pages:,} pages of the listing.")


@check("L2", "It stops when it is told to", why="A restart must not wait for a listing.")
def it_stops(trial: Trial) -> None:
    began = time.monotonic()
    attempt(trial.world(), stop=lambda: True)
    took = time.monotonic() - began
    must(took <= END_SECONDS, f"It went on for {took:.1f} s after it was told to stop.")
    world = trial.world()
    watched = world.watched()
    before = 0

    def stop() -> bool:
        nonlocal before
        before = before if watched.counts.asked else len(trial.network.requests)
        return watched.counts.asked > 0

    attempt(world, source=watched, stop=stop)
    more = len(trial.network.requests) - before
    must(more <= MORE_REQUESTS, f"Told to stop when it began to fetch, it made {more} more requests.")
    world.run()
    trial.must_be_clean(world, "After it was stopped and read on")


@check(
    "L3",
    "No connection but through ctx.http",
    why="What it reaches past the guard may be anything in your network.",
    needs=ReadsNetwork,
)
def no_way_around(trial: Trial) -> None:
    with _connections(trial.network) as past:
        world = trial.read()
        world.run(full=True)
    must(not past, f"It connected to {past[:3]} by itself.")


@check(
    "L4",
    "One request at a time",
    why="A pace is kept by whoever asks; side by side, requests overrun it and the server.",
    needs=ReadsNetwork,
)
def one_at_a_time(trial: Trial) -> None:
    trial.read().run(full=True)
    trial.must_use_network()
    must(len(trial.network.threads) == 1, f"It asks from {len(trial.network.threads)} threads.")


_watching: list[tuple[Network, list[str]]] = []
_hooked = False


@contextmanager
def _connections(network: Network) -> Iterator[list[str]]:
    """Addresses this process connects to outside of `ctx.http`, as the interpreter's audit sees them."""
    global _hooked
    past: list[str] = []
    if not _hooked:
        sys.addaudithook(_audit)
        _hooked = True
    _watching.append((network, past))
    try:
        yield past
    finally:
        _watching.pop()


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "socket.connect" and _watching:
        network, past = _watching[-1]
        if not network.inside:
            past.append(str(arguments[1]))
