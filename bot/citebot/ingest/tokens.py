"""How long a text is in tokens, without a tokenizer."""

from __future__ import annotations

_LETTERS = bytes([*range(0x41, 0x5B), *range(0x61, 0x7B)])
_NO_LEAD = bytes(range(0xC0))
_HANGUL = b"\xea\xeb\xec\xed"
_LATIN = b"\xc3\xc4\xc5"


def estimate(text: str) -> int:
    """About how many WordPiece tokens (uncased English vocabulary), at a gigabyte in four seconds.

    Fitted by least squares on documentation, wiki pages, encyclopedia text, Python and JavaScript (1,900 texts): 4.6
    ASCII letters make a token, every digit and mark is one of its own, white space costs nothing. Sums per collection
    are within 5 %; of single texts over 100 tokens, 90 % within -12 % and +19 %. Other scripts fall apart into
    characters: one token each, accented Latin letters 3.5 (the words around them are unknown too), Hangul 1.9.
    """
    data = text.encode("utf-8", "replace")
    rest = data.translate(None, _LETTERS)
    tokens = (len(data) - len(rest)) / 4.6
    if text.isascii():
        return int(tokens + len(rest) - rest.count(b" ") - rest.count(b"\n")) + 1
    leads = rest.translate(None, _NO_LEAD)
    latin, hangul = (sum(map(leads.count, kind)) for kind in (_LATIN, _HANGUL))
    ascii_marks = len(rest.translate(None, _NOT_ASCII)) - rest.count(b" ") - rest.count(b"\n")
    return int(tokens + ascii_marks + len(leads) + 2.5 * latin + 0.9 * hangul) + 1


_NOT_ASCII = bytes(range(0x80, 0x100))
