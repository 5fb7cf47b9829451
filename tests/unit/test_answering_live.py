"""What a platform finds at the moment of a question: who may read it, what waits for it, what is kept of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from citebot.answering import live, reading, texts
from citebot.answering.lexical import Lexical
from citebot.errors import IndexUnavailable, Retry
from citebot.model import Audience, Passage, Question, Readers, ScoredPassage
from citebot.ports import LivePassage
from citebot.storage import answers
from citebot.testing.fake_models import FakeEmbedder
from citebot.testing.small_world import Page, SmallWorld, answer_of, ask

SAID = "The code of the bicycle cellar is zanzibar7431."
ASKED = "What is the code of the bicycle cellar?"
ROOM = Audience(frozenset({"channel:chat:T1:C1"}), "a room")


def message(number: int = 1, text: str = SAID, readers: Readers | None = None) -> LivePassage:
    everyone = Readers.everyone() if readers is None else readers
    when = datetime(2026, 11, 1, tzinfo=UTC)
    return LivePassage("chat", f"C1:{number}", "#general", text, f"https://chat.example.com/{number}", everyone, when)


def finding(*found: LivePassage) -> live.Ask:
    async def search(text: str) -> Sequence[LivePassage]:
        return found

    return search


@pytest_asyncio.fixture
async def world(tmp_path: Path) -> AsyncIterator[SmallWorld]:
    world = SmallWorld(tmp_path, embedder=FakeEmbedder())
    await world.open()
    await world.add([Page("The cellar is below the stairs.", title="Cellar"), Page("Lunch is at noon.", title="Lunch")])
    yield world
    await world.close()


async def found_by(question: Question, *some: LivePassage) -> list[str]:
    searching = live.Live(question, finding(*some))
    searching.begin(question.text)
    return [hit.passage.text for hit in await searching.found()]


async def test_only_what_everybody_may_read_is_found() -> None:
    everyone, here, nobody = message(1), message(2, readers=Readers(ROOM.principals)), message(3, readers=Readers())
    assert len(await found_by(ask(ASKED), everyone, here, nobody)) == 1
    assert len(await found_by(ask(ASKED, audience=ROOM), everyone, here, nobody)) == 1
    assert await found_by(ask(ASKED, audience=Audience(frozenset())), everyone) == []
    assert await found_by(ask(ASKED, sources=("wiki",)), everyone) == []


async def test_only_a_few_are_used_and_none_that_only_ask() -> None:
    many = [message(n, f"{SAID} {n}") for n in range(9)]
    assert await found_by(ask(ASKED), message(0, ASKED), message(0, " "), *many) == [m.text for m in many[: live.MOST]]
    assert [len(text) for text in await found_by(ask(ASKED), message(1, "ab " * 9_000))] == [live.CHARACTERS]


def test_a_message_stands_before_documents_that_say_less_and_has_a_place_in_any_case() -> None:
    def hit(number: int, text: str) -> ScoredPassage:
        passage = Passage(number, "s", str(number), "T", "", "", (), text, "paragraph", 0, Readers.everyone())
        return ScoredPassage(passage, 0.0)

    documents = [hit(1, "bicycle cellar code"), hit(2, "bicycle cellar"), hit(3, "lunch"), hit(4, "tea")]
    lexical = Lexical(["bicycl", "cellar", "code"], documents)
    near, far = hit(-1, "the code of the bicycle cellar"), hit(-2, "nothing")

    def order(*some: ScoredPassage, most: int) -> list[int]:
        return [one.passage.id for one in live.merged(documents, some, lexical, most=most)]

    assert order(near, most=9) == [1, -1, 2, 3, 4]
    assert order(near, far, most=4) == [1, -1, 2, -2]
    assert order(most=2) == [1, 2]


async def test_the_answer_cites_it_and_nothing_of_it_is_kept(world: SmallWorld) -> None:
    answer = await answer_of(world.path(), ask(ASKED), ask=finding(message()))
    assert SAID in answer.text
    (citation,) = [one for one in answer.citations if one.passage.is_live]
    assert (citation.passage.link, citation.passage.title) == ("https://chat.example.com/1", "#general")
    with world.database.write() as tx:
        stored = answers.get(tx, answer.id)
        assert stored is not None
        assert "zanzibar7431" not in str(stored.to_json() | {"text": ""})
        assert [one.readers.principals for one in stored.live] == [{"everyone"}]
        answers.forget_live(tx, answer.id)
        assert "zanzibar7431" not in str(answers.get(tx, answer.id))
    assert reading.read.cache_info().currsize == 0


async def test_an_answer_from_documents_alone_is_not_forgotten(world: SmallWorld) -> None:
    answer = await answer_of(world.path(), ask("Where is the cellar?"), ask=finding())
    with world.database.write() as tx:
        answers.forget_live(tx, answer.id)
        stored = answers.get(tx, answer.id)
    assert stored is not None
    assert stored.text == answer.text


async def test_vectors_of_messages_are_not_remembered(world: SmallWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[str] = []
    monkeypatch.setattr("citebot.answering.evidence.RecentVectors.keep", lambda self, text, vector: kept.append(text))
    path = world.path()
    await answer_of(path, ask(ASKED), ask=finding(message()))
    assert kept == []
    await answer_of(path, ask(ASKED), ask=finding())
    assert kept


async def test_a_slow_search_is_left_behind(world: SmallWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[bool] = []

    async def slow(text: str) -> Sequence[LivePassage]:
        try:
            await asyncio.sleep(3600)
        finally:
            ended.append(True)
        return ()

    monkeypatch.setattr(live, "SECONDS", 0.1)
    answer = await answer_of(world.path(), ask("Where is the cellar?"), ask=slow)
    assert "below the stairs" in answer.text
    assert texts.LIVE_UNSEARCHED in answer.notes
    assert ended == [True]


@pytest.mark.parametrize("error", [Retry("Not now."), ValueError("odd"), KeyError("channel_id")])
async def test_a_search_that_fails_is_a_note(world: SmallWorld, error: Exception) -> None:
    async def failing(text: str) -> Sequence[LivePassage]:
        raise error

    answer = await answer_of(world.path(), ask("Where is the cellar?"), ask=failing)
    assert "below the stairs" in answer.text
    assert answer.notes.count(texts.LIVE_UNSEARCHED) == 1


async def test_where_it_is_not_searched_nothing_is_said(world: SmallWorld) -> None:
    async def off(text: str) -> None:
        return None

    assert (await answer_of(world.path(), ask("Where is the cellar?"), ask=off)).notes == ()


async def test_a_search_ends_with_the_answer_it_was_for(world: SmallWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    running: list[asyncio.Task[Any]] = []

    async def slow(text: str) -> Sequence[LivePassage]:
        task = asyncio.current_task()
        assert task is not None
        running.append(task)
        await asyncio.sleep(3600)
        return ()

    async def down(query: object) -> None:
        await asyncio.sleep(0)
        raise IndexUnavailable("down")

    monkeypatch.setattr(world.index, "search", down)
    with pytest.raises(IndexUnavailable):
        await answer_of(world.path(), ask(ASKED), ask=slow)
    await asyncio.wait(running, timeout=30)
    assert [task.cancelled() for task in running] == [True]
