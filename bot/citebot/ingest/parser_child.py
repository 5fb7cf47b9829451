"""The parser's child process: `python -m citebot.ingest.parser_child MEMORY_MB CPU_SECONDS FORMAT`.

Reads requests and writes answers on pipes: a line of JSON, then as many bytes as it says. No pickle, no network, no
inherited secrets; the limits are set before the first byte of a document is read.
"""

from __future__ import annotations

import json
import re
import resource
import signal
import sys
from contextlib import suppress
from importlib import import_module
from typing import Any, BinaryIO

from citebot.errors import SkipDocument
from citebot.ingest.blocks.cleaning import clean
from citebot.ingest.blocks.text import text_blocks
from citebot.ingest.child import READY
from citebot.model import Block

MAX_CHARACTERS = 5_000_000
"""Of text that a document may have once its markup is off."""
MAX_BLOCKS = 200_000
"""Paragraphs, items and tables of a document. A book of a thousand pages has a tenth of it; each takes memory of the
process that reads the answer."""

_BLANK = re.compile(r"(?<!\s)(\s{100})\s+")
"""White space costs no tokens: without an end, all of it would be one chunk."""


_LIBRARIES = {
    "text": (),
    "markdown": ("markdown_it",),
    "pdf": ("pypdf",),
    "docx": ("mammoth", "lxml.html"),
}
"""Of each format; the others are markup."""


def main(memory_mb: int, seconds: int, first: str) -> None:
    """Serve until the pipe closes; the parent ends us when a document takes too long."""
    # What the first format needs is no document's time, and the others may never come. What is missing is named when a
    # document needs it.
    for name in _LIBRARIES.get(first, ("lxml.html",)):
        with suppress(ImportError):
            import_module(name)

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_AS, (memory_mb * 1_000_000, memory_mb * 1_000_000))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
    sys.stdout.buffer.write(READY)
    sys.stdout.buffer.flush()
    while request := sys.stdin.buffer.readline():
        facts = json.loads(request)
        data = sys.stdin.buffer.read(facts["size"])
        used = resource.getrusage(resource.RUSAGE_SELF)
        most = int(used.ru_utime + used.ru_stime) + seconds + 2
        resource.setrlimit(resource.RLIMIT_CPU, (most, resource.RLIM_INFINITY))
        _answer(sys.stdout.buffer, _parse(facts["format"], data, facts["line_anchor"]))


def _parse(kind: str, data: bytes, line_anchor: str) -> dict[str, Any]:
    try:
        blocks = _blocks(kind, data, line_anchor)
        if len(blocks) > MAX_BLOCKS:
            return {"failed": f"The document has more than {MAX_BLOCKS:,} paragraphs."}
        if sum(len(block.text) for block in blocks) > MAX_CHARACTERS:
            return {"failed": f"The document has more than {MAX_CHARACTERS:,} characters."}
        return {"blocks": [_plain(block) for block in blocks]}
    except SkipDocument as error:
        return {"failed": str(error)}
    except MemoryError:
        return {"failed": "The document needs more memory than a parser may take.", "exit": True}
    except RecursionError:
        return {"failed": "The document is nested too deeply to be read."}
    except ImportError as error:
        return {"failed": f"Reading this format needs {error.name}: pip install 'citebot[sources]'."}
    except Exception as error:  # noqa: BLE001 - a hostile file may raise anything; the parent must hear of it
        return {"failed": f"The document cannot be read: {type(error).__name__}."}


def _blocks(kind: str, data: bytes, line_anchor: str = "") -> list[Block]:
    if kind in ("pdf", "docx"):
        from citebot.ingest.blocks.office import docx_blocks, pdf_blocks

        return pdf_blocks(data) if kind == "pdf" else docx_blocks(data)
    text = data.decode("utf-8", "replace")
    if kind in ("html", "storage", "adf", "mediawiki", "textile"):
        return _markup(kind, text)
    if kind == "text":
        return text_blocks(clean(text), line_anchor)
    from citebot.ingest.blocks.markdown import markdown_blocks

    return markdown_blocks(clean(text))


def _markup(kind: str, text: str) -> list[Block]:
    """Formats that end at the HTML walker; only the module of the one at hand is loaded."""
    match kind:
        case "storage":
            from citebot.ingest.blocks.confluence import storage_blocks as blocks
        case "adf":
            from citebot.ingest.blocks.adf import adf_blocks as blocks
        case "mediawiki":
            from citebot.ingest.blocks.mediawiki import mediawiki_blocks as blocks
        case "textile":
            from citebot.ingest.blocks.textile import textile_blocks as blocks
        case _:
            from citebot.ingest.blocks.html import html_blocks as blocks
    return blocks(text)


def _plain(block: Block) -> list[Any]:
    # Cleaned here: long texts would hold up everything else in the process that asks.
    text = _BLANK.sub(r"\1", clean(block.text))
    return [block.kind, text, block.level, clean(block.anchor), block.language]


def _answer(out: BinaryIO, result: dict[str, Any]) -> None:
    body = json.dumps(result).encode()
    out.write(f"{len(body)}\n".encode() + body)
    out.flush()
    if result.get("exit"):
        # What an exhausted process still holds is unknown; a new one is cheap.
        sys.exit(0)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
