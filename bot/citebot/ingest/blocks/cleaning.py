"""Characters that have no place in indexed text: control, zero-width, bidirectional and tag characters."""

from __future__ import annotations

import re
import unicodedata

# Invisible characters hide instructions from people and words from search (Unicode TR 36, TR 39).
_INVISIBLE = re.compile(
    "[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064"
    "\u2066-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)
_PLAIN = re.compile(r"[\t\n\r\x20-\x7e]*")


def clean(text: str) -> str:
    """Normalise to NFC, one kind of line end, nothing invisible."""
    if _PLAIN.fullmatch(text):
        return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return unicodedata.normalize("NFC", _INVISIBLE.sub("", text)).replace("\u00a0", " ")
