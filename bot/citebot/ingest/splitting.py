"""Blocks larger than a chunk: code at empty lines, tables by rows under their header, text at sentences."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Iterator

from citebot.ingest.tokens import estimate
from citebot.model import Block

_SENTENCE_END = re.compile(r"(?<=[.!?…])[\"'”’»)\]]*\s+|(?<=[。！？])|\n+")
_EMPTY_LINE = re.compile(r"^[^\S\n]*\n", re.MULTILINE)
_WORD = re.compile(r"\S+\s*|\s+")


def split_block(block: Block, tokens: int, *, target: int, most: int) -> Iterator[Block]:
    """Pieces of about `target` tokens of a block that has `tokens`; code and tables are whole up to `most`."""
    if tokens <= (most if block.kind in ("code", "table") else target):
        yield block
        return
    if block.kind == "code":
        pieces = _code(block.text, target)
    elif block.kind == "table":
        pieces = _table(block.text, target)
    else:
        pieces = _prose(block.text, target)
    for piece in pieces:
        yield dataclasses.replace(block, text=piece)


def _prose(text: str, target: int) -> Iterator[str]:
    ends = [match.end() for match in _SENTENCE_END.finditer(text)]
    sentences = [text[start:end] for start, end in zip([0, *ends], [*ends, len(text)], strict=True)]
    for piece in _packed(_cut(sentences, target), target):
        yield piece.strip()


def _code(text: str, target: int) -> Iterator[str]:
    # A wall of code without empty lines is cut at lines.
    fitting = (
        piece
        for paragraph in _paragraphs(f"{text}\n")
        for piece in ([paragraph] if estimate(paragraph) <= target else paragraph.splitlines(keepends=True))
    )
    for piece in _packed(_cut(fitting, target), target):
        yield piece.strip("\n")


def _paragraphs(code: str) -> Iterator[str]:
    """Runs of lines, each up to and with an empty one."""
    ends = [match.end() for match in _EMPTY_LINE.finditer(code)]
    for start, end in zip([0, *ends], [*ends, len(code)], strict=True):
        yield code[start:end]


def _table(text: str, target: int) -> Iterator[str]:
    header, *rows = text.split("\n")
    size = estimate(header)
    if size > target // 2:
        # No table people read: whatever lays out a page this way is running text.
        yield from _prose(text, target)
        return
    for part in _packed(_cut((f"{row}\n" for row in rows), target - size), target - size):
        yield f"{header}\n{part.strip()}"


def _packed(pieces: Iterable[str], target: int) -> Iterator[str]:
    """Pieces joined as far as `target` goes; blank results are left out."""
    held: list[str] = []
    size = 0
    for piece in pieces:
        tokens = estimate(piece)
        if held and size + tokens > target:
            if joined := "".join(held).strip("\n"):
                yield joined
            held, size = [], 0
        held.append(piece)
        size += tokens
    if joined := "".join(held).strip("\n"):
        yield joined


def _cut(pieces: Iterable[str], target: int) -> Iterator[str]:
    """The pieces, those above `target` cut at spaces, and where there is none (base64, Chinese), anywhere."""
    for piece in pieces:
        size = estimate(piece)
        if size <= target:
            yield piece
            continue
        for word in _WORD.findall(piece):
            tokens = estimate(word)
            step = len(word) if tokens <= target else max(1, len(word) * target // (tokens + target))
            yield from (word[at : at + step] for at in range(0, len(word), step))
