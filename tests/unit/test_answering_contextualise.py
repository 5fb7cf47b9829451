from __future__ import annotations

import pytest

from citebot.answering.contextualise import Contextualiser
from citebot.model import Turn
from citebot.testing.small_world import ask


async def standalone(text: str, *earlier: str):  # type: ignore[no-untyped-def]
    history = [Turn("user", turn) for turn in earlier]
    return await Contextualiser(context_weight=0.2).run(ask(text, history=history))


async def test_a_first_question_stands_alone() -> None:
    made = await standalone("|user|: How many vacation days do employees get?")
    assert made.text == made.last == "How many vacation days do employees get?"
    assert (made.search_text, made.context_text, made.leans) == ("vacation days employees", "", False)


async def test_an_ellipsis_leans_on_the_turn_before() -> None:
    made = await standalone("and for contractors?", "How many vacation days do employees get?")
    assert made.leans
    assert made.text == "How many vacation days do employees get? and for contractors?"
    assert made.search_text == "contractors"
    assert made.context_text == "vacation days employees"
    assert made.context_weight > 0.2
    assert {"contractor", "vacation"} <= set(made.terms)


async def test_a_chain_of_ellipses_reaches_the_topic() -> None:
    made = await standalone("and in Berlin?", "How many vacation days do employees get?", "and for contractors?")
    assert made.context_text == "vacation days employees contractors"


async def test_a_new_question_gets_the_old_terms_at_a_low_weight_and_never_as_text() -> None:
    made = await standalone(
        "How do I request a new laptop for development?", "How many vacation days do employees get?"
    )
    assert not made.leans
    assert made.text == "How do I request a new laptop for development?"
    assert made.context_weight == 0.2
    assert set(made.terms).isdisjoint({"vacation", "employe"})


@pytest.mark.parametrize(
    ("text", "leans"),
    [
        ("who approves it?", True),
        ("And Berlin?", True),
        ("what about Cork?", True),
        ("why?", True),
        ("Und für Werkstudenten?", True),
        ("Wer genehmigt das?", False),
        ("What is Rookery?", False),
        ("How do I reset my password?", False),
        ("Where does the on-call engineer find the runbook?", False),
    ],
)
async def test_what_needs_an_earlier_turn(text: str, leans: bool) -> None:
    assert (await standalone(text, "How many vacation days do employees get?")).leans == leans


async def test_answers_of_the_bot_are_not_questions() -> None:
    history = (Turn("user", "What is Rookery?"), Turn("assistant", "Rookery is the cloud service."))
    made = await Contextualiser().run(ask("and Tern?", history=history))
    assert made.context_text == "Rookery"
