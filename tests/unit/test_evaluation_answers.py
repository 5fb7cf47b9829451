"""Judging answers: documents, citations, refusals, leaks."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from citebot.errors import ModelUnavailable
from citebot.evaluation import (
    EvalQuestion,
    answer_table,
    check_citations,
    evaluate_answers,
    judge_answer,
    token_f1,
)
from citebot.evaluation.citations import literals, statements
from citebot.model import Answer, Audience, Citation, Conversation, Passage, Person, Question, Readers, ScoredPassage

BODY = "The notice period is 3 months. Ask people-ops, or call deploy_api with retry=4 within 30,000 ms."


def passage(document: str = "hr/notice.md", text: str = BODY) -> Passage:
    return Passage(
        id=1,
        source="files",
        document_id=document,
        title="Notice",
        url="",
        anchor="",
        headings=(),
        text=text,
        kind="paragraph",
        position=0,
        readers=Readers.everyone(),
    )


def answer(text: str, *passages: Passage, answered: bool = True, **values: Any) -> Answer:
    question = Question("?", Person("ada"), Conversation("test", "1"), Audience(frozenset({"everyone"})))
    citations = tuple(Citation(number, one) for number, one in enumerate(passages, start=1))
    return Answer(id="1", question=question, text=text, answered=answered, citations=citations, **values)


ASKED = EvalQuestion(
    id="q",
    kind="answerable",
    question="How long is the notice period?",
    person="ada",
    answer="Three months: the notice period is 3 months.",
    gold_documents=("hr/notice.md",),
    gold_sentences=("The notice period is 3 months.",),
)
UNKNOWN = replace(ASKED, id="u", kind="unanswerable", answer="", gold_documents=(), gold_sentences=())


@pytest.mark.parametrize(
    ("text", "cited"),
    [
        ("One. [1] Two [2].", [("One.", (1,)), ("Two.", (2,))]),
        ("One. [1][2] [3] Two.", [("One.", (1, 2, 3)), ("Two.", ())]),
        ("One, e.g. this. [1, 2]", [("One, e.g. this.", (1, 2))]),
        ("1. First step [1]\n2. Second step [2][3]", [("First step", (1,)), ("Second step", (2, 3))]),
        (
            "Run this:\n```\nx = rows[0]. Then [7]\n```\n[1]",
            [("Run this:", ()), ("```\nx = rows[0]. Then [7]\n```", (1,))],
        ),
        ("| a | b |\n| 1 | 2 [1] |", [("| a | b |\n| 1 | 2 |", (1,))]),
        ("Call `rows[3]` here [1].", [("Call `rows[3]` here.", (1,))]),
        ("", []),
        ("[1]", []),
    ],
)
def test_answers_are_cut_into_statements(text: str, cited: list[tuple[str, tuple[int, ...]]]) -> None:
    found = [(statement.text, statement.cited) for statement in statements(text)]
    assert found == cited


def test_numbers_and_identifiers_are_what_must_be_supported() -> None:
    assert literals("Set MAX_RETRY to 30,000 on v2.1 via deployApi at 10.0.0.1, NASA says so on Monday") == {
        "max_retry",
        "30000",
        "v2.1",
        "deployapi",
        "10.0.0.1",
        "nasa",
    }


@pytest.mark.parametrize(
    ("text", "dangling", "unsupported", "uncited"),
    [
        ("The notice period is 3 months [1].", 0, 0, 0),
        ("The notice period is 30000 ms [1].", 0, 0, 0),
        ("The notice period is 30 months [1].", 0, 1, 0),
        ("Call deploy_db [1].", 0, 1, 0),
        ("The notice period is 3 months, says deploy_db [1].", 0, 1, 0),
        ("The notice period is 00 months [1].", 0, 1, 0),
        ("The notice period is long [2].", 1, 0, 0),
        ("The notice period is 3 months.", 0, 0, 1),
        ("The notice period is 9 months.", 0, 1, 1),
    ],
)
def test_citations_are_checked(text: str, dangling: int, unsupported: int, uncited: int) -> None:
    check = check_citations(answer(text, passage()))
    assert (len(check.dangling), len(check.unsupported), check.uncited) == (dangling, unsupported, uncited)


def test_a_right_answer_is_praised() -> None:
    row = judge_answer(ASKED, answer("The notice period is 3 months [1].", passage()))
    assert (row.gold_precision, row.gold_recall, row.sentence_recall) == (1.0, 1.0, 1.0)
    assert row.token_f1 is not None
    assert row.token_f1 > 0.7


def test_a_wrong_document_halves_the_precision() -> None:
    row = judge_answer(ASKED, answer("It is 3 months [1] [2].", passage(), passage("lunch.md")))
    assert (row.gold_precision, row.gold_recall) == (0.5, 1.0)


def test_an_answer_where_none_was_due_has_no_precision() -> None:
    row = judge_answer(UNKNOWN, answer("It is 3 months [1].", passage()))
    assert (row.expected, row.answered, row.gold_precision, row.token_f1) == (False, True, 0.0, None)


def test_a_refusal_that_names_a_document_the_person_may_not_read_is_a_leak() -> None:
    denied = replace(ASKED, kind="restricted", answer="")
    closest = (ScoredPassage(passage(), 1.0),)
    assert judge_answer(denied, answer("I don't know.", answered=False, closest=closest)).leaked == ("hr/notice.md",)
    assert judge_answer(denied, answer("I don't know.", answered=False)).leaked == ()
    allowed = replace(ASKED, kind="restricted")
    assert judge_answer(allowed, answer("3 months [1].", passage())).leaked == ()


async def test_a_run_is_summed_up_by_kind() -> None:
    async def ask(question: EvalQuestion) -> Answer:
        if question.id == "broken":
            raise ModelUnavailable("away")
        if question.kind == "unanswerable":
            return answer("I don't know.", answered=False, confidence=0.2)
        return answer("The notice period is 3 months [1].", passage(), confidence=0.9)

    questions = [ASKED, replace(ASKED, id="broken"), UNKNOWN]
    report = await evaluate_answers(questions, ask)
    measures = report.measures()
    assert (measures["answered"].mean, measures["refused"].mean) == (0.5, 1.0)
    assert set(report.measures(kind="unanswerable")) == {"refused"}
    assert report.auroc == 1.0
    assert report.counts()["failed"] == 1
    console = Console(file=io.StringIO(), width=200)
    console.print(answer_table(report))
    assert "AUROC 1.000" in console.file.getvalue()  # type: ignore[attr-defined]
    written = json.loads(json.dumps(report.to_json()))
    assert written["by_kind"]["answerable"]["answered"]["mean"] == 0.5
    assert written["questions"][1]["failure"] == "away"


def test_token_f1() -> None:
    assert token_f1("The notice period: 3 months [1]", "notice period 3 months") == 1.0
    assert token_f1("cats", "dogs") == 0.0
    assert token_f1("", "") == 1.0
    assert token_f1("", "dogs") == 0.0
    assert token_f1("three months", "three weeks") == pytest.approx(0.5)
