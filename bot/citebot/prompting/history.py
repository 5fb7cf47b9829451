"""What was said before, as short quoted turns."""

from __future__ import annotations

import re
from collections.abc import Sequence

from citebot.model import Turn
from citebot.prompting.estimate import tokens
from citebot.prompting.frames import one_line, quoted

TURNS = 6
CHARACTERS = 400
"""Of one turn; what a conversation is about is said at its beginning."""
_CITED = re.compile(r"\s*\[\d{1,3}\]")
"""Numbers of an earlier answer stand for other passages than those of this one."""
_WHO = {"user": "asker", "assistant": "you"}


def turns(history: Sequence[Turn], *, room: int) -> str:
    """The newest turns that there is room for, oldest first."""
    found: list[str] = []
    for turn in reversed(history[-TURNS:]):
        text = _CITED.sub("", one_line(turn.text))
        line = quoted([f"{_WHO[turn.role]}: {text if len(text) <= CHARACTERS else text[:CHARACTERS] + '…'}"])
        room -= tokens(line) + 1
        if room < 0:
            break
        found.insert(0, line)
    return "\n".join(found)
