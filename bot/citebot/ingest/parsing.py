"""Turns a document's body into blocks: Markdown and text here, everything riskier in a child process with limits."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from typing import IO

from citebot.errors import SkipDocument
from citebot.ingest.blocks.cleaning import clean
from citebot.ingest.blocks.markdown import markdown_blocks
from citebot.ingest.blocks.text import text_blocks
from citebot.model import Block, Document, DocumentFormat
from citebot.settings import IngestSettings

IN_CHILD: frozenset[str] = frozenset({"html", "pdf", "docx"})


class Parser:
    """Parses one document at a time. The child is started when the first risky document comes, and reused."""

    def __init__(self, settings: IngestSettings) -> None:
        self._settings = settings
        self._child: subprocess.Popen[bytes] | None = None

    def blocks(self, document: Document) -> list[Block]:
        """Blocks of the body and then of every part; raises `SkipDocument` with one clear line."""
        found = self._parse(document, document.body, document.format, None)
        for number, part in enumerate(document.parts):
            stamp = ", ".join(filter(None, (part.author, f"{part.created:%Y-%m-%d}" if part.created else "")))
            inside = self._parse(document, part.body, part.format, number)
            if inside and stamp:
                found.append(Block("paragraph", f"{stamp}:", anchor=part.anchor, part=number))
            found += inside
        return found

    def close(self) -> None:
        """End the child."""
        if self._child is not None:
            self._child.kill()
            for pipe in (self._child.stdin, self._child.stdout):
                if pipe:
                    pipe.close()
            self._child.wait()
            self._child = None

    def _parse(self, document: Document, body: str | bytes, kind: DocumentFormat, part: int | None) -> list[Block]:
        size = len(body)
        if size > self._settings.max_document_bytes:
            raise SkipDocument(
                f"{document.id} has {size:,} bytes; ingest.max_document_bytes allows "
                f"{self._settings.max_document_bytes:,}.",
                document=document.id,
            )
        if kind in IN_CHILD:
            found = self._in_child(document, body.encode() if isinstance(body, str) else body, kind)
        else:
            text = clean(body if isinstance(body, str) else body.decode("utf-8", "replace"))
            found = text_blocks(text) if kind == "text" else markdown_blocks(text)
        if part is None:
            return found
        return [Block(b.kind, b.text, b.level, b.anchor, b.language, part) for b in found if b.kind != "heading"]

    def _in_child(self, document: Document, data: bytes, kind: DocumentFormat) -> list[Block]:
        child = self._running()
        assert child.stdin is not None
        assert child.stdout is not None
        deadline = time.monotonic() + self._settings.parse_seconds
        try:
            child.stdin.write(json.dumps({"format": kind, "size": len(data)}).encode() + b"\n" + data)
            child.stdin.flush()
            size = int(_line(child.stdout, deadline))
            result = json.loads(_exactly(child.stdout, size, deadline))
        except (OSError, ValueError, TimeoutError) as error:
            self.close()
            slow = isinstance(error, TimeoutError)
            why = f"took longer than {self._settings.parse_seconds:.0f} s" if slow else "ended its parser"
            raise SkipDocument(f"{document.id} {why} and was left out.", document=document.id) from error
        if result.get("exit"):
            self.close()
        if "failed" in result:
            raise SkipDocument(f"{document.id}: {result['failed']}", document=document.id)
        return [
            Block(kind, clean(text), level, anchor, language)
            for kind, text, level, anchor, language in result["blocks"]
        ]

    def _running(self) -> subprocess.Popen[bytes]:
        if self._child is None or self._child.poll() is not None:
            self.close()
            limits = (str(self._settings.parse_memory_mb), str(int(self._settings.parse_seconds)))
            self._child = subprocess.Popen(  # noqa: S603 - our own module, our own interpreter
                [sys.executable, "-m", "citebot.ingest.parser_child", *limits],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={"PYTHONPATH": os.pathsep.join(sys.path)},
            )
        return self._child


def _line(pipe: IO[bytes], deadline: float) -> bytes:
    line = b""
    while not line.endswith(b"\n"):
        line += _some(pipe, 1, deadline)
    return line


def _exactly(pipe: IO[bytes], size: int, deadline: float) -> bytes:
    pieces: list[bytes] = []
    while size:
        piece = _some(pipe, min(size, 65_536), deadline)
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)


def _some(pipe: IO[bytes], most: int, deadline: float) -> bytes:
    # Straight from the descriptor: a buffered read could hold what `select` no longer sees.
    ready, _, _ = select.select([pipe], [], [], max(0.0, deadline - time.monotonic()))
    if not ready:
        raise TimeoutError
    piece = os.read(pipe.fileno(), most)
    if not piece:
        raise OSError("the parser ended")
    return piece
