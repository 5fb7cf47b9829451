from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
import pytest_asyncio

from citebot.answering import texts
from citebot.answering.hooks import NoHooks
from citebot.errors import IndexUnavailable, ModelUnavailable
from citebot.model import (
    Answer,
    Audience,
    CitationAdded,
    Done,
    PassagesFound,
    Question,
    Readers,
    ScoredPassage,
    Status,
    TextDelta,
    Turn,
)
from citebot.ports import IndexHits, IndexQuery, PartContext
from citebot.storage import answers, documents, sources
from citebot.testing.evil_model import HOST, EvilGenerator
from citebot.testing.fake_models import FakeEmbedder, FakeReranker, ScriptedGenerator
from citebot.testing.small_world import Page, SmallWorld, answer_of, ask, events_of
from citebot_plugins.local.extractive import ExtractiveGenerator, ExtractiveSettings

LEAVE = "Employees get 26 days of paid annual leave in a calendar year. Leave is requested in Perch."
PAGES = [
    Page(LEAVE, title="Leave"),
    Page("Contractors have no paid leave days. They agree on absences with their project lead.", title="Contractors"),
    Page(
        "The board plans 12 days of leave less from May.", title="Board minutes", readers=Readers.of(groups=["board"])
    ),
    Page("Deploys on Fridays are not allowed after 14:00. Ask the on-call engineer.", title="Deploys", source="eng"),
]


@pytest_asyncio.fixture
async def world(tmp_path: Path) -> AsyncIterator[SmallWorld]:
    world = SmallWorld(tmp_path, embedder=FakeEmbedder())
    await world.open()
    await world.add(PAGES)
    yield world
    await world.close()


def extractive() -> ExtractiveGenerator:
    return ExtractiveGenerator(ExtractiveSettings(), PartContext(Path()))


async def test_events_come_in_order_and_add_up_to_the_answer(world: SmallWorld) -> None:
    events = await events_of(world.path(extractive()), ask("How many days of annual leave do employees get?"))
    kinds = [type(event) for event in events if not isinstance(event, TextDelta | CitationAdded)]
    assert kinds == [Status, Status, PassagesFound, Status, Done]
    answer = events[-1].answer  # type: ignore[union-attr]
    assert answer.text == "".join(event.text for event in events if isinstance(event, TextDelta))
    assert answer.text.startswith("Employees get 26 days of paid annual leave in a calendar year. [1]")
    assert answer.answered
    added = [event.citation.number for event in events if isinstance(event, CitationAdded)]
    assert added == [citation.number for citation in answer.citations]
    assert answer.citations[0].passage.title == "Leave"
    assert "Employees get 26 days" in answer.citations[0].sentences[0]


async def test_a_follow_up_is_understood(world: SmallWorld) -> None:
    history = (Turn("user", "How many leave days do employees get?"), Turn("assistant", "26 [1]"))
    answer = await answer_of(world.path(extractive()), ask("and for contractors?", history=history))
    assert answer.text.startswith("Contractors have no paid leave days. [1]")


async def test_the_answer_and_its_trace_are_stored(world: SmallWorld) -> None:
    answer = await answer_of(world.path(), ask("annual leave"))
    with world.database.read() as tx:
        stored = answers.get(tx, answer.id)
    assert stored is not None
    assert stored.text == answer.text
    stages = [entry["stage"] for entry in stored.trace["stages"]]
    assert stages[:5] == ["contextualise", "retrieve", "fuse", "load", "passages_found"]
    assert {"collapse", "decide", "write", "recheck"} <= set(stages)
    assert all(entry["ms"] >= 0 for entry in stored.trace["stages"])
    assert stored.trace["withheld"] == 0
    assert 0 < stored.trace["own_ms"] <= stored.trace["first_text_ms"]
    assert LEAVE.split()[0] not in str(stored.trace)


async def test_another_keeper_may_store_it(world: SmallWorld) -> None:
    kept: list[str] = []

    async def keep(answer: Answer, trace: dict[str, object]) -> None:
        kept.append(answer.id)

    answer = await answer_of(world.path(), ask("annual leave"), keep=keep)
    with world.database.read() as tx:
        assert answers.get(tx, answer.id) is None
    assert kept == [answer.id]


