"""How much two texts share, word by word."""

from __future__ import annotations

import re
from collections import Counter

_ARTICLES = frozenset({"a", "an", "the"})
_MARK = re.compile(r"\[\d+(?:\s*,\s*\d+)*\]")


def words(text: str) -> list[str]:
    """Lower-case words without articles, punctuation and citation marks."""
    return [word for word in re.findall(r"\w+", _MARK.sub(" ", text).casefold()) if word not in _ARTICLES]


def token_f1(answer: str, reference: str) -> float:
    """Harmonic mean of the shares of words that the two have in common; both empty is 1."""
    ours, theirs = Counter(words(answer)), Counter(words(reference))
    if not ours or not theirs:
        return float(ours == theirs)
    common = (ours & theirs).total()
    return 2 * common / (ours.total() + theirs.total())


def contained(sentence: str, text: str) -> float:
    """Share of the words of `sentence` that `text` has, each as often."""
    wanted = Counter(words(sentence))
    return (wanted & Counter(words(text))).total() / wanted.total() if wanted else 1.0
