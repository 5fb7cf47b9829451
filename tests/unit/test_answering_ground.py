from __future__ import annotations

import pytest

from citebot.answering.ground import Grounding
from citebot.answering.sentences import units
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
