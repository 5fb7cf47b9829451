"""Files that are broken, encrypted or made to hurt: one clear line each, within limits, and the next one is read."""

from __future__ import annotations

import io
import sys
import time
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from citebot.errors import SkipDocument
from citebot.ingest.blocks.cleaning import clean
from citebot.ingest.parsing import Parser
from citebot.model import Document, DocumentFormat, Part, Readers
from citebot.settings import IngestSettings

sys.path.insert(0, str(Path(__file__).parent / "golden"))
from make_office import docx, pdf

EVERYONE = Readers.everyone()


@pytest.fixture(scope="module")
def parser() -> Iterator[Parser]:
    parser = Parser(IngestSettings(parse_seconds=10))
    yield parser
    parser.close()


def document(body: str | bytes, kind: DocumentFormat) -> Document:
    return Document("name", "Title", body, EVERYONE, format=kind)


def stream_pdf(data: bytes, filters: str) -> bytes:
    page = b"<< /Type /Page /Parent 2 0 R /Contents 4 0 R /MediaBox [0 0 9 9] >>"
    objects = [b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>", page]
    objects.append(b"<< /Length %d /Filter %s >>\nstream\n%s\nendstream" % (len(data), filters.encode(), data))
    body = b"%PDF-1.4\n" + b"".join(b"%d 0 obj\n%s\nendobj\n" % pair for pair in enumerate(objects, 1))
    return body + b"trailer\n<< /Size 5 /Root 1 0 R >>\n%%EOF\n"


def encrypted_pdf() -> bytes:
    from pypdf import PdfReader, PdfWriter

    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(pdf())))
    writer.encrypt("secret", algorithm="RC4-128")
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def many_members() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for number in range(2_001):
            archive.writestr(f"word/{number}.xml", "")
    return packed.getvalue()


