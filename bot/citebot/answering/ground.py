"""Stage 10: a sentence stays only if the passages it cites say so.

Every number, identifier, name and quotation of a sentence must occur in the cited passages, and most content words too;
what is negated there must be negated here and the other way round. A sentence that cites nothing valid is tried against
each passage and cites the one that carries it; what no passage carries is dropped.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property

from citebot.answering.lexical import heading_of
from citebot.answering.reading import ReadUnit, numbers_of, read, stems_of
from citebot.answering.sentences import Unit
from citebot.answering.words import content_stems, identifiers, language_of, negates, numbers, stem, stems, words
from citebot.model import Passage, ScoredPassage

CONTENT_SHARE = 0.75
"""Share of a sentence's content words that the cited passages must have."""
SAME_STATEMENT = (0.6, 0.3)
"""Shares of its content words from which a source's sentence is about the same; the second for joined sentences."""
_CITED = re.compile(
    r"""`[^`\n]*`                                                   # code: its brackets are no citations
      | (?:(?<!\s)\s+)?\\?[\[【]{1,3}\s*(?:\^\s*)?(?:[-+]\s*)?
        (?P<numbers>\d{1,9}(?:\s*[,;]\s*\d{1,9})*|\d{1,3}\s*[–-]\s*\d{1,3})
        \s*(?:†[^\]】\n]{0,80}+)?\\?[\]】]{1,3}""",
    re.VERBOSE,
)
_DECLINES = re.compile(r"\[0\][.!?]?\s*$")
_BULLET = re.compile(r"^\s*(?:[-*+•–]|\(?\d{1,3}[.)]|[a-z][.)])\s+")
_QUOTED = re.compile(r"[“„«\"]([^“”„«»\"]{2,}?)[”“»\"]|`([^`]+)`")
_MARKS = re.compile(r"[*_`~#|>]+|\s+")
_NAME = re.compile(r"(?<=[^\W_][ ,])[A-ZÄÖÜ][^\W\d_]+")


@dataclass(frozen=True, slots=True)
class Grounded:
    """A unit that holds, without its citations; `support` names the numbers of the passages and their sentences."""

    unit: Unit
    body: str
    support: dict[int, tuple[str, ...]]


class _Source:
    """A passage as evidence."""

    def __init__(self, passage: Passage) -> None:
        self.text = f"{heading_of(passage)}\n{passage.text}"
        self.units = read(passage.text)

    @cached_property
    def flat(self) -> str:
        return _flat(self.text)

    @cached_property
    def stems(self) -> frozenset[str]:
        return stems_of(self.text)

    @cached_property
    def numbers(self) -> frozenset[str]:
        return numbers_of(self.text)


class _Claim:
    """What a unit says, taken apart once and compared with many sources."""

    def __init__(self, unit: Unit, body: str) -> None:
        self.unit = unit
        self.body = body
        self.plain = _BULLET.sub("", body)
        self.flat = _flat(self.plain)

    @cached_property
    def numbers(self) -> frozenset[str]:
        return frozenset(numbers(self.plain))

    @cached_property
    def exact(self) -> frozenset[str]:
        return frozenset(_exact(self.plain))

    @cached_property
    def content(self) -> frozenset[str]:
        return frozenset(content_stems(self.plain))

    @cached_property
    def negated(self) -> bool:
        return negates(self.plain)

    def held_by(self, sources: Sequence[_Source]) -> bool:
        """Whether these sources, taken together, say so."""
        if any(self.flat in source.flat for source in sources):
            return True
        if self.unit.kind in {"code", "table"}:
            return _all_lines(self.plain, sources)
        return (
            all(any(figure in source.numbers for source in sources) for figure in self.numbers)
            and all(any(name in source.flat for source in sources) for name in self.exact)
            and _share(self.content, sources) >= CONTENT_SHARE
            and _same_polarity(self, sources)
            and _figures_belong(self, sources)
        )


