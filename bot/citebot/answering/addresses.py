"""Finds addresses in every disguise that a chat client or a browser might still make clickable."""

from __future__ import annotations

import re
import unicodedata

LINK_REMOVED = "(link removed)"

# Dangerous or clickable without slashes; with `//` behind it any scheme goes.
_SCHEMES = (
    "mailto|javascript|vbscript|tel|sms|callto|facetime|skype|slack|discord|steam|magnet|ftp|https?|hxxps?|view-source|"
    "xmpp|sips?|bitcoin|ethereum|ms-\\w+|zoommtg|msteams|spotify|itms(?:-\\w+)?"
)
# Endings of hosts on the public internet that hardly ever end anything else.
_PUBLIC = (
    "com|net|org|edu|gov|mil|biz|io|co|ai|dev|xyz|online|website|cyou|sbs|cfd|icu|buzz|tk|ml|ga|cf|gq|ru|cn|de|uk|eu|fr|nl|"
    "ch|es|jp|kr|br|ca|au|tv|gg|ly|gl|la|su|ua|cz|dk|pt|gr|ie|hu|ro|bg|tr|il|za|mx|ar|cl|nz|sg|hk|tw|vn|xn--[\\w-]+"
)
# Endings that also end names in programs and files (`user.id`, `log.info`): only with a path behind them.
_AMBIGUOUS = (
    "info|name|id|app|cloud|top|site|shop|store|tech|club|link|click|live|news|page|blog|wiki|win|vip|work|world|zone|space|"
    "host|press|fun|rest|bar|bid|loan|men|mom|lol|pics|quest|monster|us|at|be|it|me|cc|ws|to|im|se|no|fi|th|ph|my|is|in|pl|"
    "st|so|sh|py|rs|md|am|fm|re|zip|mov|example|test|internal|local|lan|corp"
)
_HOST = r"(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.)+"
_REST = r"(?:[^\s\[]|\[(?!\d{1,3}\]))"
_START = r"(?<![\w@./\\-])"
_SCHEME_URL = re.compile(
    rf"[a-z][a-z0-9+.-]{{0,30}}\s?:\s?[/\\]{{2,}}{_REST}*|(?<![\w/:])[/\\]{{2}}(?=[^\W_][^\s/\\]*\.){_REST}+",
    re.I,
)
_SCHEME_PLAIN = re.compile(rf"(?<!\w)(?:(?:{_SCHEMES}):(?=[^\s:])|data:[\w/+-]*[;,]){_REST}+", re.I)
_WWW = re.compile(rf"(?<![\w@])www\d?\.{_REST}+", re.I)
_BARE_PUBLIC = re.compile(
    rf"{_START}(?!(?:asp|ado|vb)\.net\b)(?:[\w.+-]+@(?={_HOST}[^\W\d_]{{2,}}[/?#]))?"
    rf"{_HOST}(?:{_PUBLIC})\.?(?![\w-]|\.\w)(?::\d+)?(?:[/?#]{_REST}*)?",
    re.I,
)
_BARE_PATH = re.compile(
    rf"{_START}(?:[\w.+-]+@)?{_HOST}(?:(?:{_PUBLIC}|{_AMBIGUOUS})(?::\d+)?/{_REST}+"
    rf"|[^\W\d_]{{2,}}(?::\d+)?(?:/{_REST}*[?&=#%]{_REST}*|[?]{_REST}*={_REST}*))",
    re.I,
)
_NUMERIC_HOST = re.compile(
    rf"(?<![\w.])(?:\d{{1,3}}(?:\.\d{{1,3}}){{3}}|\[[0-9a-f:.]*:[0-9a-f:.]*\])(?::\d+)?/(?!\d+\b(?![/.?])){_REST}+",
    re.I,
)
_PATTERNS = (_SCHEME_URL, _SCHEME_PLAIN, _WWW, _NUMERIC_HOST, _BARE_PATH, _BARE_PUBLIC)
_HINT = re.compile(r"[:/\\.@。．｡：／＼﹕∕⁄]")
_CLOSING = ".,;:!?…'\"”’»)]}>*_~"
# Letters of other scripts that pass for Latin ones in a host are found through their dots; these pass for the dots.
_LOOKALIKES = str.maketrans(
    {"。": ".", "｡": ".", "．": ".", "∕": "/", "⁄": "/", "⧸": "/", "／": "/", "：": ":", "﹕": ":", "ꓽ": ":"}
)
_DEFANGED = re.compile(r"\[\.\]|\(\.\)|\{\.\}|\[dot\]|\(dot\)", re.I)


def without_addresses(text: str) -> str:
    """The text with every address replaced; e-mail addresses without a scheme stay, they fetch nothing."""
    if not _HINT.search(text):
        return text
    plain = _plain(text)
    if plain != text and _found(plain) and not _found(text):
        return _by_token(text)
    return _replace(_by_token(text) if plain != text else text)


def _replace(text: str) -> str:
    for pattern in _PATTERNS:
        text = pattern.sub(_removed, text)
    return text


def _by_token(text: str) -> str:
    """An address written with full-width or look-alike characters goes; the rest keeps its characters."""
    pieces = re.split(r"(\s+)", text)
    return "".join(LINK_REMOVED if _plain(piece) != piece and _found(_plain(piece)) else piece for piece in pieces)


def _plain(text: str) -> str:
    if text.isascii() and "[" not in text and "(" not in text and "{" not in text:
        return text
    return _DEFANGED.sub(".", unicodedata.normalize("NFKC", text).translate(_LOOKALIKES))


def _found(text: str) -> bool:
    return any(pattern.search(text) for pattern in _PATTERNS)


def _removed(match: re.Match[str]) -> str:
    """Punctuation that ends the sentence is not part of the address."""
    address = match.group()
    end = len(address)
    while end and address[end - 1] in _CLOSING:
        end -= 1
    return LINK_REMOVED + address[end:]
