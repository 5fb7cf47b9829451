"""I: people work while it reads. J: and the server does not always say so."""

from __future__ import annotations

from typing import Any

from citebot.settings import IngestSettings
from citebot.testing.sources.checking import EVERYONE, Trial, check, must
from citebot.testing.sources.lab import EditsSilently, SetsPages

AT_ONCE = IngestSettings(refetch_days=1e-9)


@check("I1", "Changes during a listing are found", why="In a large place somebody always writes while it is listed.")
def changes_while_listing(trial: Trial) -> None:
    lab, world = trial.lab, trial.world()
    source = lab.paged(world.state_dir, 2) if isinstance(lab, SetsPages) else world.source()
    begun = False

    def meanwhile(refs: list[Any]) -> list[Any]:
        nonlocal begun
        if not begun:
            begun = True
            lab.edit(trial.keys[0], "Edited while it was listed.")
            lab.delete(trial.keys[-1])
            lab.create("Page 3b", "Made while it was listed.", EVERYONE)
        return refs

    world.run(world.watched(source, refs=meanwhile))
    must(begun, "Nothing was listed.")
    missing = sorted(set(trial.keys[1:-1]) - set(world.texts()))
    must(not missing, f"Nobody touched them, but the listing has left them out: {missing[:3]}")
    world.run(full=True)
    trial.must_be_clean(world, "After changes during a listing and one more read")


@check("I2", "Changes during the first read are in the feed", why="They would wait for the next listing, a day.")
def changes_while_loading(trial: Trial) -> None:
    world = trial.world()
    edited = False

    def answer(item: Any) -> Any:
        nonlocal edited
        if not edited and item.id == trial.keys[0]:
            edited = True
            trial.lab.edit(trial.keys[0], "Edited after it was fetched.")
        return item

    world.run(world.watched(feed=True, answer=answer))
    world.run()
    must("Edited after it was fetched." in world.texts()[trial.keys[0]], "It is not seen by the next poll.")


@check(
    "J1",
    "Silent edits are found within the rolling period",
    why="A comment made private stays public.",
    needs=EditsSilently,
)
def silent_edits(trial: Trial) -> None:
    lab, key = trial.lab, trial.keys[0]
    assert isinstance(lab, EditsSilently)
    said = trial.source().spec.silent_edits
    must(said, "The server does not date all changes, but spec.silent_edits does not say so: they wait for a week.")
    for world in trial.ways():
        lab.edit_silently(key, f"Edited without a trace, {world.by_feed}.")
        world.run(settings=AT_ONCE)
        seen = f"Edited without a trace, {world.by_feed}." in world.texts()[key]
        must(seen, "An edit without a date is not seen, though the document was due to be read again.")
