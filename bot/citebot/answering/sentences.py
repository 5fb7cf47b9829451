"""Cuts passages and drafts into units that can be cited one by one: sentences, list items, code blocks, tables."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

UnitKind = Literal["sentence", "item", "code", "table", "heading"]


@dataclass(frozen=True, slots=True)
class Unit:
    """One citable piece of a text; `text` keeps its own markup (bullet, fence)."""

    kind: UnitKind
    text: str
    paragraph: int = 0
    """Units of one paragraph or list share it."""


CITATIONS = r"(?:\s*\[\d{1,3}\])"
_FENCE = re.compile(r"^\s{0,3}(```+|~~~+)")
_ITEM = re.compile(r"^\s*(?:[-*+•–]|\(?\d{1,3}[.)]|[a-z][.)])\s+\S")
_HEADING = re.compile(r"^\s{0,3}#{1,6}\s+\S")
_TABLE = re.compile(r"^\s*\|.*\||\S \| \S")
# A sentence ends at . ! ? … with closing quotes and citations, before white space and something that can begin one.
_END = re.compile(
    rf"[.!?…。！？]+[\"'”’»)\]]*{CITATIONS}*(?!\s*\[\d{{1,3}}\])(?=\s+[\"'“‘„«(*_`\[]*[^\W_a-zäöüß]|\s+\[?$)|[。！？]{CITATIONS}*",
    re.UNICODE,
)
_ABBREVIATION = re.compile(
    r"""(?:^|[\s("“„])(?:
        [A-Za-zÄÖÜ]                                                       # initials: J. Smith
      | e\.g|i\.e|a\.m|p\.m|u\.s|u\.k|etc|vs|cf|al|ca|approx|dept|est|fig|incl|max|min|no|nos|nr|pp|sec|vol|ver
      | mr|mrs|ms|dr|prof|sr|jr|st|inc|ltd|co|corp|gen|col|sen|rep|rev|hon
      | jan|feb|mar|apr|jun|jul|aug|sep|sept|oct|nov|dec|mon|tue|wed|thu|fri|sat|sun
      | z\.\s?b|d\.\s?h|u\.\s?a|o\.\s?ä|i\.\s?d\.\s?r|s\.\s?o|bzw|usw|evtl|ggf|inkl|exkl|vgl|str|tel|abs|art
      | mio|mrd|bspw|zzgl
    )\.$""",
    re.VERBOSE | re.IGNORECASE,
)
_ORDINAL = re.compile(r"(?:^|\s)\d{1,2}\.$")


def units(text: str) -> list[Unit]:
    """All units of a text in order."""
    return list(_units(text))


def sentences(text: str) -> list[str]:
    """The sentences of running text, without caring for markup."""
    return list(_split(text))


def _units(text: str) -> Iterator[Unit]:
    lines = text.splitlines()
    number = paragraph = 0
    while number < len(lines):
        line = lines[number]
        if not line.strip():
            number, paragraph = number + 1, paragraph + 1
            continue
        kind, end = _extent(lines, number)
        piece = lines[number:end]
        number = end
        if kind == "sentence":
            for sentence in _split(" ".join(part.strip() for part in piece)):
                yield Unit("sentence", sentence, paragraph)
        else:
            joined = (
                "\n".join(piece).rstrip() if kind in {"code", "table"} else " ".join(part.strip() for part in piece)
            )
            yield Unit(kind, joined, paragraph)


def _extent(lines: list[str], start: int) -> tuple[UnitKind, int]:
    """What begins at this line, and the line after its end."""
    first = lines[start]
    fence = _FENCE.match(first)
    if fence:
        for number in range(start + 1, len(lines)):
            if lines[number].strip().startswith(fence.group(1)):
                return "code", number + 1
        return "code", len(lines)
    if _HEADING.match(first):
        return "heading", start + 1
    if _TABLE.search(first):
        end = _while(lines, start, lambda line: bool(_TABLE.search(line)))
        if end - start >= 2:
            return "table", end
    item = bool(_ITEM.match(first))
    end = _while(lines, start + 1, lambda line: bool(line.strip()) and not _begins_block(line))
    return ("item" if item else "sentence"), max(end, start + 1)


def _begins_block(line: str) -> bool:
    return bool(_ITEM.match(line) or _FENCE.match(line) or _HEADING.match(line) or _TABLE.search(line))


def _while(lines: list[str], start: int, holds: object) -> int:
    end = start
    while end < len(lines) and callable(holds) and holds(lines[end]):
        end += 1
    return end


def _split(text: str) -> Iterator[str]:
    start = 0
    for match in _END.finditer(text):
        before = text[start : match.end()]
        bare = re.sub(rf"{CITATIONS}+$", "", before)
        if _ABBREVIATION.search(bare) or _ORDINAL.search(bare):
            continue
        if before.strip():
            yield before.strip()
        start = match.end()
    if text[start:].strip():
        yield text[start:].strip()
