"""F: a place that falls ill removes nothing, and an admin hears of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import islice
from typing import Any

import httpx

from citebot.model import Gone, Ref
from citebot.ports import ChecksItself
from citebot.testing.sources.checking import Trial, Unfit, attempt, check, must
from citebot.testing.sources.crashes import GARBAGE, answers, raises
from citebot.testing.sources.lab import Revokes
from citebot.testing.sources.network import Fault, Send

FEW = 5
"""So few documents may go at once without anybody being asked."""


def _instead_of_json(body: str) -> Fault:
    """Other JSON where there is some; elsewhere JSON would say that this is no document."""

    def fault(request: httpx.Request, send: Send) -> httpx.Response:
        whole = send(request)
        whole.read()
        try:
            whole.json()
        except ValueError:
            return whole
        return httpx.Response(200, headers={"content-type": "application/json"}, text=body)

    return fault


FAULTS: dict[str, Fault] = {
    "a login page with status 200": GARBAGE["a login page with status 200"],
    "an empty body with status 200": GARBAGE["an empty body with status 200"],
    "other JSON with status 200": _instead_of_json('{"error": "no"}'),
    "empty JSON with status 200": _instead_of_json("{}"),
    "a server error": answers(500),
    "a reset connection": raises(httpx.ReadError),
}


@check(
    "F1", "An empty place removes nothing", why="An account that lost its rights sees an empty place.", observes=True
)
def an_empty_place(trial: Trial) -> None:
    world = trial.read()
    before, source = world.state(), world.source()
    if trial.network.used:
        with world.context() as ctx, trial.faulty(_emptied):
            gone = [item.id for batch in trial.listing(ctx, source) for item in batch.items if isinstance(item, Gone)]
        must(not gone, f"When the server shows an empty list, {len(gone)} documents are called gone.")
    elif trial.most is not None:
        raise Unfit("only a lab can empty it")
    for key in trial.keys:
        trial.lab.delete(key)
    if trial.keys:
        done = attempt(world, full=True)
        must(world.state() == before, "When everything is gone at once, documents go before an admin says so.")
        must(done is None, "When everything is gone at once, nobody is told.")


def _emptied(request: httpx.Request, send: Send) -> httpx.Response:
    """An answer of JSON whose lists are all empty: what a server says to an account that may see nothing."""
    whole = send(request)
    whole.read()
    try:
        body = json.dumps(_without_rows(whole.json()))
    except ValueError:
        return whole
    headers = [(name, value) for name, value in whole.headers.multi_items() if name.lower() != "content-encoding"]
    return httpx.Response(whole.status_code, headers=headers, text=body)


def _without_rows(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_rows(inner) for name, inner in value.items()}
    return [] if isinstance(value, list) else value


@check(
    "F2",
    "What a listing leaves out is asked for before it goes",
    why="Listings lose rows of documents that are still there.",
    observes=True,
)
def half_a_listing(trial: Trial) -> None:
    world = trial.read()
    before = world.state()
    left_out = set(sorted(world.texts())[::2][:FEW])
    if not left_out:
        raise Unfit("nothing can be read")
    attempt(world, source=world.watched(refs=lambda refs: [ref for ref in refs if ref.id not in left_out]))
    must(world.state() == before, "When a listing leaves out documents that are still there, they go.")


@check("F3", "A listing that breaks off says so", why="What would have come later looks deleted.", observes=True)
def a_broken_listing(trial: Trial) -> None:
    def listed() -> list[Any]:
        with trial.context() as ctx:
            return [item for batch in trial.batches(ctx) for item in batch.items]

    asked = len(trial.network.requests)
    whole = {item.id for item in listed()}
    asked = len(trial.network.requests) - asked
    trial.must_use_network()
    for number in sorted({1, 2, asked // 2 + 1, asked} & set(range(1, asked + 1))):
        for name, fault in FAULTS.items():
            with trial.faulty(_from(number, fault)):
                items = _unless_it_raises(listed)
            if items is None:
                continue
            gone = [item.id for item in items if isinstance(item, Gone)]
            must(not gone, f"With {name} from request {number} on, the listing calls {len(gone)} documents gone.")
            ends = whole <= {item.id for item in items}
            must(ends, f"With {name} from request {number} on, the listing ends as though it were whole.")


def _from(number: int, fault: Fault) -> Fault:
    count = 0

    def later(request: httpx.Request, send: Send) -> httpx.Response:
        nonlocal count
        count += 1
        return fault(request, send) if count >= number else send(request)

    return later


@check(
    "F4",
    "What cannot be fetched is not gone",
    why="Error pages would empty the index, a few documents at every poll.",
    observes=True,
)
def an_ill_server(trial: Trial) -> None:
    source: Any = trial.source()
    with trial.context() as ctx:
        ids = [item.id for batch in trial.listing(ctx, source) for item in batch.items if isinstance(item, Ref)][:FEW]
        trial.must_use_network()
        must(ids, "Nothing is listed.")
        for name, fault in FAULTS.items():
            with trial.faulty(fault):
                found = _unless_it_raises(lambda: list(islice(source.fetch(ctx, ids), 2 * FEW)))
            gone = [item.id for item in found or () if isinstance(item, Gone)]
            must(not gone, f"With {name} for every request, {len(gone)} documents are called gone.")


def _unless_it_raises(call: Callable[[], list[Any]]) -> list[Any] | None:
    """What comes of a call; None when it raises, which ends a run and is told."""
    try:
        return call()
    except Exception:  # noqa: BLE001 - a source is other people's code
        return None


@check("F5", "An account that was locked removes nothing", why="Passwords and tokens run out.", needs=Revokes)
def revoked(trial: Trial) -> None:
    lab = trial.lab
    assert isinstance(lab, Revokes)
    for world in trial.ways():
        before = world.state()
        lab.revoke()
        for full in (False, True):
            done = attempt(world, full=full)
            must(world.state() == before, "When our account is locked, documents go.")
            must(done is None, "When our account is locked, nobody is told.")
    source = trial.source()
    if isinstance(source, ChecksItself):
        with trial.context() as ctx:
            found = _unless_it_raises(lambda: list(source.check(ctx)))
        bad = found is None or any(not finding.ok for finding in found)
        must(bad, "When our account is locked, its check is content.")
