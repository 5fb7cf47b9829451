"""Plain text: paragraphs between empty lines."""

from __future__ import annotations

import re

from citebot.model import Block

_GAP = re.compile(r"\n[ \t]*\n")


def text_blocks(text: str) -> list[Block]:
    """One paragraph per run of lines."""
    pieces = (piece.strip() for piece in _GAP.split(text))
    return [Block("paragraph", piece) for piece in pieces if piece]