class Grounding:
    """Checks the units of one draft against the passages it was written from."""

    def __init__(self, passages: Sequence[ScoredPassage]) -> None:
        self._sources = {number: _Source(hit.passage) for number, hit in enumerate(passages, start=1)}

    async def run(self, unit: Unit) -> Grounded | None:
        """The unit with what supports it, or None when nothing does."""
        return self.check(unit)

    def check(self, unit: Unit) -> Grounded | None:
        """The same, for callers without an event loop."""
        body, cited = _split_citations(unit)
        if unit.kind == "heading" or not words(body):
            return None
        claim = _Claim(unit, body)
        valid = [number for number in cited if number in self._sources]
        for together in ([valid] if valid else []) + [[number] for number in self._sources]:
            if claim.held_by([self._sources[number] for number in together]):
                return Grounded(unit, body, {number: self._sentences(claim, number) for number in together})
        return None

    def _sentences(self, claim: _Claim, number: int) -> tuple[str, ...]:
        """The sentences of a cited passage that carry this one."""
        wanted = set(stems(claim.body))
        scored = [(_likeness(one, claim.flat, wanted), one.text) for one in self._sources[number].units]
        best = max((score for score, _ in scored), default=0.0)
        return tuple(text for score, text in scored if score > 0.15 and score >= 0.8 * best)[:4]


def declines(unit: Unit) -> bool:
    """Whether a unit says, as a model is told to say it, that the passages do not answer the question."""
    return _DECLINES.search(unit.text) is not None and _split_citations(unit)[1] == [0]


def _split_citations(unit: Unit) -> tuple[str, list[int]]:
    if unit.kind == "code":
        return unit.text, []
    cited: list[int] = []
    for match in _CITED.finditer(unit.text):
        if match["numbers"]:
            ends = [int(digits) for digits in re.findall(r"\d+", match["numbers"])]
            is_range = re.search(r"\d\s*[–-]\s*\d", match["numbers"]) and len(ends) == 2
            cited += range(ends[0], min(ends[1], ends[0] + 20) + 1) if is_range else ends
    return without_numbers(unit.text), list(dict.fromkeys(cited))


def without_numbers(text: str) -> str:
    """Running text without whatever looks like a citation; the numbers that hold are written behind it."""
    return _CITED.sub(lambda match: "" if match["numbers"] else match.group(), text).strip()


def _flat(text: str) -> str:
    """Without markup and runs of white space, folded: how two renderings of one text compare."""
    return " ".join(_MARKS.sub(" ", text).casefold().split())


def _exact(text: str) -> set[str]:
    """What must be there letter by letter: identifiers, quotations, and names (in English, where nouns are small)."""
    found = {_flat(name) for name in identifiers(text)}
    found |= {_flat(one or other).rstrip(".,;") for one, other in _QUOTED.findall(text)}
    if language_of(text) == "en":
        found |= {stem(name.casefold()) for name in _NAME.findall(text)}
    return found - {""}


def _same_polarity(claim: _Claim, sources: Sequence[_Source]) -> bool:
    """Of the source's sentences about the same thing, one must be negated if and only if this one is."""
    every = [(len(claim.content & one.stems), one) for source in sources for one in source.units]
    for share in SAME_STATEMENT:
        about = [one.negated for common, one in every if common >= share * len(claim.content)]
        if about:
            return claim.negated in about
    return not claim.negated


def _likeness(one: ReadUnit, flat: str, wanted: set[str]) -> float:
    own = _flat(one.text)
    return 1.0 if own and own in flat else len(wanted & one.stems) / max(1, len(one.stems | wanted))


def _share(content: Collection[str], sources: Sequence[_Source]) -> float:
    if not content:
        return 0.0  # "Yes." and "It is not so." say much, and nothing that can be compared
    return sum(any(word in source.stems for source in sources) for word in content) / len(content)


def _figures_belong(claim: _Claim, sources: Sequence[_Source]) -> bool:
    """Each number must stand, somewhere in a source, beside a word that it stands beside here."""
    content = claim.content - claim.numbers
    if not content:
        return True
    for figure in claim.numbers:
        beside = [one.stems for source in sources for one in source.units if figure in one.numbers]
        if beside and not any(content & have for have in beside):
            return False
    return True


def _all_lines(text: str, sources: Sequence[_Source]) -> bool:
    """Code and tables: every line must be in one source, literally but for white space and marks."""
    lines = [_flat(line) for line in text.splitlines() if not re.match(r"^\s*(```|~~~|\|?\s*:?-{2,})", line)]
    return any(all(line in source.flat for line in lines if line) for source in sources)
