from __future__ import annotations

from time import process_time

import pytest

from citebot.answering.ground import Grounding, declines, without_numbers
from citebot.answering.sentences import Unit, units
from citebot.testing.contract_generator import passages

GROUNDING = Grounding(
    passages(
        [
            "Employees get 26 days of paid annual leave in a calendar year. Contractors get none.",
            "Deploys on Fridays are not allowed after 14:00. Ask Bram Oduya, or set `deploy.freeze = off` in rook-42.",
            "Fail over like this:\n\n```sh\npg_ctl promote -D /srv/pg\nsystemctl stop dipper\n```",
            "| place | limit |\n| --- | --- |\n| Berlin | €175 |\n| Dublin | €230 |",
        ]
    )
)


def check(text: str) -> dict[int, tuple[str, ...]] | None:
    [unit] = units(text)
    found = GROUNDING.check(unit)
    return found.support if found else None


@pytest.mark.parametrize(
    "text",
    [
        "Employees get 26 days of paid annual leave in a calendar year. [1]",
        "In a calendar year, employees get 26 days of leave [1].",
        "Friday deploys are not allowed after 14:00 [2].",
        "Bram Oduya can set `deploy.freeze = off` [2].",
        "```sh\npg_ctl promote -D /srv/pg\n```",
        "| place | limit |\n|---|---|\n| Dublin | €230 |",
    ],
)
def test_what_the_passage_says_stays(text: str) -> None:
    assert check(text)


@pytest.mark.parametrize(
    ("why", "text"),
    [
        ("another number", "Employees get 27 days of paid annual leave in a calendar year. [1]"),
        ("another name", "Ask Priya Oduya about Fridays after 14:00 [2]."),
        ("another identifier", "Set `deploy.freeze = on` in rook-42 [2]."),
        ("another ticket", "Ask Bram about deploys, see rook-43 [2]."),
        ("a negation of our own", "Employees do not get 26 days of paid annual leave [4]."),
        ("a negation left out", "Deploys on Fridays are allowed after 14:00 [2]."),
        ("a quotation of our own", "The rule says “leave is never refused” to employees [1]."),
        ("other words", "Managers approve sabbaticals for veterans generously [1]."),
        ("a number from elsewhere", "Contractors get 175 days of paid leave in a calendar year [1]."),
        ("other code", "```sh\nrm -rf /srv/pg\n```"),
        ("another cell", "| place | limit |\n|---|---|\n| Dublin | €175 |"),
        ("no words", "[1][2]"),
        ("a heading", "## Annual leave"),
    ],
)
def test_what_no_passage_says_is_dropped(why: str, text: str) -> None:
    assert check(text) is None, why


def test_a_wrong_citation_is_replaced_by_the_right_one() -> None:
    text = "Employees get 26 days of paid annual leave in a calendar year."
    assert list(check(f"{text} [2]") or ()) == [1]
    assert list(check(f"{text} [99]") or ()) == [1]
    assert list(check(text) or ()) == [1]


def test_the_supporting_sentence_is_named() -> None:
    support = check("Employees get 26 days of leave [1].")
    assert support == {1: ("Employees get 26 days of paid annual leave in a calendar year.",)}


def test_a_sentence_may_need_two_passages() -> None:
    found = check("Employees get 26 days of leave, and deploys on Fridays are not allowed after 14:00 [1, 2].")
    assert found
    assert set(found) == {1, 2}


DISGUISED = [
    "[99]", "[1, 99]", "[98-120]", "[[99]]", "[ 99 ]", "[^99]", "[-1]", "[1000]", "\\[99\\]", "[９９]", "【99†source】",
    "[1][99]", "[0]",
]  # fmt: skip


@pytest.mark.parametrize("number", DISGUISED)
def test_no_number_is_left_that_stands_for_nothing(number: str) -> None:
    text = f"Leave is {number} 26 days{number} a year. {number}"
    assert without_numbers(text).replace("  ", " ") == "Leave is 26 days a year."


@pytest.mark.parametrize(
    "text", ["`args[0]` is the path", "`a[1][2]` and `b[3]`", "see [2026-11-28 12:00] in it", "[a]"]
)
def test_what_is_no_number_of_a_passage_stays(text: str) -> None:
    assert without_numbers(text) == text


@pytest.mark.parametrize("text", [" ", "[", "[1†", "[ ", "[1,", "`", "\\[", "[^ ", "[-"])
def test_no_draft_makes_the_search_for_numbers_slow(text: str) -> None:
    begun = process_time()
    without_numbers("a" + text * (24_000 // len(text)) + "b")
    assert process_time() - begun < 0.5


@pytest.mark.parametrize("said", ["Yes.", "No, it is not.", "That is so.", "It should not be."])
def test_what_says_nothing_of_its_own_is_not_held(said: str) -> None:
    assert check(f"{said} [1]") is None


def test_only_a_lone_nought_at_the_end_declines() -> None:
    assert declines(Unit("sentence", "The passages do not say that. [0]"))
    assert not declines(Unit("sentence", "The passages do not say that. [0] [1]"))
    assert not declines(Unit("sentence", "The first is [0] and the rest are others."))
