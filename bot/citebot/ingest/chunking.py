"""From blocks to chunks of about 350 tokens.

A heading travels with its first content and its path is kept apart from the body; code stays whole where it fits; a
table that must be split repeats its header, a nested list item its parents, a comment its author; small sections of
one parent join. No overlap: measurements on retrieval give it no consistent gain (arXiv 2410.13070).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from citebot.ingest.splitting import split_block
from citebot.ingest.tokens import estimate
from citebot.model import Block, BlockKind, Chunk, Document, Readers

HARD_MAX = 512
"""Most tokens of a chunk: what small encoders take."""
LEAD_IN = 60
"""Most tokens of what is repeated or carried along when a chunk is cut, such as "You need:" before a list."""
LONGEST_HEADING = 300
"""Characters; what is longer is text that somebody set in large letters."""
LABEL = 100
"""Most characters of the headings of joined sections, written as "Sick leave · Parental leave"."""
DEEPEST = 10
"""Levels by which a nested item is indented."""
SEPARATOR = " · "


@dataclass(slots=True)
class _Draft:
    """A chunk being filled. Without blocks it stands for a heading that nothing follows."""

    headings: tuple[str, ...]
    anchor: str
    blocks: list[Block] = field(default_factory=list)
    tokens: int = 0

    def add(self, block: Block, tokens: int) -> None:
        if block.anchor and not self.blocks:
            self.anchor = block.anchor
        self.blocks.append(block)
        self.tokens += tokens


def make_chunks(document: Document, blocks: Sequence[Block], *, target: int = 350, minimum: int = 80) -> list[Chunk]:
    """Chunks of a document in reading order; what only some may read is never mixed with the rest."""
    chunks: list[Chunk] = []
    target = min(target, HARD_MAX)
    for readers, run in groupby(blocks, key=lambda block: _readers(document, block)):
        drafts = _Cutter(document.title, target).drafts(run)
        chunks += [_chunk(draft, readers) for draft in _merged(drafts, target, minimum)]
    return chunks


class _Cutter:
    """Fills drafts with the blocks of one run of equal readers."""

    def __init__(self, title: str, target: int) -> None:
        self._title = title
        self._target = target
        self._done: list[_Draft] = []
        self._draft = _Draft((), "")
        self._path: list[tuple[int, str]] = []
        self._parents: list[Block] = []
        """The list items above the one being read."""
        self._stamp: Block | None = None
        """Author and date of the comment being read."""
        self._part: int | None = None

    def drafts(self, blocks: Iterable[Block]) -> list[_Draft]:
        for block in blocks:
            if block.part != self._part:
                self._enter_part(block)
            if block.kind == "heading" and len(block.text) <= LONGEST_HEADING:
                self._heading(block)
            else:
                self._content(block)
        self._close()
        return self._done

    def _enter_part(self, block: Block) -> None:
        """Comments have no place under the headings of the body."""
        if self._part is None:
            self._close()
            self._path, self._draft = [], _Draft((), block.anchor)
        self._part = block.part
        self._stamp = block if _leads_in(block) else None
        self._parents = []

    def _heading(self, block: Block) -> None:
        above = self._path[-1][0] if self._path else 0
        self._close(leaf=block.level <= above)
        self._path = [entry for entry in self._path if entry[0] < block.level]
        self._path.append((block.level, block.text))
        self._draft = _Draft(tuple(text for _, text in self._path if text != self._title), block.anchor)
        self._parents = []

    def _content(self, block: Block) -> None:
        size = estimate(block.text)
        if size <= self._target:
            self._place(block, size)
        else:
            for piece in split_block(block, size, target=self._target, most=HARD_MAX):
                self._place(piece, estimate(piece.text))
        if block.kind == "list_item":
            self._parents = [*self._parents[: block.level], block]
        elif block.kind != "code":
            self._parents = []

    def _place(self, block: Block, tokens: int) -> None:
        # A nested item stays with the item above it, as far as the hard limit goes.
        limit = HARD_MAX if block.kind == "list_item" and block.level else self._target
        if self._draft.blocks and self._draft.tokens + tokens > limit:
            self._cut(block, tokens)
        self._draft.add(block, tokens)

    def _cut(self, following: Block, tokens: int) -> None:
        """End the draft and begin the next with what the following block cannot be understood without."""
        full = self._draft
        carried: list[Block] = []
        if len(full.blocks) > 1 and _leads_in(full.blocks[-1]):
            carried = [full.blocks.pop()]
            full.tokens -= estimate(carried[0].text)
        elif self._stamp is not None and following is not self._stamp:
            carried = [self._stamp]
        if following.kind == "list_item":
            carried += [parent for parent in self._parents[: following.level] if estimate(parent.text) <= LEAD_IN]
        self._done.append(full)
        self._draft = _Draft(full.headings, full.anchor)
        # Long lists of parents, again with every item, would make a hundred pages of one.
        room = min(HARD_MAX - tokens, self._target // 2)
        for block in carried:
            size = estimate(block.text)
            if self._draft.tokens + size <= room:
                self._draft.add(block, size)

    def _close(self, *, leaf: bool = True) -> None:
        if self._draft.blocks or (leaf and self._draft.headings):
            self._done.append(self._draft)
        elif leaf and self._path and not self._done:
            # A page that holds nothing but its title is still found by it.
            self._done.append(_Draft((self._path[-1][1],), self._draft.anchor))


def _leads_in(block: Block) -> bool:
    return block.kind == "paragraph" and block.text.endswith(":") and estimate(block.text) <= LEAD_IN


def _merged(drafts: Sequence[_Draft], target: int, minimum: int) -> list[_Draft]:
    """Join drafts below the minimum with their neighbour under the same parent heading."""
    merged: list[_Draft] = []
    first: tuple[str, ...] = ()
    """Path of the last draft before others joined it."""
    for draft in drafts:
        if merged and _joins(merged[-1], first, draft, target, minimum):
            _join(merged[-1], first, draft)
        else:
            merged.append(draft)
            first = draft.headings
    return merged


def _joins(last: _Draft, first: tuple[str, ...], draft: _Draft, target: int, minimum: int) -> bool:
    if min(last.tokens, draft.tokens) >= minimum:
        return False
    # The rest of a cut section goes back to it; other sections join only within the target.
    most = HARD_MAX if first == draft.headings else target
    if last.tokens + draft.tokens > most:
        return False
    siblings = len(first) == len(draft.headings) and first[:-1] == draft.headings[:-1]
    return siblings or first == draft.headings[: len(first)]


def _join(last: _Draft, first: tuple[str, ...], draft: _Draft) -> None:
    """Add a draft to one whose path was `first`: the path then names both, the body says where it begins."""
    if draft.headings != first:
        last.add(Block("paragraph", draft.headings[-1]), estimate(draft.headings[-1]))
        inside = first == draft.headings[: len(first)]
        base = len(first) if inside else len(first) - 1
        last.headings = (*last.headings[:base], _label(last.headings[base:], draft.headings[base]))
    for block in draft.blocks:
        last.add(block, 0)
    last.tokens += draft.tokens


def _label(before: tuple[str, ...], name: str) -> str:
    if not before:
        return name
    names = before[0].split(SEPARATOR)
    joined = SEPARATOR.join([*names, name])
    return before[0] if name in names or len(joined) > LABEL else joined


def _readers(document: Document, block: Block) -> Readers:
    part = document.parts[block.part] if block.part is not None else None
    if part is None or part.readers is None or not document.readers.principals:
        # A document that nobody may read has no comment that somebody may.
        return document.readers
    return part.readers


def _chunk(draft: _Draft, readers: Readers) -> Chunk:
    text = _text(draft.blocks) if draft.blocks else draft.headings[-1]
    digest = hashlib.sha256("\x1f".join([*draft.headings, "", text]).encode("utf-8", "replace")).hexdigest()
    kinds = {block.kind for block in draft.blocks}
    kind: BlockKind = "paragraph"
    if len(kinds) == 1:
        kind = "code" if "code" in kinds else "table" if "table" in kinds else "paragraph"
    return Chunk(text, draft.headings, draft.anchor, kind, readers, digest)


def _text(blocks: Sequence[Block]) -> str:
    lines: list[str] = []
    before: Block | None = None
    for block in blocks:
        if before is not None:
            lines.append("\n" if before.kind == block.kind == "list_item" else "\n\n")
        lines.append(_written(block))
        before = block
    return "".join(lines).strip("\n")


def _written(block: Block) -> str:
    if block.kind == "code":
        fence = "````" if "```" in block.text else "```"
        return f"{fence}{block.language}\n{block.text}\n{fence}"
    if block.kind == "list_item":
        return "  " * min(block.level, DEEPEST) + block.text
    if block.kind == "quote":
        return "\n".join(f"> {line}" for line in block.text.split("\n"))
    return block.text