async def test_below_the_threshold_the_closest_documents_are_named(world: SmallWorld) -> None:
    events = await events_of(world.path(threshold=1.0), ask("What is the leave policy on Mars?"))
    answer = events[-1].answer  # type: ignore[union-attr]
    assert not answer.answered
    assert answer.text.startswith("I don't know. The closest I found: “Leave”")
    assert answer.closest[0].passage.title == "Leave"
    assert "Board" not in answer.text
    assert not any(isinstance(event, TextDelta) for event in events)


async def test_nobody_is_told_what_only_others_may_read(world: SmallWorld) -> None:
    board = ask("What does the board plan for leave?", audience=Audience(frozenset({"everyone", "group:board"})))
    assert "12 days" in (await answer_of(world.path(), board)).text
    answer = await answer_of(world.path(), ask("What does the board plan for leave?"))
    assert "12" not in answer.text
    nobody = await answer_of(world.path(), ask("annual leave", audience=Audience(frozenset())))
    assert (nobody.text, nobody.answered, nobody.closest) == (texts.NOTHING_FOUND, False, ())


async def test_readers_are_checked_again_behind_the_index(world: SmallWorld) -> None:
    class Leaky:
        """An index that forgot its filter."""

        async def search(self, query: IndexQuery) -> IndexHits:
            return IndexHits({"words": {passage.id: float(passage.id) for passage in world.passages()}})

    world.index.search = Leaky().search  # type: ignore[method-assign]
    reranker = FakeReranker()
    answer = await answer_of(world.path(EvilGenerator(), reranker=reranker), ask("leave"))
    assert "12 days" not in answer.text
    assert not any("12 days" in text for text in reranker.seen)
    with world.database.read() as tx:
        stored = answers.get(tx, answer.id)
    assert stored is not None
    assert stored.trace["withheld"] == 1


async def test_a_passage_withdrawn_while_writing_is_not_in_the_answer(world: SmallWorld) -> None:
    def withdraw(request: object) -> list[str]:
        with world.database.write() as tx:
            source = sources.get(tx, "wiki")
            assert source is not None
            documents.hide(tx, source.id, "d1")
        return ["Employees get 26 days of paid annual leave in a calendar year. [1]\n\n"]

    answer = await answer_of(world.path(ScriptedGenerator(script=withdraw)), ask("annual leave of employees"))
    assert "26" not in answer.text
    assert not answer.answered
    assert answer.citations == ()


async def test_only_the_asked_sources_are_used(world: SmallWorld) -> None:
    answer = await answer_of(world.path(), ask("leave on Fridays", sources=["eng"]))
    assert {citation.passage.source for citation in answer.citations} == {"eng"}


@pytest.mark.parametrize("text", ["", "   \n\t", "🙂🚀", "???", "|user|:", "\u200b"])
async def test_a_question_without_words_is_asked_back(world: SmallWorld, text: str) -> None:
    answer = await answer_of(world.path(), ask(text))
    assert (answer.text, answer.answered) == (texts.NO_QUESTION, False)


async def test_a_question_of_100_kb_is_cut_with_a_note(world: SmallWorld) -> None:
    answer = await answer_of(world.path(), ask("How many days of annual leave? " * 3300))
    assert answer.answered
    assert "only the first 8,000 characters of the question were read" in answer.notes
    assert len(answer.question.text) == 8000


@pytest.mark.parametrize(
    "text",
    ["Combien de jours de congé ?", "有給休暇は何日ですか", "half \ud83d pair \x00 leave", "[1](http://x) leave"],
)
async def test_odd_questions_get_an_answer(world: SmallWorld, text: str) -> None:
    assert isinstance(await answer_of(world.path(), ask(text)), Answer)


async def test_a_failing_embedder_leaves_the_words(world: SmallWorld) -> None:
    assert isinstance(world.embedder, FakeEmbedder)
    world.embedder.fail = True
    answer = await answer_of(world.path(extractive()), ask("How many days of annual leave do employees get?"))
    assert answer.text.startswith("Employees get 26 days")
    assert texts.KEYWORDS_ONLY in answer.notes


