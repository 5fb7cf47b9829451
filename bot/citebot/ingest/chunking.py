"""From blocks to chunks of about 350 tokens.

A heading travels with its first content and its path is kept apart from the body; code stays whole where it fits; a
table that must be split repeats its header; a list item is not cut from its parent; small sections of one parent join.
No overlap: measurements on retrieval give it no consistent gain (arXiv 2410.13070).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from citebot.ingest.splitting import split_block
from citebot.ingest.tokens import estimate
from citebot.model import Block, BlockKind, Chunk, Document, Readers

HARD_MAX = 512
"""Most tokens of a chunk: what small encoders take."""


@dataclass(slots=True)
class _Draft:
    """A chunk being filled."""

    headings: tuple[str, ...]
    anchor: str
    readers: Readers
    blocks: list[Block] = field(default_factory=list)
    tokens: int = 0

    def add(self, block: Block, tokens: int) -> None:
        self.blocks.append(block)
        self.tokens += tokens


def make_chunks(document: Document, blocks: Sequence[Block], *, target: int = 350, minimum: int = 80) -> list[Chunk]:
    """Chunks of a document in reading order; what only some may read is never mixed with the rest."""
    drafts: list[_Draft] = []
    for readers, run in groupby(blocks, key=lambda block: _readers(document, block)):
        drafts += _merged(list(_drafts(document, list(run), readers, target)), target, minimum)
    return [_chunk(draft) for draft in drafts]


def _drafts(document: Document, blocks: Sequence[Block], readers: Readers, target: int) -> Iterator[_Draft]:
    path: list[tuple[int, str, str]] = []
    draft = _Draft((), "", readers)
    for block in blocks:
        if block.kind == "heading":
            if draft.blocks:
                yield draft
            path = [entry for entry in path if entry[0] < block.level]
            path.append((block.level, block.text, block.anchor))
            draft = _Draft(tuple(text for _, text, _ in path if text != document.title), block.anchor, readers)
            continue
        for piece in split_block(block, HARD_MAX, target):
            tokens = estimate(piece.text)
            # A nested item stays with the item above it, as far as the hard limit goes.
            limit = HARD_MAX if piece.kind == "list_item" and piece.level else target
            if draft.blocks and draft.tokens + tokens > limit:
                yield draft
                draft = _Draft(draft.headings, draft.anchor, readers)
            if piece.anchor and not draft.blocks:
                draft.anchor = piece.anchor
            draft.add(piece, tokens)
    if draft.blocks:
        yield draft
    elif path and not any(block.kind != "heading" for block in blocks):
        # A page of headings alone is still found by them.
        draft.add(Block("paragraph", path[-1][1]), estimate(path[-1][1]))
        yield draft


def _merged(drafts: Sequence[_Draft], target: int, minimum: int) -> list[_Draft]:
    """Join drafts below the minimum with their neighbour under the same parent heading."""
    merged: list[_Draft] = []
    for draft in drafts:
        last = merged[-1] if merged else None
        if last and _joins(last, draft, target, minimum):
            same = last.headings == draft.headings
            if not same and draft.headings:
                last.add(Block("paragraph", draft.headings[-1]), estimate(draft.headings[-1]))
            for block in draft.blocks:
                last.add(block, estimate(block.text))
        else:
            merged.append(draft)
    return merged


def _joins(last: _Draft, draft: _Draft, target: int, minimum: int) -> bool:
    if min(last.tokens, draft.tokens) >= minimum or last.tokens + draft.tokens > target:
        return False
    return last.headings == draft.headings[: len(last.headings)] or last.headings[:-1] == draft.headings[:-1]


def _readers(document: Document, block: Block) -> Readers:
    part = document.parts[block.part] if block.part is not None else None
    return part.readers if part is not None and part.readers is not None else document.readers


def _chunk(draft: _Draft) -> Chunk:
    text = _text(draft.blocks)
    digest = hashlib.sha256("\x1f".join([*draft.headings, "", text]).encode()).hexdigest()
    kinds = {block.kind for block in draft.blocks}
    kind: BlockKind = "paragraph"
    if len(kinds) == 1:
        kind = "code" if "code" in kinds else "table" if "table" in kinds else "paragraph"
    return Chunk(draft_text(text), draft.headings, draft.anchor, kind, draft.readers, digest)


def draft_text(text: str) -> str:
    """The body as stored."""
    return text.strip("\n")


def _text(blocks: Sequence[Block]) -> str:
    lines: list[str] = []
    before: Block | None = None
    for block in blocks:
        if before is not None:
            lines.append("\n" if before.kind == block.kind == "list_item" else "\n\n")
        lines.append(_written(block))
        before = block
    return "".join(lines)


def _written(block: Block) -> str:
    if block.kind == "code":
        return f"```{block.language}\n{block.text}\n```"
    if block.kind == "list_item":
        return "  " * block.level + block.text
    if block.kind == "quote":
        return "\n".join(f"> {line}" for line in block.text.split("\n"))
    return block.text
