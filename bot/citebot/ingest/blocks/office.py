"""PDF and DOCX: run in the parser's child process only, for these formats are programs for somebody else's machine."""

from __future__ import annotations

import io
import re
import zipfile

from citebot.errors import SkipDocument
from citebot.ingest.blocks.html import html_blocks
from citebot.ingest.blocks.text import text_blocks
from citebot.model import Block

MAX_MEMBERS = 2_000
MAX_RATIO = 100
MAX_UNPACKED = 200_000_000
MAX_PAGES = 5_000
_HYPHENATED = re.compile(r"(?<=[^\W\d_])-[ \t]*\n[ \t]*(?=[^\W\d_A-Z])")
_WRAPPED = re.compile(r"(?<=[^\W_,;])[ \t]*\n[ \t]*(?=[^\W\d_A-Z])|(?<=[,;])[ \t]*\n[ \t]*(?=\S)")


def pdf_blocks(data: bytes) -> list[Block]:
    """Text page by page; each page begins with a heading that is also the anchor browsers understand."""
    from pypdf import PdfReader
    from pypdf.errors import PyPdfError

    try:
        reader = PdfReader(io.BytesIO(data))
        if reader.is_encrypted and not reader.decrypt(""):
            raise SkipDocument("The PDF is encrypted; store it without a password.", document="")
        if len(reader.pages) > MAX_PAGES:
            raise SkipDocument(f"The PDF has more than {MAX_PAGES} pages.", document="")
        blocks: list[Block] = []
        for number, page in enumerate(reader.pages, 1):
            paragraphs = text_blocks(unwrapped(page.extract_text()))
            if paragraphs:
                blocks.append(Block("heading", f"Page {number}", level=6, anchor=f"page={number}"))
                blocks += paragraphs
    except (PyPdfError, ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError, OSError) as error:
        # pypdf raises what its parser stumbles on.
        raise SkipDocument(f"The PDF cannot be read: {type(error).__name__}.", document="") from error
    if not blocks:
        raise SkipDocument("The PDF has no text; scans need OCR first.", document="")
    return blocks


def unwrapped(text: str) -> str:
    """Lines joined where a sentence goes on: a PDF knows lines alone. Lists and tables keep theirs."""
    return _WRAPPED.sub(" ", _HYPHENATED.sub("", text))


def docx_blocks(data: bytes) -> list[Block]:
    """Through mammoth's HTML, after a look at the archive: sizes are known before anything is unpacked."""
    import mammoth

    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
        unpacked = sum(member.file_size for member in members)
        packed = max(1, sum(member.compress_size for member in members))
        if len(members) > MAX_MEMBERS or unpacked > MAX_UNPACKED or unpacked / packed > MAX_RATIO:
            raise SkipDocument("The DOCX unpacks to far more than it should and was not opened.", document="")
        # Pictures leave their alternative texts.
        pictures = mammoth.images.img_element(lambda _: {})
        html = mammoth.convert_to_html(io.BytesIO(data), convert_image=pictures).value
    except (zipfile.BadZipFile, KeyError, ValueError, OSError, AttributeError, NotImplementedError) as error:
        encrypted = data[:8] == b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
        why = "is encrypted or of an old format" if encrypted else f"cannot be read: {type(error).__name__}"
        raise SkipDocument(f"The DOCX {why}.", document="") from error
    blocks = html_blocks(html)
    if not blocks:
        raise SkipDocument("The DOCX has no text.", document="")
    return blocks
