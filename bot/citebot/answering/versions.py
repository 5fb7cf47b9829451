"""Stage 6: of two passages that contradict each other the newer one is used, and the answer says so."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

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
        looked = [_Seen(hit.passage, lexical, near=place < _NEAR) for place, hit in enumerate(hits[:_LOOKED_AT])]
        gone: dict[int, list[tuple[int, str]]] = {}
        # Newest first: what is itself replaced replaces nothing.
        for newer in sorted(looked, key=lambda seen: seen.age, reverse=True):
            if newer.passage.id in gone:
                continue
            for older in looked:
                note = _replaces(newer, older)
                if note is not None:
                    gone.setdefault(older.passage.id, []).append((newer.passage.id, note))
        notes: dict[int, list[str]] = {}
        for number, note in (pair for pairs in gone.values() for pair in pairs):
            if note and note not in notes.setdefault(number, []):
                notes[number].append(note)
        left = tuple(hit for hit in hits if hit.passage.id not in gone)
        return Current(left, {number: tuple(some) for number, some in notes.items()}, tuple(gone))


class _Seen:
    """A passage taken apart once, for comparing it with all the others."""

    def __init__(self, passage: Passage, lexical: Lexical, *, near: bool) -> None:
        self.passage = passage
        self.near = near
        self.age = age_key(passage)
        self._lexical = lexical

    @cached_property
    def subjects(self) -> tuple[frozenset[str], frozenset[str]]:
        """Of its title and of the name of its page."""
        return _subject(self.passage.title), _subject(_page_name(self.passage.document_id))

    @cached_property
    def statements(self) -> list[tuple[frozenset[str], frozenset[str]]]:
        return _statements(self.passage, self._lexical)

    @cached_property
    def coverage(self) -> float:
        return self._lexical.coverage(self._lexical.stems(self.passage))


def _replaces(newer: _Seen, older: _Seen) -> str | None:
    """None: they may stand side by side. Else the note to show, empty when nothing contradicts."""
    new, old = newer.passage, older.passage
    if new.document_key == old.document_key or not old.updated or newer.age <= older.age:
        return None
    versions = _same_subject(newer, older)
    if _contradict(newer, older, same=_SAME_STATEMENT if versions else _SAME_WORDING):
        return texts.older_version(old.title, f"{old.updated:%Y-%m-%d}")
    if not versions:
        return None
    if newer.coverage >= _AS_RELEVANT * older.coverage or (newer.near and _says_it_is_old(old, new)):
        differ = numbers_of(new.text) != numbers_of(old.text)
        return texts.older_version(old.title, f"{old.updated:%Y-%m-%d}") if differ else ""
    return None


def _same_subject(one: _Seen, other: _Seen) -> bool:
    """Whether two titles, or two names of pages, differ only in words that name a version, such as a year."""
    (title, page), (other_title, other_page) = one.subjects, other.subjects
    same_page = one.passage.source == other.passage.source and page and page == other_page
    return bool((title and title == other_title) or same_page)


def _says_it_is_old(older: Passage, newer: Passage) -> bool:
    """Whether the older page names a year or version, or calls itself old, and the newer one does not."""
    return bool(_marks(older) - _marks(newer)) and not _marks(newer)


def _marks(passage: Passage) -> frozenset[str]:
    named = content_stems(f"{passage.title} {_page_name(passage.document_id)}")
    return frozenset(word for word in named if word in _OLD or _VERSION.match(word))


def _page_name(document_id: str) -> str:
    """The last piece of a path, without its ending and with spaces for dashes."""
    name = document_id.rsplit("/", 1)[-1]
    return re.sub(r"[-_]", " ", re.sub(r"\.[a-z]{2,5}$", "", name))


def _subject(title: str) -> frozenset[str]:
    return frozenset(word for word in content_stems(title) if word not in _VERSION_WORDS and not _VERSION.match(word))


def _contradict(newer: _Seen, older: _Seen, *, same: float) -> bool:
    """Whether two sentences about the question say the same thing with other numbers."""
    for words, figures in newer.statements:
        for other_words, other_figures in older.statements:
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
