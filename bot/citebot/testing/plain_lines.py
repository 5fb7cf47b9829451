"""The poorest chat there is: lines of plain text, 400 bytes each, no edits, no threads, no buttons, no memory.

It shows what is left of an answer where a platform can do nothing else, and how a connector for one (IRC, a text
message) draws it.
"""

from __future__ import annotations

import re
from typing import ClassVar

from citebot.errors import CannotShow
from citebot.model import Passage
from citebot.ports import Capabilities, Message, Outbound
from citebot.testing.scripted_messages import Posted, ScriptedMessages

LINE_MOST = 400
"""Bytes."""
CLOSEST_MOST = 3
_MARKS = re.compile(r"^ {0,3}(?:#{1,6} +|(?:```|~~~).*$)|\*\*|`", re.MULTILINE)


class PlainLines(ScriptedMessages):
    """Platform `lines`: what `ScriptedMessages` is, with a service that takes short lines and nothing else."""

    name: ClassVar[str] = "lines"
    summary: ClassVar[str] = "Lines of plain text in memory, for tests."
    capabilities: Capabilities = Capabilities(text_limit=LINE_MOST, edits_per_second=1_000.0)

    def lines(self) -> list[str]:
        """Everything that was sent, line by line."""
        return [line for text in self.texts() for line in text.split("\n")]

    async def find(self, to: Outbound, *, key: str) -> str | None:
        """Nothing sent can be looked up; after a crash in the middle of a sending a line may come twice."""
        self._called("find")
        return None

    async def remove(self, to: Outbound, message_id: str) -> None:
        """Nothing sent can be taken back."""
        self._called("remove")
        raise CannotShow("A line stays where it is.")

    def _draw(self, posted: Posted, message: Message) -> None:
        lines = drawn(message)
        if any(len(line.encode()) > LINE_MOST for line in lines):
            raise CannotShow("The line is too long.")
        posted.text = "\n".join(lines)


def drawn(message: Message) -> list[str]:
    """A message as lines: its text without marks, then where it comes from and what a reader must know."""
    lines = [line.strip() for line in _MARKS.sub("", message.text or message.status).splitlines()]
    if (answer := message.answer) is not None:
        lines += [_origin(f"[{one.number}]", one.passage) for one in answer.citations]
        closest = [] if answer.citations else answer.closest[:CLOSEST_MOST]
        lines += [_origin("See also:", scored.passage) for scored in closest]
        lines += answer.notes
    return [piece for line in lines if line for piece in _pieces(line)]


def _origin(mark: str, passage: Passage) -> str:
    """One line; the address is whole or not there."""
    address = f" {passage.link}" if len(passage.link.encode()) < LINE_MOST // 2 else ""
    room = LINE_MOST - len(f"{mark} {address}".encode())
    return f"{mark} {_pieces(passage.title, room)[0]}{address}"


def _pieces(line: str, most: int = LINE_MOST) -> list[str]:
    """A line in pieces of so many bytes, between words where that is possible, never within a character."""
    pieces = []
    while len(line.encode()) > most:
        head = line.encode()[:most].decode(errors="ignore")
        at = head.rfind(" ")
        cut = at if at > len(head) // 2 else len(head)
        pieces.append(line[:cut].rstrip())
        line = line[cut:].lstrip()
    return [*pieces, line]
