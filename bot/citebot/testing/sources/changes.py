"""C: what changes is seen by the next poll, and nothing else is read."""

from __future__ import annotations

from citebot.testing.sources.checking import EVERYONE, Trial, attempt, check, must
from citebot.testing.sources.lab import Comments, Moves, Renames
from citebot.testing.sources.world import SourceWorld

ODD_TITLES = (
    "Ümläut ß",
    "日本語の題名",
    "Who's & what? (2nd) 100% #1",
    "a/b",
    "[brackets] 'quotes' \"double\"",
    "emoji 🙂",
    "x" * 120,
)
LONG = 4_000
"""Paragraphs; ten lines each make 1.4 MB, and no more of them than are parsed in a second."""


def must_find(world: SourceWorld, key: str, text: str, when: str) -> None:
    """A text must be in a document."""
    must(text in world.texts().get(key, ""), f"{when}, “{text}” is not in {key}.")


@check("C1", "A poll without change reads nothing", why="Every poll of every team asks the server for this.")
def an_idle_poll_is_cheap(trial: Trial) -> None:
    world = trial.read()
    before = world.state()
    with world.context() as ctx:
        pages = len(trial.batches(ctx))
    begun = trial.requests_to_begin()
    for turn in ("second", "third"):
        asked = len(trial.network.requests)
        watched = world.watched()
        world.run(watched)
        must(watched.counts.fetched == 0, f"In the {turn} read, {watched.counts.fetched} documents are fetched again.")
        asked = len(trial.network.requests) - asked
        must(asked <= pages + begun, f"The {turn} read takes {asked} requests for {pages} pages of the listing.")
    must(world.state() == before, "A poll without change changed something.")


@check("C2", "Edits, new and deleted documents are seen", why="An old answer is a wrong one.")
def changes_are_seen(trial: Trial) -> None:
    kept, gone = trial.keys[0], trial.keys[1]
    for world in trial.ways():
        trial.lab.edit(kept, f"Second and longer version, {world.by_feed}.")
        new = trial.lab.create(f"New {world.by_feed}", "Just made.", EVERYONE)
        world.run()
        must_find(world, kept, f"Second and longer version, {world.by_feed}.", "After an edit and a poll")
        must_find(world, new, "Just made.", "After a document was made and a poll")
    trial.lab.delete(gone)
    world.run(full=True)
    must(gone not in world.texts(), "After a deletion and a listing, the document is still there.")
    trial.must_be_clean(world, "After edits, a new and a deleted document")


@check("C3", "Any title will do", why="People write titles as they like.")
def odd_titles(trial: Trial) -> None:
    made = [trial.lab.create(title, f"Odd text {number}.", EVERYONE) for number, title in enumerate(ODD_TITLES)]
    world = trial.read()
    for number, key in enumerate(made):
        must_find(world, key, f"Odd text {number}.", f"Under the title {ODD_TITLES[number]!r}")
    watched = world.watched()
    world.run(watched)
    must(watched.counts.fetched == 0, "Documents with odd titles are fetched again at every poll.")


@check("C4", "A renamed document is one document", why="Two copies of one page are cited side by side.", needs=Renames)
def renames(trial: Trial) -> None:
    lab, key = trial.lab, trial.keys[2]
    assert isinstance(lab, Renames)
    for world in trial.ways():
        key = lab.rename(key, f"Renamed {world.by_feed}")
        world.run()
        titles = {passage.title for passage in world.passages() if "Text of page 2." in passage.text}
        must(len(titles) == 1, f"After a rename it is there under {len(titles)} titles.")
        must(f"Renamed {world.by_feed}" in titles.pop(), "After a rename and a poll it has its old title.")
        trial.must_be_clean(world, "After a rename")


@check("C5", "A moved document is one document", why="Links to the old place are dead.", needs=Moves)
def moves(trial: Trial) -> None:
    lab, key = trial.lab, trial.keys[2]
    assert isinstance(lab, Moves)
    for world in trial.ways():
        key = lab.move(key)
        world.run()
        having = [one for one, text in world.texts().items() if "Text of page 2." in text]
        must(having == [key], f"After a move it is there {len(having)} times.")
        trial.must_be_clean(world, "After a move")


@check("C6", "Comments are seen", why="The answer is often in the last comment.", needs=Comments)
def comments(trial: Trial) -> None:
    lab, key = trial.lab, trial.keys[3]
    assert isinstance(lab, Comments)
    for world in trial.ways():
        lab.comment(key, f"The comment of {world.by_feed}.", private=False)
        world.run()
        must_find(world, key, f"The comment of {world.by_feed}.", "After a comment and a poll")


@check("C7", "Deleted and made anew is another document", why="Old text under a new title is a wrong answer.")
def made_anew(trial: Trial) -> None:
    for world in trial.ways():
        old = trial.lab.create(f"Leave {world.by_feed}", "Old rules.", EVERYONE)
        world.run()
        trial.lab.delete(old)
        trial.lab.create(f"Leave {world.by_feed}", "New rules, quite different.", EVERYONE)
        world.run(full=True)
        texts = "\n".join(world.texts().values())
        must("Old rules." not in texts, "The text of the deleted document is still there.")
        must("New rules, quite different." in texts, "The text of the new document is missing.")
        trial.must_be_clean(world, "After a document was deleted and made anew")


@check("C8", "Empty and very long documents do not stop it", why="There is one in every wiki.")
def empty_and_long(trial: Trial) -> None:
    trial.lab.create("Empty", "", EVERYONE)
    long_text = "\n\n".join(" ".join([f"Line {number} of a very long document."] * 10) for number in range(LONG))
    long = trial.lab.create("Long", f"{long_text}\n\nThe very last line.", EVERYONE)
    world = trial.world()
    must(attempt(world) is not None, f"They end the run: {world.failure()}")
    texts = world.texts()
    for number, key in enumerate(trial.keys):
        must(f"Text of page {number}." in texts.get(key, ""), f"Beside an empty and a long document, {key} is missing.")
    whole = "The very last line." in texts.get(long, "")
    must(whole or long in world.parked(), "The long document is cut off, and nobody is told.")
