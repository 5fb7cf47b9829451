"""Stage 6: of two passages that contradict each other the newer one is used, and the answer says so."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from citebot.answering import texts
from citebot.answering.collapse import age_key
from citebot.answering.lexical import Lexical, heading_of, similarity
from citebot.answering.reading import numbers_of, read
from citebot.answering.words import content_stems
from citebot.model import Passage, ScoredPassage

_LOOKED_AT = 12
_NEAR = 6
"""A page among so many best ones is taken to be about the question, whatever its words."""
_SAME_STATEMENT = 0.55
_SAME_WORDING = 0.8
_AS_RELEVANT = 0.4
# Words of a title that tell versions apart rather than subjects.
_VERSION_WORDS = frozenset(
    {
        *("policy", "guide", "rule", "version", "old", "new", "draft", "archive", "archiv", "deprecat", "superseded"),
        *("legacy", "current", "outdat", "alt", "neu", "richtlini"),
    }
)
_OLD = frozenset({"old", "archiv", "archive", "deprecat", "superseded", "legacy", "outdat", "alt"})
_VERSION = re.compile(r"^(?:v\d+|(?:19|20)\d\d)$")


@dataclass(frozen=True, slots=True)
class Current:
    """What is left to answer from."""

    passages: tuple[ScoredPassage, ...]
    notes: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    """What to say when an answer cites this passage, by its id."""
    superseded: tuple[int, ...] = ()
    """Ids of passages that a newer one contradicts or replaces."""


class Versions:
    """Compares the best passages pairwise; only documents with different dates can replace each other."""

    async def run(self, hits: Sequence[ScoredPassage], lexical: Lexical) -> Current:
        """The passages without superseded ones."""
        looked = hits[:_LOOKED_AT]
        gone: dict[int, list[tuple[int, str]]] = {}
        # Newest first: what is itself replaced replaces nothing.
        for newer in sorted(looked, key=lambda hit: age_key(hit.passage), reverse=True):
            if newer.passage.id in gone:
                continue
            near = newer in looked[:_NEAR]
            for older in looked:
                note = _replaces(newer.passage, older.passage, lexical, near=near)
                if note is not None:
                    gone.setdefault(older.passage.id, []).append((newer.passage.id, note))
        notes: dict[int, list[str]] = {}
        for number, note in (pair for pairs in gone.values() for pair in pairs):
            if note and note not in notes.setdefault(number, []):
                notes[number].append(note)
        left = tuple(hit for hit in hits if hit.passage.id not in gone)
        return Current(left, {number: tuple(some) for number, some in notes.items()}, tuple(gone))


def _replaces(newer: Passage, older: Passage, lexical: Lexical, *, near: bool) -> str | None:
    """None: they may stand side by side. Else the note to show, empty when nothing contradicts."""
    if newer.document_key == older.document_key or not older.updated or age_key(newer) <= age_key(older):
        return None
    versions = same_subject(newer, older)
    contradiction = _contradict(newer, older, lexical, same=_SAME_STATEMENT if versions else _SAME_WORDING)
    if contradiction:
        return texts.older_version(older.title, f"{older.updated:%Y-%m-%d}")
    covers = lexical.coverage(lexical.stems(newer)), lexical.coverage(lexical.stems(older))
    if versions and (covers[0] >= _AS_RELEVANT * covers[1] or (near and _says_it_is_old(older, newer))):
        differ = numbers_of(newer.text) != numbers_of(older.text)
        return texts.older_version(older.title, f"{older.updated:%Y-%m-%d}") if differ else ""
    return None


def same_subject(one: Passage, other: Passage) -> bool:
    """Whether two titles, or two names of pages, differ only in words that name a version, such as a year."""
    return _alike(one.title, other.title) or (
        one.source == other.source and _alike(_page_name(one.document_id), _page_name(other.document_id))
    )


def _says_it_is_old(older: Passage, newer: Passage) -> bool:
    """Whether the older page names a year or version, or calls itself old, and the newer one does not."""
    return bool(_marks(older) - _marks(newer)) and not _marks(newer)


def _marks(passage: Passage) -> frozenset[str]:
    named = content_stems(f"{passage.title} {_page_name(passage.document_id)}")
    return frozenset(word for word in named if word in _OLD or _VERSION.match(word))


def _alike(one: str, other: str) -> bool:
    mine = _subject(one)
    return bool(mine) and mine == _subject(other)


def _page_name(document_id: str) -> str:
    """The last piece of a path, without its ending and with spaces for dashes."""
    name = document_id.rsplit("/", 1)[-1]
    return re.sub(r"[-_]", " ", re.sub(r"\.[a-z]{2,5}$", "", name))


def _subject(title: str) -> frozenset[str]:
    return frozenset(word for word in content_stems(title) if word not in _VERSION_WORDS and not _VERSION.match(word))


def _contradict(newer: Passage, older: Passage, lexical: Lexical, *, same: float) -> bool:
    """Whether two sentences about the question say the same thing with other numbers."""
    theirs = _statements(older, lexical)
    for words, figures in _statements(newer, lexical):
        for other_words, other_figures in theirs:
            if figures.isdisjoint(other_figures) and similarity(words, other_words) >= same:
                return True
    return False


def _statements(passage: Passage, lexical: Lexical) -> list[tuple[frozenset[str], frozenset[str]]]:
    """Sentences with numbers that touch the question: their words without the numbers, and the numbers."""
    found = []
    about = set(content_stems(heading_of(passage))) & set(lexical.terms)
    for unit in read(passage.text):
        figures = unit.numbers
        if not figures:
            continue
        if len(unit.wording) >= 3 and (about or not unit.wording.isdisjoint(lexical.terms)):
            found.append((unit.wording, figures))
    return found