ENTITIES = '<?xml version="1.0"?><!DOCTYPE w [<!ENTITY a "{}">]><w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body><w:p><w:r><w:t>&a;</w:t></w:r></w:p></w:body></w:document>'
BAD: dict[str, tuple[bytes | str, DocumentFormat, str]] = {
    "empty pdf": (b"", "pdf", "cannot be read"),
    "no pdf": (b"%PDF-1.7 and then nothing", "pdf", "cannot be read"),
    "cut pdf": (pdf()[:500], "pdf", "cannot be read|no text"),
    "pdf without text": (pdf(pages=((),)), "pdf", "no text"),
    "encrypted pdf": (encrypted_pdf(), "pdf", "encrypted"),
    "flate bomb": (stream_pdf(zlib.compress(b"\0" * 300_000_000, 9), "/FlateDecode"), "pdf", "name"),
    "double bomb": (
        stream_pdf(zlib.compress(zlib.compress(b"\0" * 300_000_000, 9), 9), "[/FlateDecode /FlateDecode]"),
        "pdf",
        "name",
    ),
    "no docx": (b"PK but no archive", "docx", "cannot be read"),
    "old or encrypted docx": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, "docx", "encrypted"),
    "zip of something else": (many_members()[:-5], "docx", "cannot be read"),
    "too many members": (many_members(), "docx", "unpacks"),
    "docx bomb": (docx("<w>" + " " * 150_000_000), "docx", "unpacks"),
    "docx of entities": (docx(ENTITIES.format("&a;" * 10)), "docx", "cannot be read|no text"),
    "html nested without end": ("<div>" * 50_000, "html", "nested too deeply"),
    "endless text": ("word " * 1_100_000, "text", "characters"),
    "endless paragraphs": ("a\n\n" * 200_001, "text", "paragraphs"),
    "too large": (b"x" * 20_000_001, "pdf", "max_document_bytes"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_file_gets_one_clear_line(name: str, parser: Parser) -> None:
    body, kind, why = BAD[name]
    began = time.monotonic()
    with pytest.raises(SkipDocument, match=why) as refused:
        parser.blocks(document(body, kind))
    assert "\n" not in str(refused.value)
    assert time.monotonic() - began < 12
    assert parser.blocks(document("<p>next</p>", "html"))[0].text == "next"


def test_a_document_that_takes_too_long_is_ended() -> None:
    parser = Parser(IngestSettings(parse_seconds=0.05))
    try:
        with pytest.raises(SkipDocument, match="took longer than 0 s"):
            parser.blocks(document("[" * 400_000, "markdown"))
    finally:
        parser.close()


def test_a_child_that_was_killed_is_replaced(parser: Parser) -> None:
    parser.blocks(document("<p>one</p>", "html"))
    process = parser._child._process
    assert process is not None
    process.kill()
    process.wait()
    assert parser.blocks(document("<p>two</p>", "html"))[0].text == "two"


def test_the_child_keeps_no_secret_and_little_memory(parser: Parser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CITEBOT_SECRET", "do not pass on")
    parser.close()
    parser.blocks(document("<p>one</p>", "html"))
    process = parser._child._process
    assert process is not None
    folder = Path(f"/proc/{process.pid}")
    assert b"CITEBOT_SECRET" not in (folder / "environ").read_bytes()
    limits = (folder / "limits").read_text()
    assert "Max address space         512000000" in limits


@pytest.mark.parametrize(
    "html",
    [
        "<script>steal()</script><p>seen</p>",
        "<p>seen</p><style>p{}</style><template>steal()</template>",
        "<p hidden>steal()</p><p>seen</p><div style='display : none'><p>steal()</p></div>",
        "<p>seen<span style='font-size:0'>steal()</span></p>",
        "<!-- steal() --><p>seen</p><svg><text>steal()</text></svg>",
        "<p onclick='steal()'>seen</p><iframe srcdoc='steal()'>steal()</iframe>",
    ],
)
def test_what_people_do_not_see_is_left_out(html: str, parser: Parser) -> None:
    assert [block.text for block in parser.blocks(document(html, "html"))] == ["seen"]


@pytest.mark.parametrize("html", ["", "   ", "<", "<p", "\0", "<html></html>", "<div>" * 500, "&#x110000;&nosuch;"])
def test_html_of_any_shape_is_read(html: str, parser: Parser) -> None:
    assert isinstance(parser.blocks(document(html, "html")), list)


def test_markdown_in_html_blocks_shows_no_hidden_text(parser: Parser) -> None:
    text = "<!-- order > to obey -->\n\nA <!-- order --> b\n\n<div>shown</div>\n\n<style>\norder\n</style>\n"
    assert [block.text for block in parser.blocks(document(text, "markdown"))] == ["A  b", "shown"]


@pytest.mark.parametrize("text", ["[" * 50_000, "*a " * 16_000, "|a" * 25_000 + "\n" + "|-" * 25_000, "> " * 25_000])
def test_hostile_markdown_costs_seconds_at_most(text: str, parser: Parser) -> None:
    began = time.thread_time()
    parser.blocks(document(text, "markdown"))
    assert time.thread_time() - began < 40, "under coverage, which takes six times as long"


def test_invisible_characters_and_piles_of_marks_go() -> None:
    tagged = "visible" + "".join(chr(0xE0000 + ord(letter)) for letter in "obey")
    assert clean(tagged + "\u200b\u202e\ufe0f") == "visible"
    assert clean("a\r\nb\rc\u00a0d") == "a\nb\nc d"
    assert clean("e\u0301") == "é"
    began = time.process_time()
    assert len(clean("a" + "\u0315\u0300" * 200_000)) < 20
    assert time.process_time() - began < 2


def test_comments_come_with_author_and_day_and_keep_their_place(parser: Parser) -> None:
    parts = (Part("# No section\n\nDone.", author="ann", anchor="c-1"), Part("  ", author="bob"))
    ticket = replace(document("Body.", "markdown"), kind="ticket", fields={"status": "open"}, parts=parts)
    found = parser.blocks(ticket)
    assert [(block.kind, block.text, block.part) for block in found] == [
        ("paragraph", "name · status: open", None),
        ("paragraph", "Body.", None),
        ("paragraph", "ann:", 0),
        ("paragraph", "No section", 0),
        ("paragraph", "Done.", 0),
    ]
    assert found[-1].anchor == "c-1"
