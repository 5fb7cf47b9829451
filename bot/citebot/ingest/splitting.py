"""Blocks larger than a chunk: code at empty lines, tables by rows under their header, text at sentences."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator

from citebot.ingest.tokens import estimate
from citebot.model import Block

_SENTENCE_END = re.compile(r"(?<=[.!?。！？])\s+")


def split_block(block: Block, most: int, target: int) -> Iterator[Block]:
    """The block itself if it has at most `most` tokens, else pieces of about `target`."""
    if estimate(block.text) <= (most if block.kind in ("code", "table") else target):
        yield block
        return
    pieces = {"code": _code, "table": _table}.get(block.kind, _prose)(block.text, target)
    for piece in pieces:
        yield dataclasses.replace(block, text=piece)


def _code(text: str, target: int) -> Iterator[str]:
    for part in _packed(re.split(r"\n\s*\n", text), "\n\n", target):
        # A wall of code without empty lines is cut at lines.
        yield from _packed(part.split("\n"), "\n", target) if estimate(part) > target else (part,)


def _table(text: str, target: int) -> Iterator[str]:
    header, *rows = text.split("\n")
    room = max(20, target - estimate(header))
    for part in _packed(rows, "\n", room):
        yield f"{header}\n{part}"


def _prose(text: str, target: int) -> Iterator[str]:
    for part in _packed(_SENTENCE_END.split(text), " ", target):
        if estimate(part) <= target * 2:
            yield part
        else:
            yield from _packed(_bounded(part.split(), target), " ", target)


def _packed(pieces: list[str], glue: str, target: int) -> Iterator[str]:
    held: list[str] = []
    size = 0
    for piece in pieces:
        tokens = estimate(piece)
        if held and size + tokens > target:
            yield glue.join(held)
            held, size = [], 0
        held.append(piece)
        size += tokens
    if held:
        yield glue.join(held)


def _bounded(words: list[str], target: int) -> list[str]:
    """Words cut to what fits: a line of base64 is one word."""
    longest = target * 4
    cut: Callable[[str], list[str]] = lambda word: [word[at : at + longest] for at in range(0, len(word), longest)]  # noqa: E731
    return [piece for word in words for piece in (cut(word) if len(word) > longest else [word])]
