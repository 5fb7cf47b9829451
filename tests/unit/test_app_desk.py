"""The desk: what it shows to whom, now and later, and that one question has one visible answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from citebot.access import Directory
from citebot.app import Citebot
from citebot.app.desk import WITHHELD, Desk
from citebot.errors import NotAllowed
from citebot.model import Feedback, Person, Readers
from citebot.ports import Draft, GenerationRequest
from citebot.storage import answers, tables
from citebot.testing.fake_models import QuotingGenerator
from citebot.testing.scripted_platform import ALICE, ScriptedPlatform, Shown
from citebot.testing.small_world import Page, SmallWorld

BOB = Person("bob", "Bob")
QUESTION = "What does the parking permit cost?"
PAGE = Page("The parking permit costs 40 euros a month.", title="Parking")


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[SmallWorld]:
    """One page that every member of the team may read."""
    made = SmallWorld(tmp_path)
    await made.open()
    await made.add([PAGE])
    yield made
    await made.close()


@pytest.fixture
def bot(world: SmallWorld, plugin_manager: Callable[..., Any], citebot_settings: Callable[..., Any]) -> Citebot:
    """Citebot over that page, which answers whatever the confidence."""
    settings = citebot_settings({"answering.threshold": 0.0, "delivery.lease": 1.0})
    return Citebot(
        settings=settings,
        plugins=plugin_manager(),
        database=world.database,
        directory=Directory(world.database, settings.access),
        index=world.index,
        embedder=None,
        reranker=None,
        generator=QuotingGenerator(),
    )


@asynccontextmanager
async def running(bot: Citebot, platform: ScriptedPlatform) -> AsyncIterator[Desk]:
    """A desk whose workers work; they are cut off at the end, as by a crash."""
    # mypy takes a class variable that is more exact than the port's for another one.
    desk = Desk(bot, platform)  # type: ignore[arg-type]
    tasks = [asyncio.create_task(desk.delivery.run()), asyncio.create_task(platform.run(desk))]
    try:
        yield desk
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        desk.delivery.close()


def give_to(bot: Citebot, readers: Readers) -> None:
    with bot.database.write() as tx:
        for table in (tables.document, tables.passage):
            tx.execute(update(table).values(readers=sorted(readers.principals)))


async def ask(platform: ScriptedPlatform, asker: Person = ALICE) -> Shown:
    return await platform.answer(await platform.ask(QUESTION, asker=asker))


def stored(bot: Citebot) -> list[Any]:
    with bot.database.read() as tx:
        return list(answers.recent(tx, 10))


async def test_an_answer_is_shown_with_its_citation(bot: Citebot) -> None:
    platform = ScriptedPlatform()
    async with running(bot, platform) as desk:
        shown = await ask(platform)
        assert shown.answer is not None
        again = await desk.show_answer(shown.answer.id, ALICE)

    assert "40 euros" in shown.text
    assert [citation.passage.title for citation in shown.citations] == ["Parking"]
    assert again is not None
    assert (again.text, again.citations) == (shown.answer.text, shown.answer.citations)


@pytest.mark.parametrize("readers", [Readers.nobody(), Readers.of(people=["bob"])], ids=["nobody", "bob"])
async def test_what_may_not_be_read_any_more_takes_the_answer_with_it(readers: Readers, bot: Citebot) -> None:
    platform = ScriptedPlatform()
    async with running(bot, platform) as desk:
        shown = await ask(platform)
        assert shown.answer is not None
        passage = shown.citations[0].passage.id
        give_to(bot, readers)
        later = await desk.show_answer(shown.answer.id, ALICE)
        document = await desk.show_document(passage, ALICE)

    assert later is not None
    assert (later.text, later.answered, later.citations, later.notes) == (WITHHELD, False, (), ())
    assert document is None


async def test_the_titles_of_close_documents_are_withheld_too(bot: Citebot, citebot_settings: Any) -> None:
    object.__setattr__(bot, "settings", citebot_settings({"answering.threshold": 1.0}))
    platform = ScriptedPlatform()
    async with running(bot, platform) as desk:
        shown = await ask(platform)
        assert shown.answer is not None
        assert "Parking" in shown.text
        give_to(bot, Readers.nobody())
        later = await desk.show_answer(shown.answer.id, ALICE)

    assert later is not None
    assert (later.text, later.closest) == (WITHHELD, ())


async def test_answers_are_for_their_asker(bot: Citebot) -> None:
    platform = ScriptedPlatform()
    async with running(bot, platform) as desk:
        shown = await ask(platform)
        assert shown.answer is not None
        assert await desk.show_answer(shown.answer.id, BOB) is None
        assert await desk.answer_to(1, BOB) is None
        assert await desk.answer_to(1, ALICE) is not None
        assert await desk.show_answer("no such answer", ALICE) is None


async def test_a_guest_of_the_platform_is_one_for_documents_too(bot: Citebot, world: SmallWorld) -> None:
    passage = world.passages()[0].id
    platform = ScriptedPlatform()
    async with running(bot, platform) as desk:
        shown = await ask(platform, Person("gus", guest=True))
        assert await desk.show_document(passage, Person("gus", guest=True)) is None
        assert await desk.show_document(passage, BOB) is not None

    assert shown.citations == []
    assert "40 euros" not in shown.text


async def test_feedback_is_taken_from_the_asker_alone(bot: Citebot) -> None:
    platform = ScriptedPlatform()
    async with running(bot, platform) as desk:
        shown = await ask(platform)
        assert shown.answer is not None
        await desk.give_feedback(Feedback(shown.answer.id, ALICE, "helpful", "short"))
        for answer_id, person in ((shown.answer.id, BOB), ("no such answer", ALICE)):
            with pytest.raises(NotAllowed, match="not shown to you"):
                await desk.give_feedback(Feedback(answer_id, person, "not_helpful"))

    with bot.database.read() as tx:
        kept = answers.feedback_of(tx, shown.answer.id)
    assert [(one.person.id, one.verdict, one.reason) for one in kept] == [("alice", "helpful", "short")]


class Endless(QuotingGenerator):
    """Goes on and on."""

    def __init__(self) -> None:
        super().__init__()
        self.begun = asyncio.Event()

    async def generate(self, request: GenerationRequest) -> AsyncIterator[Draft]:
        yield Draft("The parking permit costs 40 euros a month. [1] ")
        self.begun.set()
        await asyncio.Event().wait()


async def test_a_stopped_answer_ends_where_it_is(bot: Citebot) -> None:
    endless = Endless()
    object.__setattr__(bot, "generator", endless)
    platform = ScriptedPlatform()
    async with running(bot, platform) as desk:
        inbound = await platform.ask(QUESTION)
        async with asyncio.timeout(10):
            await endless.begun.wait()
        await desk.stop(1)
        shown = await platform.answer(inbound)

    assert shown.answer is not None
    assert shown.answer.notes == ("stopped before it was finished",)
    assert len(stored(bot)) == 1


async def test_a_platform_that_was_down_gets_the_answer_once(bot: Citebot) -> None:
    platform = ScriptedPlatform()
    platform.fail("finish")
    async with running(bot, platform):
        shown = await ask(platform)

    assert "40 euros" in shown.text
    assert (len(platform.shown), len(stored(bot))) == (1, 1)


async def test_after_a_crash_before_sending_the_stored_answer_is_shown_once(bot: Citebot) -> None:
    crashed = ScriptedPlatform()
    crashed.stall("finish")
    async with running(bot, crashed):
        await crashed.ask(QUESTION)
        async with asyncio.timeout(10):
            while not stored(bot):
                await asyncio.sleep(0.01)

    platform = ScriptedPlatform()
    async with running(bot, platform), asyncio.timeout(10):
        while not any(shown.ended.is_set() for shown in platform.shown.values()):
            await asyncio.sleep(0.01)

    [shown] = platform.shown.values()
    assert [answer.id for answer in stored(bot)] == [shown.answer.id if shown.answer else ""]
    assert "40 euros" in shown.text


async def test_what_is_forbidden_between_answering_and_sending_is_not_sent(bot: Citebot) -> None:
    platform = ScriptedPlatform()
    platform.fail("finish")
    async with running(bot, platform):
        inbound = await platform.ask(QUESTION)
        async with asyncio.timeout(10):
            while not stored(bot):
                await asyncio.sleep(0.01)
        give_to(bot, Readers.nobody())
        shown = await platform.answer(inbound)

    assert shown.text == WITHHELD
    assert shown.citations == []
