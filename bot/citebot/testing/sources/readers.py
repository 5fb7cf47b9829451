"""H: who may read in the source may read here, and nobody else."""

from __future__ import annotations

from citebot.model import EVERYONE as EVERYBODY
from citebot.model import Document, Readers, group_principal, person_principal
from citebot.ports import ChecksReaders, ReportsGroups
from citebot.testing.sources.checking import EVERYONE, Trial, Unfit, check, must
from citebot.testing.sources.lab import Comments, Labels, Restricts
from citebot.testing.sources.world import SourceWorld

BOARD = Readers.of(groups=["board"], people=["alice"])
STRANGER = "nobody@nowhere.example"
LEAK = "Somebody reads what they must not."


def readers_of(world: SourceWorld, key: str) -> Readers:
    """Who may read a document, as stored."""
    found = {passage.readers for passage in world.passages() if passage.document_id == key}
    must(len(found) == 1, f"{key} is stored for {len(found)} kinds of readers.")
    return found.pop()


@check("H1", "Readers are kept", why=LEAK, needs=Restricts)
def readers_are_kept(trial: Trial) -> None:
    key = trial.lab.create("Minutes", "Secret numbers.", BOARD)
    must(readers_of(trial.read(), key) == BOARD, "A document of the board is for others.")


@check("H2", "Other readers count from the next read on", why=LEAK, needs=Restricts)
def restricted(trial: Trial) -> None:
    lab, key = trial.lab, trial.keys[0]
    assert isinstance(lab, Restricts)
    for world in trial.ways():
        for readers, word in ((BOARD, "closed"), (EVERYONE, "opened"), (None, "left without readers")):
            lab.restrict(key, readers)
            counts = world.run(full=True)
            must(readers_of(world, key) == (readers or Readers.nobody()), f"A document that was {word} is not.")
            must(counts.chunks == 0 or not readers, "Other readers made new passages, which are embedded again.")
        lab.restrict(key, EVERYONE)
        world.run(full=True)


@check("H3", "What says nothing about readers is for nobody", why=LEAK, needs=Restricts)
def unmarked(trial: Trial) -> None:
    key = trial.lab.create("Unmarked", "Nobody said who may read this.", None)
    must(readers_of(trial.read(), key) == Readers.nobody(), "A document without readers is shown.")


@check("H4", "The readers of the settings are on every document", why=LEAK, needs=Labels)
def labels(trial: Trial) -> None:
    lab, world = trial.lab, trial.world()
    assert isinstance(lab, Labels)
    for names in (["board", "person:alice"], ["board"], []):
        world.run(lab.labelled(world.state_dir, names), full=True)
        wanted = frozenset(name if ":" in name else group_principal(name) for name in names)
        wrong = sorted({p.document_id for p in world.passages() if p.readers.principals != wanted})
        must(not wrong, f"With readers {names}, these are for others: {wrong[:3]}")


@check(
    "H5", "Asked live, it says what is stored", why="Two answers to one question: one of them is wrong.", observes=True
)
def live_and_stored(trial: Trial) -> None:
    source, lab = trial.source(), trial.lab
    if not isinstance(source, ChecksReaders):
        raise Unfit("the source cannot be asked live")
    if trial.keys and isinstance(lab, Restricts):
        lab.restrict(trial.keys[0], BOARD)
        lab.restrict(trial.keys[1], None)
    with trial.context() as ctx:
        documents = [item for item in trial.sample(ctx, source) if isinstance(item, Document)]
        ids = [document.id for document in documents]
        groups = {group.name: group.people for group in source.groups(ctx)} if isinstance(source, ReportsGroups) else {}
        for person in sorted(_people(documents, groups))[:5]:
            mine = {EVERYBODY, person_principal(person)}
            mine |= {group_principal(name) for name, people in groups.items() if person in people}
            stored = {document.id for document in documents if not mine.isdisjoint(document.readers.principals)}
            now = source.may_read(ctx, person, ids)
            must(now <= stored, f"{person} may read {sorted(now - stored)[:3]} live, but not by what is stored.")
            must(stored <= now, f"{person} may read {sorted(stored - now)[:3]} by what is stored, but not live.")
        public = {document.id for document in documents if EVERYBODY in document.readers.principals}
        extra = source.may_read(ctx, STRANGER, ids) - public
        must(not extra or not public, f"A stranger may read {sorted(extra)[:3]} live.")


def _people(documents: list[Document], groups: dict[str, frozenset[str]]) -> set[str]:
    """Everybody who is named by documents or groups."""
    principals = {principal for document in documents for principal in document.readers.principals}
    named = {name.removeprefix("person:") for name in principals if name.startswith("person:")}
    return named.union(*groups.values())


@check("H6", "A private comment stays private", why=LEAK, needs=Comments)
def private_comments(trial: Trial) -> None:
    lab, key = trial.lab, trial.keys[0]
    assert isinstance(lab, Comments)
    lab.comment(key, "Between the two of us.", private=True)
    world = trial.read()
    of_document = {p.readers for p in world.passages() if p.document_id == key and "Text of page 0." in p.text}
    of_comment = {p.readers for p in world.passages() if "Between the two of us." in p.text}
    must(not of_document & of_comment, "A private comment is for all who read the document.")
    must("Between the two of us." not in "\n".join(p.text for p in world.passages() if p.readers in of_document), LEAK)