async def test_passages_without_vectors_are_mentioned(world: SmallWorld) -> None:
    search = world.index.search

    async def half_ready(query: IndexQuery) -> IndexHits:
        return replace(await search(query), vectors_ready=0.5, partial=True)

    world.index.search = half_ready  # type: ignore[method-assign]
    answer = await answer_of(world.path(), ask("annual leave"))
    assert {texts.KEYWORDS_ONLY, texts.PARTIAL_INDEX} <= set(answer.notes)


async def test_a_failing_reranker_leaves_the_fused_order(world: SmallWorld) -> None:
    reranker = FakeReranker()
    reranker.fail = True
    answer = await answer_of(world.path(reranker=reranker), ask("annual leave of employees"))
    assert answer.citations[0].passage.title == "Leave"
    assert texts.SIMPLE_RANKING in answer.notes


async def test_a_reranker_decides_the_order(world: SmallWorld) -> None:
    reranker = FakeReranker(score=lambda question, text: float("Contractors" in text))
    answer = await answer_of(world.path(reranker=reranker), ask("annual leave of employees"))
    assert answer.citations[0].passage.title == "Contractors"


async def test_a_dead_generator_leaves_the_passages(world: SmallWorld) -> None:
    dead = ScriptedGenerator(error=ModelUnavailable("no"))
    answer = await answer_of(world.path(dead), ask("annual leave of employees"))
    assert answer.text.startswith("I can't write an answer now. These passages fit best: [1]")
    assert not answer.answered
    assert [citation.number for citation in answer.citations] == list(range(1, len(answer.citations) + 1))


async def test_a_slow_generator_keeps_what_it_wrote(world: SmallWorld) -> None:
    slow = ScriptedGenerator(script=["Leave is requested in Perch. [1]\n\n", "x" * 10, "y"], wait=0.2)
    answer = await answer_of(world.path(slow, deadline=0.5), ask("Where do I request leave?"))
    assert answer.text == "Leave is requested in Perch. [1]"
    assert texts.TOO_SLOW in answer.notes
    assert slow.closed_early


async def test_stop_ends_the_answer_where_it_is(world: SmallWorld) -> None:
    stop = asyncio.Event()
    slow = ScriptedGenerator(script=["Leave is requested in Perch. [1]\n\n", *["Employees get "] * 100], wait=0.05)
    events = []
    async for event in world.path(slow).answer(ask("Where do I request leave?"), stop=stop):
        events.append(event)
        if isinstance(event, TextDelta):
            stop.set()
    assert isinstance(events[-1], Done)
    assert events[-1].answer.text == "Leave is requested in Perch. [1]"
    assert texts.STOPPED in events[-1].answer.notes
    assert slow.closed_early


async def test_a_reader_who_leaves_finds_what_was_written(world: SmallWorld) -> None:
    slow = ScriptedGenerator(script=["Leave is requested in Perch. [1]\n\n", *["Employees get "] * 100], wait=0.05)
    running = world.path(slow).answer(ask("Where do I request leave?"))
    async for event in running:
        if isinstance(event, TextDelta):
            break
    await running.aclose()
    with world.database.read() as tx:
        [stored] = answers.recent(tx, 5)
    assert stored.text == "Leave is requested in Perch. [1]"
    assert texts.STOPPED in stored.notes
    assert slow.closed_early


async def test_an_endless_generator_is_cut_off(world: SmallWorld) -> None:
    evil = EvilGenerator(endless=True)
    answer = await answer_of(world.path(evil), ask("leave days"))
    assert texts.CUT_OFF in answer.notes
    assert len(answer.text) < 10_000


async def test_nothing_evil_comes_out(world: SmallWorld) -> None:
    events = await events_of(world.path(EvilGenerator()), ask("leave days"))
    shown = "".join(event.text for event in events if isinstance(event, TextDelta))
    for harmful in (HOST, "http", "<", "](", "![", "@everyone", "www.", "mailto", "4711", "password", "[99]", "\u202e"):
        assert harmful not in shown, harmful
    answer = events[-1].answer  # type: ignore[union-attr]
    assert answer.answered
    numbers = {citation.number for citation in answer.citations}
    assert {int(n) for n in re.findall(r"\[(\d+)\]", answer.text)} == numbers


