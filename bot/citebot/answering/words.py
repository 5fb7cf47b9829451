"""Words of questions and passages: folding, light stemming, the query-only stop words, numbers and identifiers.

The index has analyzers of its own; this module serves everything that compares texts outside it, in English and German.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

from citebot.answering.wordlists import ENGLISH, GERMAN, GERMAN_ONLY, NEGATIONS, NUMBER_WORDS

WORD = re.compile(r"[^\W_]+(?:[-’'.][^\W_]+)*")
SPEAKER = re.compile(r"^\s*\|?(?:user|assistant|human|bot|agent|frage|question)\|?\s*:\s*", re.IGNORECASE)

_ENGLISH_ONLY = ENGLISH - GERMAN

_NUMBER = re.compile(r"(?<![\w.,])[-+]?\d+(?:[.,'’\u202f]\d+)*(?![\w])|\d+(?:[.,]\d+)*")
_IDENTIFIER = re.compile(
    r"""
    (?<![\w/])(?:
        --?[A-Za-z][\w-]+(?==|\b)                      # --flag
      | /?[\w.-]+(?:/[\w.-]+)+                         # path/to/file
      | [A-Za-z_]\w*(?:(?:\.|::|->)[A-Za-z_]\w*)+      # module.name, a::b
      | (?=[\w-]*\d)(?=[\w-]*[A-Za-z])[\w-]+(?:\.[\w-]+)*  # ABC-123, v1.2, err42
      | [A-Za-z]+_\w+                                  # snake_case
      | [a-z]+[A-Z]\w*                                 # camelCase
      | [A-Z]{2,}[A-Z0-9]*(?![a-z])                    # ACRONYM
    )
    """,
    re.VERBOSE,
)


def words(text: str) -> list[str]:
    """The words of a text, folded: lower case, straight apostrophes."""
    return WORD.findall(text.casefold().replace("’", "'"))


def language_of(text: str) -> str:
    """`de` when the small words are German, else `en`: enough to choose a stop list."""
    return "de" if _stops(words(text)) is GERMAN else "en"


def stop_words(text: str) -> frozenset[str]:
    """The stop words for a question like this one."""
    return _stops(words(text))


def _stops(found: Sequence[str]) -> frozenset[str]:
    own = GERMAN_ONLY.intersection(found)
    if not own:
        return ENGLISH
    german = sum(word in own for word in found)
    english = sum(word in _ENGLISH_ONLY for word in found)
    return GERMAN if german > english else ENGLISH


def search_words(text: str) -> str:
    """A question without its stop words, for BM25; all of its words when nothing else is left."""
    stops = stop_words(text)
    found = WORD.findall(text)
    kept = [word for word in found if word.casefold().replace("’", "'") not in stops]
    return " ".join(kept or found)


@lru_cache(maxsize=65_536)
def stem(word: str) -> str:
    """A folded word without its common English or German endings: a key for comparing, not a word."""
    word = word.removesuffix("'s")
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        word = word[:-1]
    for ending in ("ingen", "ungen", "ing", "ung", "ed", "en", "er", "em", "e"):
        if word.endswith(ending) and len(word) - len(ending) >= 4:
            word = word.removesuffix(ending)
            break
    # stopped → stopp → stop; policy and policies meet at the y above.
    if len(word) > 3 and word[-1] == word[-2] and word[-1] in "bdgmnprt":
        word = word[:-1]
    return word


def stems(text: str) -> list[str]:
    """The stems of all words; `rate-limit` counts as a whole and as its pieces."""
    return list(stems_of_words(words(text)))


def stems_of_words(found: Iterable[str]) -> Iterator[str]:
    """The same for words that are already cut out."""
    for word in found:
        yield stem(word)
        if "-" in word or "." in word:
            for piece in re.split(r"[-.]", word):
                if len(piece) > 1:
                    yield stem(piece)


def content_stems(text: str) -> list[str]:
    """The stems of a question's or sentence's content words, each once, in order."""
    return content_of_words(words(text))


def content_of_words(found: Sequence[str]) -> list[str]:
    """The same for words that are already cut out."""
    stops = _stops(found)
    return list(dict.fromkeys(stem(word) for word in found if word not in stops))


def numbers(text: str) -> set[str]:
    """The numbers of a text in one form: `1,000` and `1000` are the same, and so are `five` and `5`."""
    return numbers_among(text, words(text))


def numbers_among(text: str, found: Iterable[str]) -> set[str]:
    """The same for a text whose words are already cut out."""
    written = {NUMBER_WORDS[word] for word in found if word in NUMBER_WORDS}
    return written | {_plain_number(match.group()) for match in _NUMBER.finditer(text)}


@lru_cache(maxsize=4096)
def _plain_number(text: str) -> str:
    digits = text.lstrip("+-").replace("'", "").replace("’", "").replace("\u202f", "")
    if re.fullmatch(r"\d{1,3}(?:[.,]\d{3})+", digits):
        return re.sub(r"[.,]", "", digits)
    digits = digits.replace(",", ".")
    if re.fullmatch(r"\d+\.\d+", digits):
        digits = digits.rstrip("0").rstrip(".")
    return digits.lstrip("0") or "0"


def identifiers(text: str) -> set[str]:
    """What names one thing exactly: ticket keys, versions, flags, paths, code names; folded."""
    return {match.group().strip(".-").casefold() for match in _IDENTIFIER.finditer(text)} - {""}


def negates(text: str) -> bool:
    """Whether a sentence says that something is not so."""
    return negates_among(words(text))


def negates_among(found: Iterable[str]) -> bool:
    """The same for words that are already cut out."""
    return any(word in NEGATIONS or word.endswith("n't") for word in found)
