"""Text of others inside a prompt: quoted line by line, in a frame that it cannot close.

Every line of a document begins with the quote mark, which no text inside can take away, and the frame begins and ends
with a mark that is drawn anew for each request. What passes for the end of a turn in some model's markup is broken up.
"""

from __future__ import annotations

import re
import secrets
import unicodedata
from collections.abc import Iterable

from citebot.logging_setup import redacted
from citebot.model import Passage, ScoredPassage, Trust

QUOTE = "> "
TRUST: dict[Trust, str] = {
    "open": "open, anybody may have written it",
    "team": "team",
    "curated": "curated, checked by people chosen for it",
}
_CALLS = re.compile(r"<[@#!][^<>\n]*>|[@#](?:[UWCG](?=[A-Z]*\d)[A-Z0-9]{7,}|\d{15,})\b")
"""People, groups and channels as chat platforms write them: ids that say nothing to a model."""
_SPECIAL = re.compile(
    r"<(?=[|｜])|(?<=[|｜])>|<(?=/?(?:s|bos|eos|pad|unk|mask|start_of_turn|end_of_turn|start_of_image)>)"
    r"|\[(?=/?(?:INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS)\])|<(?=</?SYS>>)",
    re.IGNORECASE,
)
"""Where the control tokens of chat templates begin or end; a server may take them for real ones inside a text."""
_SELECTORS = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]")


def new_mark() -> str:
    """What no document can know."""
    return secrets.token_hex(6)


def plain(text: str) -> str:
    """Text of people or documents without what cannot be seen, secrets, ids of people, and control tokens of models."""
    lines = "\n".join(text.replace("\t", "    ").splitlines())
    seen = lines if lines.isascii() and lines.isprintable() else "".join(filter(_visible, _SELECTORS.sub("", lines)))
    return _SPECIAL.sub(_apart, redacted(_CALLS.sub("", seen)))


def one_line(text: str) -> str:
    """The same in one line."""
    return " ".join(plain(text).split())


def quoted(lines: Iterable[str], *, mark: str = "") -> str:
    """Lines that are no longer anybody's instructions."""
    whole = "\n".join(lines)
    if mark:
        whole = whole.replace(mark, "…")
    return "\n".join(f"{QUOTE}{line}".rstrip() for line in whole.split("\n"))


def framed(head: str, lines: Iterable[str], *, mark: str) -> str:
    """Quoted lines between two lines with the mark."""
    return f"<<<{mark} {head.replace(mark, '…')}\n{quoted(lines, mark=mark)}\n{mark}>>>"


def document(passage: ScoredPassage, number: int, *, mark: str = "") -> str:
    """One passage in its frame, with its number, source, date and trust; without a mark it gets one of its own."""
    one = passage.passage
    heading = one_line(" › ".join([one.title, *one.headings]))
    return framed(_head(one, number), [heading, *plain(one.text).split("\n")], mark=mark or new_mark())


def _head(one: Passage, number: int) -> str:
    dated = f", updated {one.updated:%Y-%m-%d}" if one.updated else ""
    return f"passage [{number}] from {one_line(one.source)}{dated}, trust: {TRUST[one.trust]}"


def _visible(character: str) -> bool:
    return character == "\n" or unicodedata.category(character)[0] != "C"


def _apart(match: re.Match[str]) -> str:
    """A space is enough: it is no control token any more, and people still read it."""
    return f" {match.group()}" if match.group() == ">" else f"{match.group()} "
