"""B: everything is listed, however one reads."""

from __future__ import annotations

from citebot.model import Document
from citebot.ports import Source
from citebot.testing.sources.checking import DOCUMENTS, Trial, Unfit, check, must
from citebot.testing.sources.lab import SetsPages

RESUMED = 20
"""Most cursors a listing is taken up from."""


@check("B1", "A first read finds everything", why="What is not read is answered with “I don't know”.")
def everything_is_read(trial: Trial) -> None:
    world = trial.world()
    counts = world.run()
    texts = world.texts()
    must(counts.saved == len(texts) == DOCUMENTS, f"{counts.saved} of {DOCUMENTS} documents were read.")
    for number, key in enumerate(trial.keys):
        must(f"Text of page {number}." in texts.get(key, ""), f"The text of {key} is missing.")


@check(
    "B2",
    "Two listings are the same",
    why="A version that changes by itself has everything read again at every poll.",
    observes=True,
)
def listings_agree(trial: Trial) -> None:
    with trial.context() as ctx:
        one, two = ({ref.id: ref for ref in trial.refs(ctx)} for _ in range(2))
    must(one.keys() == two.keys(), f"Only in one of two listings: {sorted(one.keys() ^ two.keys())[:3]}")
    other = [key for key in one if one[key] != two[key]]
    must(not other, f"Another version, though nothing changed: {other[:3]}")


@check(
    "B3",
    "A listing can be taken up from any cursor",
    why="Runs are cut off; what the next one leaves out looks deleted.",
    observes=True,
)
def cursors_lead_on(trial: Trial) -> None:
    lab = trial.lab
    with trial.context() as ctx:

        def source() -> Source:
            return lab.paged(ctx.state_dir, 2) if isinstance(lab, SetsPages) else trial.source()

        batches = trial.batches(ctx, source())
        if len(batches) < 2:
            raise Unfit("a listing of one page has no cursor to go on from")
        for number, batch in enumerate(batches[:-1][:RESUMED], 1):
            missing = {item.id for later in batches[number:] for item in later.items}
            missing -= {item.id for earlier in batches[:number] for item in earlier.items}
            rest = source().list(ctx, batch.cursor)
            while missing and (found := next(rest, None)):
                missing -= {item.id for item in found.items}
            must(not missing, f"Missing after cursor {batch.cursor!r}: {sorted(missing)[:3]}")


@check("B4", "The size of a page changes nothing", why="Errors at the edges of pages lose documents.", needs=SetsPages)
def pages_of_any_size(trial: Trial) -> None:
    lab = trial.lab
    assert isinstance(lab, SetsPages)
    for size in (1, 2, 5, 100):
        with trial.context() as ctx:
            ids = [ref.id for ref in trial.refs(ctx, lab.paged(ctx.state_dir / f"{size}", size))]
        must(sorted(ids) == sorted(trial.keys), f"In pages of {size}, {len(ids)} of {len(trial.keys)} are listed.")


@check(
    "B5",
    "Fetched alone or together, a document is the same",
    why="Batches are cut anew at every run; a document must not depend on its neighbours.",
    observes=True,
)
def alone_or_together(trial: Trial) -> None:
    source = trial.source()
    with trial.context() as ctx:
        ids = [ref.id for ref in trial.refs(ctx, source)][:5]
        together = {item.id: item for item in source.fetch(ctx, ids)}
    for key in reversed(ids):
        # A new run, which has listed nothing: what waits to be fetched may be from one before.
        with trial.context() as ctx:
            (alone,) = trial.source().fetch(ctx, [key])
        same = isinstance(alone, Document) and alone == together[key]
        must(same, f"{key} is another document when it is fetched alone.")
