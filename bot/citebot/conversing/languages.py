"""The language of somebody, and the core's own sentences in it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import TypeVar

from citebot.conversing.english import ENGLISH
from citebot.conversing.german import GERMAN
from citebot.conversing.words import Texts

T = TypeVar("T", bound=Texts)
LANGUAGES: Mapping[str, Texts] = {texts.language: texts for texts in (ENGLISH, GERMAN)}
SAID_BY_THE_CORE = (
    *("no_question", "nothing_found", "unsupported_closest", "unsupported", "unknown"),
    *("cannot_write_yet", "not_written", "cannot_write", "busy", "broken_off"),
    *("keywords_only", "partial_index", "standby", "simple_ranking", "live_unsearched"),
    *("stopped_early", "stopped", "too_slow", "cut_off"),
    *("question_cut", "not_read", "read_in_part", "groups_unchecked", "readers_unchecked"),
    *("older_version_of", "older_version", "open_to_all"),
    *("given_up", "withdrawn", "withheld", "not_yours", "not_asked", "nobody_to_ask", "asked_too_often"),
    *("searching_sources", "searching", "reading_passages", "reading", "writing", "still_working"),
    *("budget_spent", "search_down", "source_old", "asked_at"),
    *("no_source", "admins_only", "keepers_only"),
)
"""Names of texts whose English wording is the core's; the more special one first."""


def of_language(locale: str, languages: Mapping[str, T]) -> T:
    """The texts of a locale such as `de-DE`; English where there is no better."""
    return languages.get(locale.replace("_", "-").partition("-")[0].lower(), languages[ENGLISH.language])


def translated(sentence: str, texts: Texts) -> str:
    """A sentence of the core in another language; what is none of its own stays as it is."""
    if texts.language == ENGLISH.language:
        return sentence
    for name in SAID_BY_THE_CORE:
        if found := _pattern(name).fullmatch(sentence.strip()):
            template: str = getattr(texts, name)
            return template.format(**{key: _localised(key, value, texts) for key, value in found.groupdict().items()})
    return sentence


def _localised(placeholder: str, value: str, texts: Texts) -> str:
    """A list of titles or a number as it is written there."""
    if placeholder == "age":
        return value.replace(" days", texts.days.many.removeprefix("{count}"))
    if placeholder == "limit":
        return value.replace(",", texts.thousands)
    return value.replace("” and “", f"” {texts.and_} “") if placeholder == "titles" else value


@cache
def _pattern(name: str) -> re.Pattern[str]:
    """What matches an English text, with a group for each placeholder."""
    escaped = re.escape(getattr(ENGLISH, name))
    return re.compile(re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>.+?)", escaped), re.DOTALL)


def is_help(text: str) -> bool:
    """Whether somebody asks how to use the bot, in any language."""
    words = text.strip().casefold().rstrip("!. ")
    return any(words in texts.help_words for texts in LANGUAGES.values())
