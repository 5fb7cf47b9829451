"""Checks the citations of a finished answer, without trusting whoever wrote or checked it before."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

from citebot.model import Answer, Passage

_MARK_OR_CODE = re.compile(r"`[^`]*`|\s*\[(?P<numbers>\d+(?:\s*,\s*\d+)*)\]")
_SENTENCE_END = re.compile(r"([.!?](?:\s*\[\d+(?:\s*,\s*\d+)*\])*)\s+(?=[^a-z\s\[])")
_FENCE = re.compile(r"^\s*(```|~~~)")
_LIST_NUMBER = re.compile(r"^\s*\d+[.)]\s+")
# With what is written on to it: 18th, 5m.
_NUMBER = re.compile(r"(?<![\w.])\d+(?:[.,:/-]\d+)*\w*")
_WORD = re.compile(r"[A-Za-z_$][\w$./:@-]*\w")
_IDENTIFIER = re.compile(r".*(\d|_|[a-z][A-Z])|[A-Z]{3,}$|.*\w[/@]\w")
_THOUSANDS = re.compile(r"(?<=\d)[,\u2009\u202f](?=\d{3}\b)")


@dataclass(frozen=True, slots=True)
class Statement:
    """A sentence, list item, table or code block of an answer, with the numbers it cites."""

    text: str
    cited: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class CitationCheck:
    """What is wrong with the citations of one answer."""

    statements: int
    uncited: int
    """Statements without a number."""
    dangling: tuple[int, ...]
    """Numbers that stand for nothing."""
    unsupported: tuple[str, ...]
    """Statements with a number or identifier that the passages they cite do not have."""


def check_citations(answer: Answer) -> CitationCheck:
    """Look at every statement of an answer."""
    passages = {citation.number: citation.passage for citation in answer.citations}
    found = statements(answer.text)
    unsupported = []
    for statement in found:
        # A statement without a number may lean on anything that the answer cites.
        numbers = statement.cited or tuple(passages)
        if not _supported(statement.text, (passages[number] for number in numbers if number in passages)):
            unsupported.append(statement.text)
    return CitationCheck(
        statements=len(found),
        uncited=sum(not statement.cited for statement in found),
        dangling=tuple(n for statement in found for n in statement.cited if n not in passages),
        unsupported=tuple(unsupported),
    )


def statements(text: str) -> list[Statement]:
    """Cut an answer into statements; numbers after a full stop belong to the sentence before it."""
    found: list[Statement] = []
    for piece, literal in _pieces(text):
        cited: list[int] = []
        body = piece if literal else _MARK_OR_CODE.sub(partial(_take_mark, cited), piece).strip()
        if body.strip(" .*-"):
            found.append(Statement(body, tuple(cited)))
        elif cited and found:
            found[-1] = Statement(found[-1].text, (*found[-1].cited, *cited))
    return found


def _take_mark(cited: list[int], match: re.Match[str]) -> str:
    """Move the numbers of a citation mark into `cited`; brackets in code are code."""
    if match["numbers"] is None:
        return match[0]
    cited += [int(number) for number in match["numbers"].split(",")]
    return ""


def literals(text: str) -> set[str]:
    """Numbers and identifiers: what must not be changed or made up."""
    text = _THOUSANDS.sub("", text)
    found = {number.casefold() for number in _NUMBER.findall(text)}
    return found | {word.casefold() for word in _WORD.findall(text) if _IDENTIFIER.match(word)}


def _supported(text: str, passages: Iterable[Passage]) -> bool:
    wanted = literals(text)
    if not wanted:
        return True
    known = " ".join(_all_text(passage) for passage in passages)
    known = _THOUSANDS.sub("", known).casefold()
    return all(re.search(rf"(?<!\w){re.escape(literal)}(?!\w)", known) for literal in wanted)


def _all_text(passage: Passage) -> str:
    date = passage.updated.date().isoformat() if passage.updated else ""
    return "\n".join([passage.title, *passage.headings, passage.text, passage.url, date])


def _pieces(text: str) -> list[tuple[str, bool]]:
    """Sentences; code blocks whole, marked True; tables whole."""
    pieces: list[tuple[str, bool]] = []
    block: list[str] = []
    fenced = False
    for line in [*text.splitlines(), ""]:
        fence = bool(_FENCE.match(line))
        if fenced or fence:
            block.append(line)
            if fence and fenced:
                pieces.append(("\n".join(block), True))
                block = []
            fenced ^= fence
        elif line.lstrip().startswith("|"):
            block.append(line)
        else:
            if block:
                pieces.append(("\n".join(block), False))
                block = []
            pieces += [(sentence, False) for sentence in _sentences(line)]
    if block:
        pieces.append(("\n".join(block), fenced))
    return pieces


def _sentences(line: str) -> list[str]:
    """Sentences of a line, each with the citation marks that follow its full stop."""
    return _SENTENCE_END.sub(r"\g<1>" + "\n", _LIST_NUMBER.sub("", line.strip())).splitlines()
