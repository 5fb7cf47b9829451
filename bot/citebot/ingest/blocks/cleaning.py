"""Characters that have no place in indexed text: control, zero-width, bidirectional and tag characters."""

from __future__ import annotations

import re
import unicodedata
from functools import cache

# Invisible characters hide instructions from people and words from search (Unicode TR 36, TR 39). Variation selectors
# are among them: a row of them carries any text behind one visible character.
_INVISIBLE = re.compile(
    "[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u00ad\u061c\u115f\u1160\u180e\u200b-\u200f\u202a-\u202e"
    "\u2060-\u2064\u2066-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e01ef]"
)
_PLAIN = re.compile(r"[\t\n\x20-\x7e]*")
_HIGH_RUN = re.compile("[\u0300-\U0010ffff]{9}")
"""Where marks could be piled up; Latin text has none and is spared the search for them."""
LAST_MARK = 0x1F000
"""No script with marks is encoded above; looking at every plane would take ten times as long."""
MOST_MARKS = 8
"""Combining marks on one letter; no script needs more."""


def clean(text: str) -> str:
    """Normalise to NFC, one kind of line end, nothing invisible."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if _PLAIN.fullmatch(text):
        return text
    text = _INVISIBLE.sub("", text).replace("\u00a0", " ")
    if text.isascii():
        return text
    # Normalising takes the square of the number of marks in a row: 100,000 would be eight seconds.
    if _HIGH_RUN.search(text):
        text = _piles().sub(r"\1", text)
    return unicodedata.normalize("NFC", text)


@cache
def _piles() -> re.Pattern[str]:
    marks = (chr(code) for code in range(0x300, LAST_MARK) if unicodedata.combining(chr(code)))
    letters = "".join(map(re.escape, marks))
    return re.compile(f"([{letters}]{{{MOST_MARKS}}})[{letters}]+")
