"""Cuts a long text into messages: between paragraphs, else lines, else words; a cut code block stays one in each."""

from __future__ import annotations

import re

_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})[^\n`]{0,100}$", re.MULTILINE)
_BREAKS = ("\n\n", "\n", " ")
SMALLEST = 40
"""Characters of a message below which no fence is opened again."""


def split(text: str, limit: int) -> list[str]:
    """The text in pieces of at most `limit` characters, at least one; joined they lose only white space at the cuts."""
    pieces: list[str] = []
    rest = text
    while len(rest) > limit:
        opener = _open_fence(rest[:limit])
        room = limit - (len(opener.marker) + 1 if opener else 0)
        at = _cut(rest, room)
        opener = _open_fence(rest[:at])
        head, rest = rest[:at].rstrip(), rest[at:].lstrip("\n")
        if opener and limit > SMALLEST + 2 * len(opener.line):
            head, rest = f"{head}\n{opener.marker}", f"{opener.line}\n{rest}"
        pieces.append(head)
    return [*pieces, rest] if rest.strip() or not pieces else pieces


class _Opener:
    def __init__(self, line: str, marker: str) -> None:
        self.line = line
        self.marker = marker


def _open_fence(text: str) -> _Opener | None:
    """The fence that is still open at the end of a text."""
    opener: _Opener | None = None
    for found in _FENCE.finditer(text):
        if opener is None:
            opener = _Opener(found[0].strip(), found[1])
        elif found[1].startswith(opener.marker) and found[0].strip() == found[1]:
            opener = None
    return opener


def _cut(text: str, room: int) -> int:
    """Where to cut: the last break of the best kind that leaves the piece at least half full."""
    for mark in _BREAKS:
        at = text.rfind(mark, room // 2, room)
        if at > 0:
            return at + len(mark) if mark == " " else at
    return room
