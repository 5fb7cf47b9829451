"""The parser's child process: `python -m citebot.ingest.parser_child MEMORY_MB CPU_SECONDS`.

Reads requests and writes answers on pipes: a line of JSON, then as many bytes as it says. No pickle, no network, no
inherited secrets; the limits are set before the first byte of a document is read.
"""

from __future__ import annotations

import json
import resource
import signal
import sys
from contextlib import suppress
from importlib import import_module
from typing import Any, BinaryIO

from citebot.errors import SkipDocument
from citebot.ingest.blocks.cleaning import clean
from citebot.model import Block

MAX_CHARACTERS = 5_000_000


def main(memory_mb: int, seconds: int) -> None:
    """Serve until the pipe closes; the parent ends us when a document takes too long."""
    # Imported before the limits: they take memory too. What is missing is named when a document needs it.
    for name in ("lxml.html", "mammoth", "pypdf", "markdown_it"):
        with suppress(ImportError):
            import_module(name)

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_AS, (memory_mb * 1_000_000, memory_mb * 1_000_000))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
    used = 0.0
    while request := sys.stdin.buffer.readline():
        facts = json.loads(request)
        data = sys.stdin.buffer.read(facts["size"])
        resource.setrlimit(resource.RLIMIT_CPU, (int(used) + seconds + 1, resource.RLIM_INFINITY))
        _answer(sys.stdout.buffer, _parse(facts["format"], data))
        spent = resource.getrusage(resource.RUSAGE_SELF)
        used = spent.ru_utime + spent.ru_stime


def _parse(kind: str, data: bytes) -> dict[str, Any]:
    try:
        blocks = _blocks(kind, data)
        if sum(len(block.text) for block in blocks) > MAX_CHARACTERS:
            return {"failed": f"The document has more than {MAX_CHARACTERS:,} characters."}
    except SkipDocument as error:
        return {"failed": str(error)}
    except MemoryError:
        return {"failed": "The document needs more memory than a parser may take.", "exit": True}
    except ImportError as error:
        return {"failed": f"Reading this format needs {error.name}: pip install 'citebot[sources]'."}
    except Exception as error:  # noqa: BLE001 - a hostile file may raise anything; the parent must hear of it
        return {"failed": f"The document cannot be read: {type(error).__name__}."}
    return {"blocks": [_plain(block) for block in blocks]}


def _blocks(kind: str, data: bytes) -> list[Block]:
    if kind in ("pdf", "docx"):
        from citebot.ingest.blocks.office import docx_blocks, pdf_blocks

        return pdf_blocks(data) if kind == "pdf" else docx_blocks(data)
    text = data.decode("utf-8", "replace")
    if kind in ("html", "storage", "adf", "mediawiki", "textile"):
        return _markup(kind, text)
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
    return [block.kind, block.text, block.level, block.anchor, block.language]


def _answer(out: BinaryIO, result: dict[str, Any]) -> None:
    body = json.dumps(result).encode()
    out.write(f"{len(body)}\n".encode() + body)
    out.flush()
    if result.get("exit"):
        # What an exhausted process still holds is unknown; a new one is cheap.
        sys.exit(0)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
