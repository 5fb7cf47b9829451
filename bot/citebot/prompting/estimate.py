"""How many tokens a text has at most, whoever counts them."""

from __future__ import annotations

import re
from math import ceil

_PIECE = re.compile(
    r"(?P<word>[A-Z]?[a-z]+)|(?P<capitals>[A-Z]+)|(?P<frequent>[\u00c0-\u00ff\u0400-\u045f])"
    r"|(?P<double>[\u2010-\u2027\u3000-\u30ff\u4e00-\u9fff\uac00-\ud7a3\uff00-\uffef])|(?P<blank> )|(?P<other>.)",
    re.DOTALL,
)
_HARD = re.compile(r"(?=[aeiouy]{2}|[^aeiouy]{2})")
"""Two vowels or two consonants in a row: a tokenizer may cut between them, in what is no word it nearly always does."""


def tokens(text: str) -> int:
    """An upper estimate, for prose of any script, code, tables and keys alike; English has about two thirds of it."""
    return ceil(sum(_most(match.lastgroup, match.group()) for match in _PIECE.finditer(text))) + bool(text)


def _most(kind: str | None, piece: str) -> float:
    if kind == "word":
        return max(1 + len(_HARD.findall(piece.lower())), len(piece) / 3)
    if kind == "capitals":
        return max(1.0, len(piece) / 1.4)
    if kind == "blank":
        return 0.25
    if kind == "frequent":
        return 1.0
    return 2.0 if kind == "double" else float(len(piece.encode(errors="replace")))
