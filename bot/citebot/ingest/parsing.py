"""Turns a document's body into blocks: small Markdown and text here, all else in a child process with limits."""

from __future__ import annotations

from dataclasses import replace

from citebot.errors import SkipDocument
from citebot.ingest.blocks.cleaning import clean
from citebot.ingest.blocks.markdown import markdown_blocks
from citebot.ingest.blocks.text import text_blocks
from citebot.ingest.child import ParserChild
from citebot.ingest.parser_child import MAX_BLOCKS, MAX_CHARACTERS
from citebot.model import Block, Document, DocumentFormat, Part
from citebot.settings import IngestSettings

RISKY: frozenset[str] = frozenset({"html", "pdf", "docx", "storage", "adf", "mediawiki", "textile"})
SMALL = 50_000
"""Characters of Markdown and text, comments and all, that are parsed here; hostile ones of this size cost seconds."""
LONGEST_ANCHOR = 1_000
"""Characters; what is longer leads nowhere."""
LONGEST_LANGUAGE = 40
"""Characters of the name that is written beside code."""


class Parser:
    """Parses one document at a time."""

    def __init__(self, settings: IngestSettings) -> None:
        self._settings = settings
        self._child = ParserChild(memory_mb=settings.parse_memory_mb, seconds=settings.parse_seconds)

    def blocks(self, document: Document) -> list[Block]:
        """Facts, body, and then every part; raises `SkipDocument` with one clear line."""
        self._child.begin()
        small = sum(len(body) for body in (document.body, *(part.body for part in document.parts))) <= SMALL
        found = _facts(document) + self._parse(document, document.body, document.format, small=small)
        for number, part in enumerate(document.parts):
            inside = self._parse(document, part.body, part.format, small=small)
            if inside:
                found += _of_part(_stamp(part), inside, part, number)
        characters = sum(len(block.text) for block in found)
        if characters > MAX_CHARACTERS or len(found) > MAX_BLOCKS:
            raise SkipDocument(
                f"{document.id} has {characters:,} characters of text in {len(found):,} paragraphs; "
                f"{MAX_CHARACTERS:,} and {MAX_BLOCKS:,} are the most.",
                document=document.id,
            )
        return list(map(_bounded, found))

    def close(self) -> None:
        """End the child."""
        self._child.close()

    def _parse(self, document: Document, body: str | bytes, kind: DocumentFormat, *, small: bool) -> list[Block]:
        if len(body) > self._settings.max_document_bytes:
            raise SkipDocument(
                f"{document.id} has {len(body):,} bytes; ingest.max_document_bytes allows "
                f"{self._settings.max_document_bytes:,}.",
                document=document.id,
            )
        if kind in RISKY or not small:
            data = body.encode("utf-8", "replace") if isinstance(body, str) else body
            anchor = document.line_anchor if kind == "text" else ""
            return self._child.parse(document.id, data, kind, line_anchor=anchor)
        text = clean(body if isinstance(body, str) else body.decode("utf-8", "replace"))
        return text_blocks(text, document.line_anchor) if kind == "text" else markdown_blocks(text)


def _bounded(block: Block) -> Block:
    if len(block.anchor) <= LONGEST_ANCHOR and len(block.language) <= LONGEST_LANGUAGE:
        return block
    anchor = block.anchor if len(block.anchor) <= LONGEST_ANCHOR else ""
    return replace(block, anchor=anchor, language=block.language[:LONGEST_LANGUAGE])


def _facts(document: Document) -> list[Block]:
    """What a ticket is asked for by: its key and its fields."""
    facts = [document.id] if document.kind == "ticket" else []
    facts += [f"{name}: {value}" for name, value in document.fields.items() if value]
    return [Block("paragraph", clean(" · ".join(facts)))] if facts else []


def _stamp(part: Part) -> list[Block]:
    said = ", ".join(filter(None, (clean(part.author), f"{part.created:%Y-%m-%d}" if part.created else "")))
    return [Block("paragraph", f"{said}:")] if said else []


def _of_part(stamp: list[Block], inside: list[Block], part: Part, number: int) -> list[Block]:
    """A comment's headings are no sections of the page: they stay as text."""
    return [
        Block(
            "paragraph" if block.kind == "heading" else block.kind,
            block.text,
            level=0 if block.kind == "heading" else block.level,
            anchor=part.anchor,
            language=block.language,
            part=number,
        )
        for block in [*stamp, *inside]
    ]