async def test_unsupported_text_is_no_answer(world: SmallWorld) -> None:
    liar = ScriptedGenerator(script=["Employees get 40 days of leave [1]. ", "The moon is made of cheese."])
    answer = await answer_of(world.path(liar), ask("annual leave of employees"))
    assert answer.text.startswith("I could not back an answer with sources. The closest I found: “Leave”")
    assert not answer.answered


async def test_the_newer_of_two_versions_is_used_and_said(tmp_path: Path) -> None:
    world = SmallWorld(tmp_path, embedder=FakeEmbedder())
    await world.open()
    old = "The hotel limit is €140 per night with breakfast."
    new = "The hotel limit is €175 per night with breakfast."
    await world.add(
        [
            Page(old, title="Travel policy (2024)", updated=datetime(2024, 3, 4)),
            Page(new, title="Travel", updated=datetime(2026, 2, 2)),
        ]
    )
    answer = await answer_of(world.path(extractive()), ask("What is the hotel limit per night?"))
    await world.close()
    assert answer.text == f"{new} [1]"
    assert answer.notes == ("an older version says otherwise: “Travel policy (2024)” of 2024-03-04",)


async def test_copies_of_a_page_count_once(tmp_path: Path) -> None:
    world = SmallWorld(tmp_path, embedder=FakeEmbedder())
    await world.open()
    await world.add([Page(LEAVE, title="Leave"), Page(f"{LEAVE} ", title="Leave"), Page(LEAVE, title="Copy of Leave")])
    answer = await answer_of(world.path(extractive()), ask("How many days of annual leave do employees get?"))
    await world.close()
    assert answer.text.count("26 days") == 1
    assert len(answer.citations) == 1


async def test_an_index_that_is_down_is_said_to_the_caller(world: SmallWorld) -> None:
    async def down(query: IndexQuery) -> IndexHits:
        raise IndexUnavailable("down")

    world.index.search = down  # type: ignore[method-assign]
    with pytest.raises(IndexUnavailable):
        await answer_of(world.path(), ask("annual leave"))


class Hooks(NoHooks):
    async def question_received(self, question: Question) -> str | None:
        return "Not about <b>salaries</b>, see https://evil.example" if "salary" in question.text else None

    async def passages_found(self, question: Question, passages: object) -> list[ScoredPassage]:
        hits: list[ScoredPassage] = list(passages)  # type: ignore[call-overload]
        kept = [hit for hit in hits if hit.passage.title != "Contractors"]
        forged = replace(kept[0].passage, text="Forged 4711.", readers=Readers.everyone())
        added = replace(kept[0].passage, id=987_654, text="Added 4711.")
        return [ScoredPassage(forged, 1.0), ScoredPassage(added, 9.0), *kept]

    async def answer_ready(self, question: Question, answer: Answer) -> Answer:
        return replace(answer, id="forged", answered=True, text=f"{answer.text} See https://evil.example [1] [7]")


async def test_hooks_may_refuse_and_drop_but_not_add(world: SmallWorld) -> None:
    path = world.path(hooks=Hooks())
    refused = await answer_of(path, ask("salary of Bob"))
    assert refused.text == "Not about salaries, see (link removed)"
    answer = await answer_of(path, ask("leave days of employees and contractors"))
    assert "4711" not in answer.text
    assert "Contractors" not in answer.text
    assert answer.id != "forged"
    assert answer.text.endswith("See (link removed) [1]")


async def test_search_gives_as_many_as_are_asked_for(world: SmallWorld) -> None:
    await world.add([Page(f"Note {number} about parking.", title="Parking") for number in range(80)])
    hits, _ = await world.path().search(ask("parking"), limit=75)
    assert len({hit.passage.id for hit in hits}) == 75


async def test_search_gives_the_passages_with_their_legs(world: SmallWorld) -> None:
    hits, notes = await world.path().search(ask("annual leave of employees"), limit=2)
    assert hits[0].passage.title == "Leave"
    assert {"words", "vectors"} <= set(hits[0].legs)
    assert len(hits) == 2
    assert notes == []
