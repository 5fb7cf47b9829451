"""What people read in Slack is there in every language, fits where it is shown, and knows the core's own words."""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Iterator
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from citebot.answering import texts as core
from citebot.app import consulting, desk, managing
from citebot.conversing import is_help, languages, translated
from citebot.conversing.words import Counted
from citebot.delivery import answering as delivery
from citebot_connectors.platforms.slack import texts as module
from citebot_connectors.platforms.slack.texts import ENGLISH, GERMAN, Prompt, Texts, texts_for

NAMES = [field.name for field in fields(Texts)]
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)

# Every row of the table of faults: the texts that somebody in Slack reads then; none where nothing is to be read.
FAULTS: dict[str, tuple[str, ...]] = {
    "the model does not answer": ("cannot_write",),
    "the model is slow": ("still_working", "too_slow", "cut_off", "cannot_write"),
    "the model wants fewer calls": ("cannot_write",),
    "the draft has no valid citation": ("unsupported", "unsupported_closest"),
    "the reranker is down": ("simple_ranking",),
    "the search of Slack is down": ("live_unsearched",),
    "the embedder is down": ("keywords_only",),
    "the model of the vectors was changed": (),
    "the index is down": ("search_down", "given_up", "ask_again", "standby"),
    "part of the index is down": ("partial_index",),
    "the index takes no more documents": (),
    "the inbox cannot be written": ("not_saved",),
    "the database is down at the answer": (),
    "Slack wants fewer calls": (),
    "Slack is down": ("asked_at",),
    "the socket is deaf": (),
    "a source is down": ("source_old", "failing"),
    "lists of readers are too old": ("groups_unchecked", "readers_unchecked"),
    "the budget is spent": ("budget_spent",),
    "a plugin raises or hangs": (),
    "the disk is full": ("cannot_save",),
}
# Where Slack has room for so many characters.
ROOM = {
    24: ("why_title", "ask_title", "question_title", "ask_submit", "send", "cancel", "settings_title", "settings_save"),
    75: ("helpful", "not_helpful", "delete", "ask_again", "share", "remove_answer", "keep_answer"),
    150: ("home_title", "how_heading", "sources_heading", "privacy_heading", "ask_example"),
    300: ("delete_confirm",),
    2000: ("why_label", "why_hint", "ask_label", "home_intro"),
    3000: ("how", "privacy", "help"),
}


def leaves(value: object) -> Iterator[str]:
    """Every string of a text."""
    match value:
        case str():
            yield value
        case Counted(one=one, many=many):
            yield from (one, many)
        case Prompt(title=title, message=message):
            yield from (title, message)
        case tuple():
            for item in value:
                yield from leaves(item)


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


@pytest.mark.parametrize("name", NAMES)
def test_every_text_is_there_in_every_language_with_the_same_placeholders(name: str) -> None:
    english, german = (list(leaves(getattr(texts, name))) for texts in (ENGLISH, GERMAN))
    assert all(text.strip() for text in english + german)
    assert [placeholders(text) for text in english] == [placeholders(text) for text in german]
    assert set(english) != set(german)


def test_every_text_has_a_speaker() -> None:
    folders = [Path(str(found.__file__)).parent for found in (module, languages)]
    code = "".join(path.read_text("utf-8") for folder in folders for path in folder.glob("*.py"))
    said = {name for name in NAMES if re.search(rf"(texts|ENGLISH|\)|self|words)\.{name}\b", code)}
    looked_up = {name for name in NAMES if name.startswith("settings_")}  # by the name of the setting
    assert set(NAMES) - said - looked_up - set(languages.SAID_BY_THE_CORE) == set()


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_that_is_seen_in_slack_has_words(fault: str) -> None:
    assert set(FAULTS[fault]) <= set(NAMES)


@pytest.mark.parametrize(("room", "names"), ROOM.items())
@pytest.mark.parametrize("texts", [ENGLISH, GERMAN], ids=lambda texts: texts.language)
def test_texts_fit_where_they_are_shown(texts: Texts, room: int, names: tuple[str, ...]) -> None:
    assert {name: text for name in names if len(text := getattr(texts, name)) > room} == {}


@pytest.mark.parametrize(
    ("locale", "texts"),
    [("de-DE", GERMAN), ("de", GERMAN), ("DE_at", GERMAN), ("en-GB", ENGLISH), ("ja-JP", ENGLISH), ("", ENGLISH)],
)
def test_the_locale_chooses_the_language(locale: str, texts: Texts) -> None:
    assert texts_for(locale) is texts


