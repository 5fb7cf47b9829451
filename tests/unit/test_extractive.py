from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from citebot.answering.ground import Grounding
from citebot.answering.sentences import units
from citebot.ports import Draft, GenerationRequest, PartContext
from citebot.testing.contract_generator import passages
from citebot.testing.fake_models import FakeEmbedder
from citebot_plugins.local.extractive import ExtractiveGenerator, ExtractiveSettings


async def draft(question: str, *texts: str, vectors: bool = False, **settings: object) -> str:
    embedder = FakeEmbedder()
    await embedder.open()
    request = GenerationRequest(question=question, original=question, passages=passages(texts))
    if vectors:
        request = replace(request, query_vector=await embedder.embed_query(question), embed=embedder.embed_passages)
    return await drafted(request, **settings)


async def drafted(request: GenerationRequest, **settings: object) -> str:
    generator = ExtractiveGenerator(ExtractiveSettings.model_validate(settings), PartContext(Path()))
    return "".join([piece.text async for piece in generator.generate(request) if isinstance(piece, Draft)])


@pytest.mark.parametrize("vectors", [True, False])
async def test_the_sentence_that_answers_is_quoted_and_cited(vectors: bool) -> None:
    text = await draft(
        "What is the hotel limit in Berlin?",
        "We like trains. The hotel limit in Berlin is €175 per night. The canteen has soup.",
        "Lunch is paid in Cork.",
        vectors=vectors,
    )
    assert text == "The hotel limit in Berlin is €175 per night. [1]"


async def test_a_sentence_that_points_back_takes_its_predecessor_along() -> None:
    text = await draft(
        "After how many minutes does it end?",
        "The renewal of a certificate is started in Rookery. It ends after 20 minutes.",
        sentences=1,
    )
    assert text.startswith("The renewal of a certificate is started in Rookery. [1] It ends after 20 minutes.")


async def test_code_and_tables_stay_whole_with_the_line_that_announces_them() -> None:
    code = "```sh\npg_ctl promote -D /srv/pg\nsystemctl stop dipper\n```"
    text = await draft(
        "How do I promote the replica of the database?", f"Promote the replica of the database:\n\n{code}\n\nHave tea."
    )
    assert text == f"Promote the replica of the database: [1]\n\n{code}\n[1]"
    table = "place | limit\nBerlin | €175\nDublin | €230"
    assert await draft("What is the limit in Dublin?", f"Our hotels.\n\n{table}\n\nHave tea.") == f"{table}\n[1]"


async def test_the_items_of_an_announced_list_come_along() -> None:
    text = await draft(
        "What do I need for a parental leave?", "For a parental leave you need:\n\n- a form\n- a date\n- tea\n\nBye."
    )
    assert text == "For a parental leave you need: [1]\n\n- a form [1]\n- a date [1]\n- tea [1]"


async def test_what_was_said_is_not_said_again() -> None:
    text = await draft(
        "What is the hotel limit in Berlin?",
        "The hotel limit in Berlin is €175 per night.",
        "In Berlin the hotel limit is €175 per night!",
        keep_elsewhere=0.1,
    )
    assert text.count("€175") == 1


async def test_of_two_equal_sentences_the_newer_is_quoted() -> None:
    [first, second] = passages(["The hotel limit is €140.", "The hotel limit is €175."])
    hits = (
        replace(first, score=1.0, passage=replace(first.passage, updated=datetime(2024, 1, 1))),
        replace(second, score=1.0, passage=replace(second.passage, updated=datetime(2026, 1, 1))),
    )
    text = await drafted(GenerationRequest("What is the hotel limit?", "", hits), sentences=1)
    assert text == "The hotel limit is €175. [2]"


async def test_german_is_answered_in_german() -> None:
    said = "Mit dem eigenen Auto beträgt das Kilometergeld z. B. 0,38 Euro je Kilometer."
    text = await draft(
        "Wie hoch ist das Kilometergeld mit dem eigenen Auto?",
        f"Am 3. Oktober ist frei. {said} Tee gibt es auch.",
    )
    assert text == f"{said} [1]"


async def test_everything_it_writes_is_grounded() -> None:
    texts = (
        "Employees get 26 days [3] of leave, e.g. in summer. They ask in Perch: it takes 2 days.\n\n1. Ask.\n2. Wait.",
        "WIFI\n\nleave | days\nannual | 26\nsick | 10\n\n> Leave is not money.",
        "```\nleave --days 26\n```",
    )
    text = await draft(
        "How many days of leave do employees get?", *texts, sentences=10, keep_within=0.0, keep_elsewhere=0.0
    )
    grounding = Grounding(passages(texts))
    found = [unit for unit in units(text) if unit.text.strip("[] 0123456789")]
    assert len(found) >= 6
    assert [unit.text for unit in found if grounding.check(unit) is None] == []
