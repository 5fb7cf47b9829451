"""From text to index terms: one tantivy analyzer per language."""

from __future__ import annotations

from functools import cache
from typing import Any

# BCP 47 → the names of tantivy's stemmers (Snowball).
LANGUAGES = {
    "ar": "arabic", "da": "danish", "nl": "dutch", "en": "english", "fi": "finnish", "fr": "french", "de": "german",
    "el": "greek", "hu": "hungarian", "it": "italian", "no": "norwegian", "pt": "portuguese", "ro": "romanian",
    "ru": "russian", "es": "spanish", "sv": "swedish", "ta": "tamil", "tr": "turkish",
}  # fmt: skip
WITHOUT_STOP_WORDS = frozenset({"ar", "el", "ro", "ta", "tr"})
LONGEST_TERM = 40
MOST_TERMS = 128
"""Distinct terms of one query; a question has a dozen, a pasted log thousands."""


def language_of(language: str, default: str) -> str:
    """The analyzer for a passage: its language if there is a stemmer for it."""
    short = language.split("-")[0].lower()
    return short if short in LANGUAGES else default


@cache
def analyzer(language: str) -> Any:
    """Simple words, lower case, without stop words, stemmed."""
    from tantivy import Filter, TextAnalyzerBuilder, Tokenizer

    name = LANGUAGES[language]
    builder = TextAnalyzerBuilder(Tokenizer.simple())
    builder = builder.filter(Filter.remove_long(LONGEST_TERM)).filter(Filter.lowercase())
    if language not in WITHOUT_STOP_WORDS:
        builder = builder.filter(Filter.stopword(name))
    return builder.filter(Filter.stemmer(name)).build()


def terms(text: str, language: str) -> dict[str, int]:
    """Distinct terms in order of appearance with their counts, at most `MOST_TERMS`."""
    counts: dict[str, int] = {}
    for term in analyzer(language).analyze(text):
        if term in counts or len(counts) < MOST_TERMS:
            counts[term] = counts.get(term, 0) + 1
    return counts
