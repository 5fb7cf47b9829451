"""Plain text: paragraphs between empty lines."""

from __future__ import annotations

import re
from itertools import chain

from citebot.model import Block

_GAP = re.compile(r"\n[ \t\n]*\n")


def text_blocks(text: str, line_anchor: str = "") -> list[Block]:
    """One paragraph per run of lines, with an anchor at its first line where `line_anchor` (as `L{line}`) is given."""
    blocks: list[Block] = []
    line, at = 1, 0
    for end, after in chain((gap.span() for gap in _GAP.finditer(text)), [(len(text), len(text))]):
        piece = text[at:end]
        if words := piece.strip():
            first = line + piece[: piece.index(words)].count("\n")
            blocks.append(Block("paragraph", words, anchor=line_anchor.format(line=first)))
        line += text.count("\n", at, after)
        at = after
    return blocks
