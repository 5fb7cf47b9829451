"""A passage's text taken apart once: its units with their words and numbers.

Kept for the passages read most recently, by text, because the same few answer most questions. What is kept was loaded
from the database for an audience that may read it, and is found again only by somebody who holds the same text. What
must not be kept at all is forgotten with all the rest: it cannot be told apart any more.
"""

from __future__ import annotations

from functools import cached_property, lru_cache

from citebot.answering.sentences import Unit, units
from citebot.answering.words import (
    content_of_words,
    negates_among,
    numbers,
    numbers_among,
    stems,
    stems_of_words,
    words,
)

REMEMBERED = 1024


class ReadUnit:
    """A unit and what is in it; worked out when it is first asked for."""

    def __init__(self, unit: Unit) -> None:
        self.unit = unit
        self.text = unit.text

    @cached_property
    def words(self) -> list[str]:
        """Folded."""
        return words(self.text)

    @cached_property
    def stems(self) -> frozenset[str]:
        """All words."""
        return frozenset(stems_of_words(self.words))

    @cached_property
    def content(self) -> frozenset[str]:
        """Content words."""
        return frozenset(content_of_words(self.words))

    @cached_property
    def wording(self) -> frozenset[str]:
        """Content words without digits: what two versions of a statement share."""
        return frozenset(word for word in self.content if not any(c.isdigit() for c in word))

    @cached_property
    def numbers(self) -> frozenset[str]:
        """Numbers in one form."""
        return frozenset(numbers_among(self.text, self.words))

    @cached_property
    def negated(self) -> bool:
        """Whether it says that something is not so."""
        return negates_among(self.words)


@lru_cache(maxsize=REMEMBERED)
def read(text: str) -> tuple[ReadUnit, ...]:
    """The units of a passage's text."""
    return tuple(map(ReadUnit, units(text)))


@lru_cache(maxsize=REMEMBERED)
def stems_of(text: str) -> frozenset[str]:
    """All stems of a text."""
    return frozenset(stems(text))


@lru_cache(maxsize=REMEMBERED)
def numbers_of(text: str) -> frozenset[str]:
    """All numbers of a text."""
    return frozenset(numbers(text))


def forget() -> None:
    """Keep nothing of what was read."""
    for remembering in (read, stems_of, numbers_of):
        remembering.cache_clear()
