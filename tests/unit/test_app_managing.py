"""Settings of a conversation change how it is answered; admins change them and the sources, and nobody else does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from citebot.access import Directory
from citebot.app import Citebot
from citebot.app.desk import Desk
from citebot.errors import CitebotError, NotAllowed
from citebot.model import Conversation, Person, Status
from citebot.ports import Actor, Draft, GenerationRequest, PartContext, Usage
from citebot.settings import BudgetSettings
from citebot.storage import answers, audit, conversations, shown, sources, tables, work
from citebot.storage.conversations import Place
from citebot.testing.scripted_platform import ScriptedPlatform
from citebot.testing.small_world import Page, SmallWorld
from citebot_plugins.local.extractive import ExtractiveGenerator, ExtractiveSettings

BOB = Person("bob", "Bob")
QUESTION = "What does the parking permit cost?"
PAGES = [
    Page(
        "The parking permit costs 40 euros a month. The permit of a parking space for bicycles costs 4 euros. "
        "The cost of a lost parking permit is 12 euros. A parking permit for visitors costs 3 euros a day. "
        "The cost is taken from the wage. The parking permit of a deputy costs nothing.",
        title="Parking",
    ),
    Page("In the old garage the parking permit cost 30 euros.", title="Garage", source="archive"),
]
HERE = Place("scripted", "", "dm")


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[SmallWorld]:
    made = SmallWorld(tmp_path)
    await made.open()
    await made.add(PAGES)
    yield made
    await made.close()


@pytest.fixture
def bot(world: SmallWorld, plugin_manager: Callable[..., Any], citebot_settings: Callable[..., Any]) -> Citebot:
    settings = citebot_settings({"answering.threshold": 0.0, "delivery.lease": 1.0})
    return Citebot(
        settings=settings,
        plugins=plugin_manager("jsonl"),
        database=world.database,
        directory=Directory(world.database, settings.access),
        index=world.index,
        embedder=None,
        reranker=None,
        generator=ExtractiveGenerator(ExtractiveSettings(), PartContext(Path())),
    )


@asynccontextmanager
async def running(bot: Citebot, platform: ScriptedPlatform) -> AsyncIterator[Desk]:
    desk = Desk(bot, platform)  # type: ignore[arg-type]  # mypy takes a more exact class variable for another one
    tasks = [asyncio.create_task(desk.delivery.run()), asyncio.create_task(platform.run(desk))]
    try:
        yield desk
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        desk.delivery.close()


def set_up(bot: Citebot, place: Place = HERE, **changes: Any) -> None:
    with bot.database.write() as tx:
        conversations.change(tx, place, changes)


async def test_the_tone_changes_how_much_is_written(bot: Citebot) -> None:
    length, platform = {}, ScriptedPlatform()
    async with running(bot, platform):
        for tone in ("brief", "normal", "detailed"):
            set_up(bot, tone=tone)
            length[tone] = len((await platform.answer(await platform.ask(QUESTION))).text)
    assert length["brief"] < length["normal"] < length["detailed"]


async def test_only_the_sources_of_the_place_are_searched(bot: Citebot) -> None:
    platform = ScriptedPlatform()
    async with running(bot, platform):
        for place, name in ((Place("scripted"), "archive"), (HERE, "wiki")):
            set_up(bot, place, sources=[name])
            shown_ = await platform.answer(await platform.ask(QUESTION))
            assert {citation.passage.source for citation in shown_.citations} == {name}


async def test_over_the_budget_the_passages_are_shown_and_nothing_is_written(bot: Citebot) -> None:
    set_up(bot, per_person=1)
    platform = ScriptedPlatform()
    async with running(bot, platform):
        first = await platform.answer(await platform.ask(QUESTION))
        second = await platform.answer(await platform.ask(QUESTION))
        other = await platform.answer(await platform.ask(QUESTION, asker=BOB))
    assert "40 euros" in first.text
    assert second.text == "Today's limit is used up (resets 00:00 UTC). Passages only: [1] [2]"
    assert [citation.passage.title for citation in second.citations] == ["Parking", "Garage"]
    assert "40 euros" in other.text


async def test_a_second_delivery_of_a_question_uses_up_nothing(bot: Citebot) -> None:
    set_up(bot, per_day=2)
    platform = ScriptedPlatform()
    async with running(bot, platform):
        for _ in range(3):
            asked = await platform.ask(QUESTION, delivery_id="one", message_id="one")
        await platform.answer(asked)
        assert "40 euros" in (await platform.answer(await platform.ask(QUESTION))).text


async def finished(bot: Citebot) -> None:
    def open_() -> bool:
        with bot.database.read() as tx:
            return any(work.oldest_open(tx, queue) for queue in ("inbox", "outbox"))

    async with asyncio.timeout(10):
        while open_():
            await asyncio.sleep(0.02)


async def test_who_did_not_call_us_is_answered_where_we_know_something(bot: Citebot) -> None:
    platform = ScriptedPlatform()
    async with running(bot, platform):
        shown_ = await platform.answer(await platform.ask(QUESTION, unprompted=True))
    assert "40 euros" in shown_.text
    assert [status.stage for status in shown_.statuses] == []


@pytest.mark.parametrize("why", ["unknown", "budget"])
async def test_who_did_not_call_us_hears_nothing_where_we_do_not(why: str, bot: Citebot) -> None:
    set_up(bot, per_day=1)
    bot.settings.answering.threshold = 1.0 if why == "unknown" else 0.0
    platform = ScriptedPlatform()
    async with running(bot, platform):
        if why == "budget":
            await platform.answer(await platform.ask(QUESTION))
        asked = await platform.ask(QUESTION, unprompted=True)
        await finished(bot)
    assert platform.find(asked) is None
    with bot.database.read() as tx:
        assert [one.question for one in answers.recent(tx, 9)] == ([QUESTION] if why == "budget" else [])
        bodies = tx.execute(select(tables.inbox.c.body).order_by(tables.inbox.c.id)).scalars().all()
    assert bodies[-1]["text"] == ""


async def test_what_is_on_show_already_is_ended_honestly(bot: Citebot) -> None:
    bot.settings.answering.threshold = 1.0
    platform = ScriptedPlatform()
    with bot.database.write() as tx:
        shown.begin(tx, "inbox-1", 0, stream=True)
    async with running(bot, platform):
        shown_ = await platform.answer(await platform.ask(QUESTION, unprompted=True))
    assert shown_.text.startswith("I don't know")


# --- admins --------------------------------------------------------------------------------------------------------


def actor(account: str) -> Actor:
    return Actor(Person(f"{account.lower()}@example.com"), account, Conversation("scripted", "C1", "T1"))


@pytest.fixture
async def desk(bot: Citebot) -> AsyncIterator[Desk]:
    platform = ScriptedPlatform()
    platform.roles = {"ADMIN": "admin", "KEEPER": "keeper"}
    async with running(bot, platform) as made:
        yield made


BOTH = ("ADMIN", "KEEPER")
MAY = {"status": ("ADMIN",), "sync": ("ADMIN",), "pause": ("ADMIN",), "settings": BOTH, "change": BOTH}


@pytest.mark.parametrize("account", ["ADMIN", "KEEPER", "SOMEBODY", ""])
@pytest.mark.parametrize("method", MAY)
async def test_only_those_may_who_are_named(method: str, account: str, desk: Desk, bot: Citebot) -> None:
    calls: dict[str, Callable[[], Any]] = {
        "status": lambda: desk.manage.status(actor(account)),
        "sync": lambda: desk.manage.sync(actor(account), "nowhere"),
        "pause": lambda: desk.manage.pause(actor(account), "wiki", paused=True),
        "settings": lambda: desk.manage.settings(actor(account)),
        "change": lambda: desk.manage.change(actor(account), {"tone": "brief"}),
    }
    if account not in MAY[method]:
        with pytest.raises(NotAllowed, match="Only an admin"):
            await calls[method]()
        with bot.database.read() as tx:
            assert (audit.recent(tx, 1), conversations.every(tx)) == ([], [])
    elif method == "sync":
        with pytest.raises(CitebotError, match="no source “nowhere”"):
            await calls[method]()
    else:
        await calls[method]()


async def test_a_platform_that_cannot_say_who_it_is_lets_nobody(desk: Desk) -> None:
    desk._platform.fail("role_of")  # type: ignore[attr-defined]
    with pytest.raises(NotAllowed):
        await desk.manage.status(actor("ADMIN"))
    await desk.manage.status(actor("ADMIN"))


async def test_every_change_is_written_down_with_who_where_before_and_after(desk: Desk, bot: Citebot) -> None:
    await desk.manage.change(actor("KEEPER"), {"tone": "brief"})
    await desk.manage.change(actor("ADMIN"), {"tone": None, "muted": True})
    await desk.manage.pause(actor("ADMIN"), "wiki", paused=True)
    with bot.database.read() as tx:
        assert sources.get(tx, "wiki").paused  # type: ignore[union-attr]
        lines = audit.recent(tx, 9)
    assert [(one.account, one.place, one.action, one.target, one.before, one.after) for one in lines] == [
        ("ADMIN", "scripted:T1:C1", "source.pause", "wiki", {"paused": False}, {"paused": True}),
        ("ADMIN", "scripted:T1:C1", "conversation.set", "scripted:T1:C1", {"tone": "brief"}, {"muted": True}),
        ("KEEPER", "scripted:T1:C1", "conversation.set", "scripted:T1:C1", {}, {"tone": "brief"}),
    ]


async def test_a_source_that_does_not_exist_is_not_set(desk: Desk, bot: Citebot) -> None:
    with pytest.raises(CitebotError, match=r"no source “handbok”\. Known: archive, wiki"):
        await desk.manage.change(actor("ADMIN"), {"sources": ["wiki", "handbok"]})
    with bot.database.read() as tx:
        assert audit.recent(tx, 1) == []


async def test_what_a_question_may_cost_is_held_under_the_key_of_all_its_attempts(bot: Citebot) -> None:
    held: list[str] = []

    class Paid(ExtractiveGenerator):
        def most(self) -> Usage:
            return Usage("m", cost=600_000)

        async def generate(self, request: GenerationRequest) -> AsyncIterator[Draft | Status]:
            with bot.database.read() as tx:
                held.extend(tx.execute(select(tables.reservation.c.question)).scalars())
            request.used(Usage("m", cost=1))
            async for piece in super().generate(request):
                yield piece

    settings = bot.settings.model_copy(update={"budgets": BudgetSettings(person_cost=1.2)})
    paying = replace(bot, generator=Paid(ExtractiveSettings(), PartContext(Path())), settings=settings)
    platform = ScriptedPlatform()
    async with running(paying, platform):
        assert "40 euros" in (await platform.answer(await platform.ask(QUESTION))).text
        assert "Passages only" in (await platform.answer(await platform.ask(QUESTION))).text
        assert "40 euros" in (await platform.answer(await platform.ask(QUESTION, asker=BOB))).text
    assert held == ["inbox-1", "inbox-3"]
