"""Files that an asker attached: how much of them is read, and what of it is looked for.

They are the asker's own words, quoted. They say what the question is about, but are never a source: nothing is cited
from them, and what stands in them asks for nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice

from citebot.answering.words import content_stems
from citebot.model import Attachment

ROOM = 8_000
"""Characters of all files together that go along with a question."""
LOOKED_FOR = 400
"""Characters of the lines that are searched with."""
LINES_LOOKED_FOR = 3
LINES_READ = 5_000
LINE_MOST = 300
_TROUBLE = re.compile(
    r"\b(?:error|exception|fatal|critical|fail\w*|denied|refused|timed? ?out|traceback|panic|abort\w*|"
    r"fehler\w*|fehlgeschlagen|abgebrochen|verweigert)\b|\b[A-Z]{1,5}-?\d{2,6}\b",
    re.IGNORECASE,
)


def fitted(question: str, attachments: Sequence[Attachment], *, room: int = ROOM) -> tuple[Attachment, ...]:
    """The files in the room there is: the short ones whole, of the others the beginning and the lines that matter."""
    left = room
    found: dict[int, Attachment] = {}
    for waiting, (place, one) in enumerate(sorted(enumerate(attachments), key=lambda item: len(item[1].text))):
        share = left // (len(attachments) - waiting)
        found[place] = (
            one if len(one.text) <= share else replace(one, text=_part(question, one.text, share), whole=False)
        )
        left -= len(found[place].text)
    return tuple(found[place] for place in sorted(found))


def best_lines(question: str, attachments: Sequence[Attachment]) -> str:
    """The few lines that say most about what is asked, in their order; without any such line nothing."""
    lines = [line for one in attachments for line in _lines(one.text)]
    ranked = _ranked(question, lines)[:LINES_LOOKED_FOR]
    return " ".join(lines[place] for place in sorted(ranked))[:LOOKED_FOR]


def _part(question: str, text: str, share: int) -> str:
    head = text[: share // 2]
    lines = _lines(text[len(head) :])
    room, chosen = share - len(head), set()
    for place in _ranked(question, lines):
        if len(lines[place]) + 1 <= room:
            chosen.add(place)
            room -= len(lines[place]) + 1
    return "\n".join([head, *(lines[place] for place in sorted(chosen))])[:share]


def _lines(text: str) -> list[str]:
    spoken = (line.strip()[:LINE_MOST] for line in text.splitlines())
    return list(islice((line for line in spoken if line), LINES_READ))


def _ranked(question: str, lines: Sequence[str]) -> list[int]:
    """The places of the lines that have something to do with the question, or tell of trouble; the best first."""
    wanted = set(content_stems(question))
    scores = {
        place: 2 * len(wanted.intersection(content_stems(line))) + bool(_TROUBLE.search(line))
        for place, line in enumerate(lines)
    }
    return [place for place in sorted(scores, key=lambda place: (-scores[place], place)) if scores[place]]
