from __future__ import annotations

from pathlib import Path

import pytest

from citebot.answering import decide
from citebot.answering.evidence import RecentVectors, SentenceVectors
from citebot.answering.trace import Trace
from citebot.errors import ModelUnavailable
from citebot.testing.fake_models import FakeEmbedder
from citebot.testing.small_world import Page, SmallWorld, answer_of, ask

PAGES = [
    Page("The hotel limit in Berlin is €175 per night with breakfast.", title="Travel"),
    Page("HRN-E17 means that the device certificate has expired.", title="Heron codes"),
    Page("Laptops are replaced after four years.", title="Equipment"),
    Page("The kitchen is cleaned on Fridays.", title="Kitchen"),
]


async def confidence(world: SmallWorld, text: str) -> float:
    return (await world.path()._gathering.run(ask(text), Trace())).decision.confidence


@pytest.mark.parametrize("vectors", [True, False])
async def test_a_question_that_is_answered_gets_more_than_one_that_is_not(tmp_path: Path, vectors: bool) -> None:
    world = SmallWorld(tmp_path, embedder=FakeEmbedder() if vectors else None)
    await world.open()
    await world.add(PAGES)
    near = await confidence(world, "What is the hotel limit in Berlin?")
    topic = await confidence(world, "Which hotel chain sponsors our volleyball tournament?")
    nothing = await confidence(world, "zebra crossing paint")
    await world.close()
    assert near > 0.5 > topic > nothing >= 0


async def test_an_exact_name_that_is_missing_counts_against(tmp_path: Path) -> None:
    world = SmallWorld(tmp_path)
    await world.open()
    await world.add(PAGES)
    assert await confidence(world, "What does HRN-E17 mean?") > 0.5
    assert await confidence(world, "What does HRN-E99 mean?") < 0.3
    await world.close()


async def test_the_threshold_of_the_settings_decides(tmp_path: Path) -> None:
    world = SmallWorld(tmp_path)
    await world.open()
    await world.add(PAGES)
    asked = ask("What is the hotel limit in Berlin?")
    assert (await answer_of(world.path(threshold=0.3), asked)).answered
    assert not (await answer_of(world.path(threshold=0.999), asked)).answered
    await world.close()


def test_every_weight_pulls_towards_an_answer() -> None:
    for weights in (decide.WITH_VECTORS, decide.WORDS_ONLY):
        assert all(weight > 0 for name, weight in weights.items() if name != "bias")


def test_confidence_is_a_probability_whatever_the_features() -> None:
    for value in (-1e9, 0.0, 1e9):
        found = {"sentence_lift": value, "passage_coverage": value, "names_missing": 0.0, "names_found": 0.0}
        assert 0 <= decide.confidence(found) <= 1


async def test_sentences_are_embedded_once() -> None:
    embedder = FakeEmbedder()
    await embedder.open()
    vectors = SentenceVectors(embedder)
    first = await vectors.embed(["one", "two", "one"])
    embedder.fail = True
    assert await vectors.embed(["two", "one"]) == [first[1], first[0]]
    with pytest.raises(ModelUnavailable):
        await vectors.embed(["three"])
    assert await vectors.try_embed(["three"]) is None


async def test_sentences_of_earlier_questions_are_not_embedded_again_until_they_are_forgotten() -> None:
    embedder, recent = FakeEmbedder(), RecentVectors(most=2)
    await embedder.open()
    first = await SentenceVectors(embedder, recent).embed(["one", "two"])
    embedder.fail = True
    assert await SentenceVectors(embedder, recent).embed(["two", "one"]) == [first[1], first[0]]
    embedder.fail = False
    await SentenceVectors(embedder, recent).embed(["three"])
    embedder.fail = True
    assert await SentenceVectors(embedder, recent).embed(["one"]) == [first[0]]
    with pytest.raises(ModelUnavailable):
        await SentenceVectors(embedder, recent).embed(["two"])
