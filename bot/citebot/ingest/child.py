"""The parent's side of the parser's child process: started when needed, reused, ended when it misbehaves."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from typing import IO, Any

from citebot.errors import SkipDocument
from citebot.model import Block

READY = b"ready\n"
START_SECONDS = 60.0
MAX_ANSWER = 100_000_000
"""Bytes: five million characters as escaped JSON, and room."""


class ParserChild:
    """One child at a time; the next document gets a new one if the last was ended."""

    def __init__(self, *, memory_mb: int, seconds: float) -> None:
        self._memory_mb = memory_mb
        self._seconds = seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._deadline: float | None = None

    def begin(self) -> None:
        """Begin a document: all that is parsed until the next one has `seconds` together."""
        self._deadline = None

    def parse(self, name: str, data: bytes, kind: str, *, line_anchor: str = "") -> list[Block]:
        """Blocks of a document or a part of it; `name` is for the one line of `SkipDocument` when there are none."""
        try:
            result = self._ask(data, {"format": kind, "size": len(data), "line_anchor": line_anchor})
        except TimeoutError as error:
            self.close()
            raise SkipDocument(f"{name} took longer than {self._seconds:.0f} s to read.", document=name) from error
        except (OSError, ValueError) as error:
            self.close()
            raise SkipDocument(f"{name} broke the parser that read it.", document=name) from error
        if result.get("exit"):
            self.close()
        if "failed" in result:
            raise SkipDocument(f"{name}: {result['failed']}", document=name)
        return [Block(*plain) for plain in result["blocks"]]

    def close(self) -> None:
        """End the child."""
        if self._process is not None:
            self._process.kill()
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe:
                    pipe.close()
            self._process.wait()
            self._process = None

    def _ask(self, data: bytes, facts: dict[str, Any]) -> dict[str, Any]:
        child = self._running(facts["format"])
        assert child.stdin is not None
        assert child.stdout is not None
        if self._deadline is None:
            self._deadline = time.monotonic() + self._seconds
        deadline = self._deadline
        _write(child.stdin, json.dumps(facts).encode() + b"\n" + data, deadline)
        size = int(_line(child.stdout, deadline))
        if not 0 < size <= MAX_ANSWER:
            raise ValueError("the answer has an impossible size")
        result = json.loads(_exactly(child.stdout, size, deadline))
        if not isinstance(result, dict):
            raise ValueError("the answer is no object")  # noqa: TRY004 - the child's fault, not the caller's
        return result

    def _running(self, first: str) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self.close()
            limits = (str(self._memory_mb), str(int(self._seconds)), first)
            self._process = subprocess.Popen(  # noqa: S603 - our own module, our own interpreter
                [sys.executable, "-m", "citebot.ingest.parser_child", *limits],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                # Nothing of our environment: it may hold tokens.
                env={"PYTHONPATH": os.pathsep.join(sys.path)},
                bufsize=0,
            )
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            os.set_blocking(self._process.stdin.fileno(), False)
            # What the start takes is no document's time.
            if _line(self._process.stdout, time.monotonic() + START_SECONDS) != READY:
                raise OSError("the parser did not start")
        return self._process


def _write(pipe: IO[bytes], data: bytes, deadline: float) -> None:
    left = memoryview(data)
    while left:
        _, ready, _ = select.select([], [pipe], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            raise TimeoutError
        left = left[os.write(pipe.fileno(), left[:65_536]) :]


def _line(pipe: IO[bytes], deadline: float) -> bytes:
    line = b""
    while not line.endswith(b"\n") and len(line) < 20:
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
    ready, _, _ = select.select([pipe], [], [], max(0.0, deadline - time.monotonic()))
    if not ready:
        raise TimeoutError
    piece = os.read(pipe.fileno(), most)
    if not piece:
        raise OSError("the parser ended")
    return piece
