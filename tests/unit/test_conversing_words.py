"""The words that every platform says, what a platform makes of them, and what stands beside an answer."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest

from citebot.conversing import ENGLISH, GERMAN, LANGUAGES, Texts, of_language, translated, words_of
from citebot.conversing.attachments import BYTES_MOST, is_text, text_of
from citebot.conversing.origins import of_documents, origin_of
from citebot.conversing.sources import source_lines
from citebot.model import EVERYONE, Passage, Readers
from citebot.ports import SourceStatus
from citebot.testing.scripted_chat import MARKUP

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Louder(Texts):
    """A platform's own texts."""

    greeting: str


def test_a_platform_adds_words_and_says_others_otherwise() -> None:
    loud = {"en": Louder(**words_of(ENGLISH) | {"greeting": "HELLO", "help": "HELP"})}
    assert of_language("ja-JP", loud).greeting == "HELLO"
    assert of_language("ja-JP", loud).helpful == ENGLISH.helpful
    assert of_language("de_AT", LANGUAGES) is GERMAN


def test_the_cores_own_sentences_are_found_again_in_a_platforms_texts() -> None:
    loud = Louder(**words_of(GERMAN) | {"greeting": "HALLO"})
    assert translated("Searching 4 sources", loud) == "Durchsucht 4 Quellen"
    assert translated("wiki last read 3 days ago", loud) == "wiki zuletzt vor 3 Tagen gelesen"


def test_sources_are_listed_largest_first_with_their_age_and_nothing_in_them_is_markup() -> None:
    read = NOW - timedelta(hours=3)
    known = [
        SourceStatus("wiki*", "jsonl", 1, 1, read, failure="gone"),
        SourceStatus("files", "files", 7, 9),
        SourceStatus("old", "jsonl", 3, 3, read, paused=True),
    ]
    assert source_lines(ENGLISH, known, now=NOW, markup=MARKUP) == [
        "**files**: 7 documents, not read yet",
        "**old**: 3 documents, paused, read 3 hours ago",
        "**wiki\\***: 1 document, cannot be read now, last read 3 hours ago",
    ]
    many = [SourceStatus(f"s{number}", "jsonl", 1, 1) for number in range(27)]
    assert source_lines(ENGLISH, many, now=NOW, markup=MARKUP)[-1] == "and 2 more sources"


@pytest.mark.parametrize(
    ("name", "kind", "size", "fit"),
    [
        ("boot.log", "", 10, True),
        ("data", "application/json; charset=utf-8", 10, True),
        ("page.txt", "text/html", 10, False),
        ("photo.png", "image/png", 10, False),
        ("big.txt", "text/plain", BYTES_MOST + 1, False),
        ("empty.txt", "text/plain", 0, False),
    ],
)
def test_which_files_are_texts(name: str, kind: str, size: int, fit: bool) -> None:
    assert is_text(name, kind, size) is fit


def test_what_is_in_a_file_decides_in_the_end() -> None:
    assert text_of("\ufeffwörds\n".encode()) == "wörds"
    assert text_of(b"\x00binary") == ""
    assert text_of(b"x" * (BYTES_MOST + 1)) == ""


def test_the_origin_of_a_passage_is_its_place_and_how_old_it_is() -> None:
    anyone = Readers(frozenset({EVERYONE}))
    passage = Passage(
        1, "wiki", "p", "<b>Travel</b>", "https://x.example/p", "s", ("Travel", "Trains"), "…", "paragraph", 0, anyone
    )
    origin = origin_of(
        replace(passage, updated=datetime(2026, 1, 31), synced=NOW - timedelta(hours=2)),
        ENGLISH,
        now=NOW,
    )
    assert (origin.section, origin.facts) == ("Trains", "wiki, updated 2026-01-31, read 2 hours ago")
    assert origin.link == "https://x.example/p#s"
    assert of_documents([passage, replace(passage, id=2)]) == [passage]
