"""What each format becomes, to the letter. To accept new output, run this file with CITEBOT_GOLDEN=write."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from citebot.ingest.chunking import make_chunks
from citebot.ingest.parsing import Parser
from citebot.model import Block, Chunk, Document, DocumentFormat, Readers
from citebot.settings import IngestSettings

GOLDEN = Path(__file__).parent / "golden"
FILES: dict[str, DocumentFormat] = {
    "page.md": "markdown",
    "page.html": "html",
    "notes.txt": "text",
    "page.pdf": "pdf",
    "page.docx": "docx",
    "page.storage": "storage",
    "page.adf": "adf",
    "page.mediawiki": "mediawiki",
    "page.textile": "textile",
}


@pytest.fixture(scope="module")
def parser() -> Iterator[Parser]:
    parser = Parser(IngestSettings())
    yield parser
    parser.close()


@pytest.mark.parametrize("name", FILES)
def test_golden(name: str, parser: Parser) -> None:
    data = (GOLDEN / name).read_bytes()
    kind = FILES[name]
    body = data if kind in ("pdf", "docx") else data.decode()
    document = Document(name, "Golden", body, Readers.everyone(), format=kind)
    blocks = parser.blocks(document)
    found = "\n".join([*map(_block, blocks), "=" * 20, *map(_chunk, make_chunks(document, blocks, minimum=20))]) + "\n"
    expected = GOLDEN / f"{name}.expected"
    if os.environ.get("CITEBOT_GOLDEN") == "write":
        expected.write_text(found, "utf-8")
    assert found == expected.read_text("utf-8")


def _block(block: Block) -> str:
    facts = [block.kind + (str(block.level) if block.kind in ("heading", "list_item") else "")]
    facts += [f"#{block.anchor}"] if block.anchor else []
    facts += [block.language] if block.language else []
    return f"{' '.join(facts)}: {block.text!r}"


def _chunk(chunk: Chunk) -> str:
    return f"--- {' › '.join(chunk.headings)} #{chunk.anchor} ({chunk.kind})\n{chunk.text}"