TITLES = ["Travel policy", "Who’s who and why", "Expenses {2026}"]
SAYINGS: dict[str, Callable[[], str]] = {
    "no question": lambda: core.NO_QUESTION,
    "nothing found": lambda: core.unknown([]),
    "unknown": lambda: core.unknown(TITLES),
    "unknown, one": lambda: core.unknown(TITLES[:1]),
    "unsupported": lambda: core.unsupported([]),
    "unsupported, closest": lambda: core.unsupported(TITLES[:2]),
    "cannot write": lambda: core.cannot_write([1, 2, 3]),
    "cannot write yet": lambda: core.will_update(core.cannot_write([1, 2, 3])),
    "not written": lambda: core.not_back(core.cannot_write([1, 2, 3])),
    "busy": lambda: core.busy(12),
    "broken off": lambda: core.BROKEN_OFF,
    "keywords": lambda: core.KEYWORDS_ONLY,
    "partial": lambda: core.PARTIAL_INDEX,
    "standby": lambda: core.standby(130),
    "ranking": lambda: core.SIMPLE_RANKING,
    "live search": lambda: core.LIVE_UNSEARCHED,
    "stopped early": lambda: core.STOPPED_EARLY,
    "stopped": lambda: core.STOPPED,
    "too slow": lambda: core.TOO_SLOW,
    "cut off": lambda: core.CUT_OFF,
    "not read": lambda: core.not_read(["photo.png"]),
    "read in part": lambda: core.read_in_part(["log.txt"]),
    "question cut": lambda: core.question_cut(8000),
    "groups": lambda: core.groups_unchecked(["wiki", "tickets"]),
    "readers": lambda: core.readers_unchecked(["wiki"]),
    "older": lambda: core.older_version("Travel policy", ""),
    "older, dated": lambda: core.older_version("Travel policy", "2025-01-31"),
    "searching": lambda: core.searching(1),
    "searching, many": lambda: core.searching(4),
    "reading": lambda: core.reading(1),
    "reading, many": lambda: core.reading(5),
    "still working": lambda: core.STILL_WORKING,
    "search down": lambda: core.SEARCH_DOWN,
    "over budget": lambda: core.over_budget([1, 2, 3]),
    "old": lambda: core.source_old("wiki", timedelta(minutes=40)),
    "very old": lambda: core.source_old("wiki", timedelta(days=3)),
    "late": lambda: core.asked_at(NOW),
    "open to all": lambda: core.open_to_all(TITLES),
    "not asked": lambda: consulting.NOT_ASKED,
    "nobody": lambda: consulting.NOBODY,
    "too often": lambda: consulting.TOO_OFTEN,
    "admins": lambda: managing.ADMINS_ONLY,
    "keepers": lambda: managing.KEEPERS_ONLY,
    "writing": lambda: core.WRITING,
    "given up": lambda: delivery.GIVEN_UP,
    "withdrawn": lambda: delivery.WITHDRAWN,
    "withheld": lambda: desk.WITHHELD,
    "not yours": lambda: desk.NOT_YOURS,
}


def test_everything_the_core_says_by_itself_is_among_the_sayings() -> None:
    """A new sentence of the core must get its words here too."""
    known = {saying() for saying in SAYINGS.values()}
    constants = {value for name, value in vars(core).items() if name.isupper() and isinstance(value, str)}
    functions = {name for name, value in vars(core).items() if callable(value) and value.__module__ == core.__name__}
    assert constants - known == set()
    assert functions == {
        *("question_cut", "groups_unchecked", "readers_unchecked", "unknown", "unsupported", "cannot_write"),
        *("older_version", "_listed", "over_budget", "_marks", "source_old", "_duration", "asked_at"),
        *("searching", "reading", "not_read", "read_in_part"),
        *("standby", "open_to_all", "will_update", "not_back", "_followed", "busy", "is_busy"),
    }


@pytest.mark.parametrize("saying", SAYINGS)
def test_what_the_core_says_is_said_in_german_with_the_same_facts(saying: str) -> None:
    sentence = SAYINGS[saying]()
    german = translated(sentence, GERMAN)
    assert german != sentence
    assert translated(sentence, ENGLISH) == sentence
    facts = [fact for fact in [*TITLES, "[1] [2] [3]", "wiki", "2025-01-31"] if fact in sentence]
    assert [fact for fact in facts if fact not in german] == []
    assert " and “" not in german


def test_the_english_wording_of_the_core_is_kept_word_for_word() -> None:
    names = {name for name in languages.SAID_BY_THE_CORE if not placeholders(getattr(ENGLISH, name))}
    sayings = {saying() for saying in SAYINGS.values()}
    assert {name for name in names if getattr(ENGLISH, name) not in sayings} == set()


def test_an_answer_is_never_taken_for_a_sentence_of_the_core() -> None:
    for text in ("Searching takes a while [1].", "The allowance is 28 euros [1].", "part of the index", ""):
        assert translated(text, GERMAN) == text


def test_numbers_are_written_as_the_language_does() -> None:
    assert "8.000" in translated(core.question_cut(8000), GERMAN)
    assert translated(core.searching(4), GERMAN) == "Durchsucht 4 Quellen"
    assert translated(core.source_old("wiki", timedelta(days=3)), GERMAN) == "wiki zuletzt vor 3 Tagen gelesen"


@pytest.mark.parametrize(
    ("seconds", "english", "german"),
    [
        (0, "a moment", "einem Augenblick"),
        (59, "a moment", "einem Augenblick"),
        (60, "1 minute", "1 Minute"),
        (7_300, "2 hours", "2 Stunden"),
        (86_400, "1 day", "1 Tag"),
        (500_000, "5 days", "5 Tagen"),
        (-30, "a moment", "einem Augenblick"),
    ],
)
def test_ages(seconds: float, english: str, german: str) -> None:
    moment = NOW - timedelta(seconds=seconds)
    assert ENGLISH.age(moment, now=NOW) == english
    assert GERMAN.age(moment.replace(tzinfo=None), now=NOW) == german


@pytest.mark.parametrize("text", ["help", " Help! ", "HILFE", "?", "hilfe."])
def test_help_is_asked_for_in_any_language(text: str) -> None:
    assert is_help(text)


@pytest.mark.parametrize("text", ["", "help me with travel", "Where is help described?", "helpful"])
def test_a_question_is_not_a_call_for_help(text: str) -> None:
    assert not is_help(text)
