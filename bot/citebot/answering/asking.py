"""Whether something that was said to nobody in particular asks for something."""

from __future__ import annotations

import re

from citebot.answering.words import WORD

FEWEST_WORDS = 3
LONGEST = 1_000
"""Characters; a longer message tells rather than asks."""
_MARK = re.compile(r"[?？](?=[\s\"'”’»)\]*_`]|$)")
_ADDRESS = re.compile(r"\S*://\S*")
_BEGINS = re.compile(
    r"(?:(?:hi|hello|hey|hallo|moin)\b[^,:!\n]{0,30}[,:!\n]\s*)?"
    r"(?:who|what|when|where|why|how|which|whose|wer|was|wann|wo|warum|wieso|weshalb|wie|welche[nmrs]?|wohin|woher)\b",
    re.IGNORECASE,
)


def is_question(text: str) -> bool:
    """A question mark at the end of a sentence, or a word that asks at the beginning."""
    said = _ADDRESS.sub(" ", text.strip())
    if len(said) > LONGEST or len(WORD.findall(said)) < FEWEST_WORDS:
        return False
    return bool(_MARK.search(said) or _BEGINS.match(said))
