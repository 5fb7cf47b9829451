"""Questions that are none, are too long, or come from people and about sources that are not known."""

from __future__ import annotations

from typing import Any

import pytest

QUESTION = "How many days of annual leave do I get?"


@pytest.mark.parametrize("text", ["", "  \n\t ", "🦉🦉🦉", "?!…", "\x00\x07", "\ud800"], ids=repr)
def test_what_is_no_question_is_told_so(text: str, company: Any) -> None:
    answer = company.json("ask", text)

    assert "could not find a question" in answer["text"]
    assert (answer["answered"], answer["citations"]) == (False, [])


def test_of_a_huge_question_the_beginning_is_read(company: Any) -> None:
    answer = company.json("ask", QUESTION + " really" * 15_000)

    assert len(answer["question"]) == 8_000
    assert "only the first 8,000 characters of the question were read" in answer["notes"]


def test_a_question_in_another_language_gets_an_honest_answer(company: Any) -> None:
    answer = company.json("ask", "Wie viele Urlaubstage habe ich im Jahr?")

    assert answer["text"]
    assert answer["answered"] == bool(answer["citations"])


def test_a_person_nobody_knows_is_a_member_without_groups(company: Any) -> None:
    nobody = company.json("search", "-k", "200", "salary bands")["hits"]
    unknown = company.json("search", "-k", "200", "--as", "who@else.where", "salary bands")["hits"]

    assert [hit["passage"] for hit in unknown] == [hit["passage"] for hit in nobody]


def test_nothing_is_kept_of_a_question_about_an_unknown_source(company: Any) -> None:
    before = company.json("answers", "list")

    refused = company("ask", "--source", "wiki", QUESTION)

    assert (refused.exit_code, refused.stdout) == (1, "")
    assert refused.stderr == "citebot: There is no source “wiki”. Known: company, tickets.\n"
    assert company.json("answers", "list") == before


def test_group_lists_that_have_gone_stale_open_nothing_and_the_asker_is_told(company: Any) -> None:
    stale = ("--set", "access.staleness=0.001")
    person = ("-k", "200", "--as", "mara", "salary bands")

    fresh_hits = {hit["document"] for hit in company.json("search", *person)["hits"]}
    found = company.json(*stale, "search", *person)

    assert {hit["document"] for hit in found["hits"]} < fresh_hits
    assert "documents for your groups in company may be left out" in found["notes"][0]
    assert "Note: documents for your groups" in company(*stale, "ask", "--as", "mara", QUESTION).stdout
    assert company.json("search", *person)["notes"] == []
    assert company.json(*stale, "search", "-k", "200", "salary bands")["notes"] == []
