"""From the bytes of a text file to its text."""

from __future__ import annotations

import codecs
import re

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_DECLARED = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([A-Za-z0-9_.:-]{1,40})", re.IGNORECASE)
LOOKED_AT = 4_096


def decode(data: bytes, *, html: bool = False) -> tuple[str, str] | None:
    """The text, and a note when some of it could not be read; None for what is no text at all.

    A byte order mark decides, then what an HTML page declares, then UTF-8 with a replacement for what is not.
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return _decoded(data[len(mark) :], encoding)
    if b"\0" in data[: 2 * LOOKED_AT]:
        return None
    declared = _DECLARED.search(data[:LOOKED_AT]) if html else None
    return _decoded(data, _known(declared[1].decode("ascii")) if declared else "utf-8")


def _decoded(data: bytes, encoding: str) -> tuple[str, str]:
    try:
        return data.decode(encoding), ""
    except UnicodeDecodeError as error:
        note = f"is not valid {encoding.upper()} at byte {error.start:,}; what could not be read shows as \ufffd"
        return data.decode(encoding, "replace"), note


def _known(name: str) -> str:
    try:
        found = codecs.lookup(name)
    except LookupError:
        return "utf-8"
    # What browsers do with pages that declare Latin-1; codecs such as `hex` turn no bytes into text.
    return "cp1252" if found.name in ("iso8859-1", "ascii") else found.name if found._is_text_encoding else "utf-8"
