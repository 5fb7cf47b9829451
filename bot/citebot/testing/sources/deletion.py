"""E: what is gone goes, and what is only out of reach does not."""

from __future__ import annotations

import httpx

from citebot.testing.sources.checking import Trial, attempt, check, must
from citebot.testing.sources.lab import Restores, Unshares

REFUSALS = (401, 403, 404, 410)


@check("E1", "Deleted documents go", why="Deleted pages are deleted for a reason.")
def deletions(trial: Trial) -> None:
    for key, world in zip(trial.keys, trial.ways(), strict=False):
        trial.lab.delete(key)
        world.run(full=not (world.by_feed and world.source().spec.feed_reports_deletes))
        must(key not in world.texts(), "A deleted document is still there after the next read.")
        trial.must_be_clean(world, "After a deletion")


@check("E2", "Restored documents come back", why="Deleting by mistake is common.", needs=Restores)
def restored(trial: Trial) -> None:
    lab, key = trial.lab, trial.keys[0]
    assert isinstance(lab, Restores)
    for world in trial.ways():
        lab.delete(key)
        world.run(full=True)
        lab.restore(key)
        world.run()
        must("Text of page 0." in world.texts().get(key, ""), "A restored document is missing after the next read.")


@check("E3", "What our account may no longer read goes", why="It was closed for a reason.", needs=Unshares)
def unshared(trial: Trial) -> None:
    lab = trial.lab
    assert isinstance(lab, Unshares)
    for key, world in zip(trial.keys, trial.ways(), strict=False):
        lab.unshare(key)
        world.run(full=True)
        must(key not in world.texts(), "It is still there after the next listing.")


@check("E4", "A refusal is not a deletion", why="An expired token would empty the index.")
def refusals(trial: Trial) -> None:
    world = trial.read()
    trial.must_use_network()
    before = world.state()
    for status in REFUSALS:
        with trial.faulty(lambda request, send, status=status: httpx.Response(status)):  # type: ignore[misc]
            for full in (False, True):
                done = attempt(world, full=full)
                must(world.state() == before, f"When every request is answered {status}, documents go.")
                must(done is None or done.failed, f"When every request is answered {status}, nobody is told.")
    world.run(full=True)
    must(world.state() == before, "After the refusals ended, it is not as before.")
