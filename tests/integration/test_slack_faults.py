"""What people read in Slack when something is broken: each fault for real, its text in English and in German."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

pytest.importorskip("slack_bolt")

from sqlalchemy import update

from citebot.app import Citebot
from citebot.app import desk as desks
from citebot.errors import DiskFull, IndexUnavailable, ModelUnavailable, StorageError
from citebot.model import Conversation, Group
from citebot.ports import Inbound, IndexHits, IndexQuery
from citebot.storage import conversations, people, tables, work
from citebot.storage.conversations import Place
from citebot.testing.fake_models import FakeEmbedder, FakeReranker, ScriptedGenerator
from citebot.testing.memory_index import MemoryIndex
from citebot_connectors.platforms.slack.texts import ENGLISH, GERMAN, Texts

PARKING = "What does the parking permit cost?"
QUOTE = "The parking permit costs 40 euros a month. [1]"


class IllIndex(MemoryIndex):
    """Finds nothing the first times, or not all."""

    def __init__(self, *, down: int = 0, partial: bool = False) -> None:
        super().__init__()
        self.down, self.partial = down, partial

    async def search(self, query: IndexQuery) -> IndexHits:
        if self.down:
            self.down -= 1
            raise IndexUnavailable("The index does not answer.")
        return replace(await super().search(query), partial=self.partial)


def failing(made: Any) -> Any:
    made.fail = True
    return made


PARTS: dict[str, Callable[[], dict[str, Any]]] = {
    "well": dict,
    "model down": lambda: {"generator": ScriptedGenerator(error=ModelUnavailable("It is down."))},
    "model slow": lambda: {"generator": ScriptedGenerator(script=[QUOTE], wait=0.4)},
    "model stuck": lambda: {"generator": ScriptedGenerator(script=[QUOTE], wait=20)},
    "model stuck later": lambda: {"generator": ScriptedGenerator(script=[f"{QUOTE}\n\n", *[" ", "."] * 50], wait=0.2)},
    "model raves": lambda: {"generator": ScriptedGenerator(script=["The moon is made of green cheese. [1]"])},
    "reranker down": lambda: {"reranker": failing(FakeReranker())},
    "embedder down": lambda: {"embedder": failing(FakeEmbedder())},
    "index down": lambda: {"index": IllIndex(down=2)},
    "index in part": lambda: {"index": IllIndex(partial=True)},
}


@pytest.fixture
def ill() -> str:
    return "well"


@pytest.fixture
async def slack_bot(slack_bot: Citebot, ill: str) -> Citebot:
    """The same with one part that is ill."""
    made = replace(slack_bot, **PARTS[ill]())
    if made.index is not slack_bot.index:
        await made.index.open()
    if ill.startswith("model stuck"):
        made.settings.answering.deadline = 1.5
    return made


@pytest.fixture(autouse=True)
def languages(team: Any) -> None:
    """Alice reads English, Bob German."""
    team.bob.locale = "de-DE"


def said(name: str, texts: Texts) -> str:
    """A pattern of a text, whatever is in its gaps."""
    return re.sub(r"\\\{\w+\\\}", ".+?", re.escape(getattr(texts, name)))


async def read_by_both(team: Any, *names: str) -> None:
    """Ask as Alice and as Bob: under each answer stand these texts in their language."""
    for user, texts in ((team.alice, ENGLISH), (team.bob, GERMAN)):
        answer = await team.answer(await team.ask(user, team.general, PARKING))
        assert [name for name in names if not re.search(said(name, texts), answer.text)] == []


@pytest.mark.parametrize(
    ("ill", "names"),
    [
        ("model down", ("cannot_write",)),
        ("model stuck", ("cannot_write",)),
        ("model stuck later", ("too_slow",)),
        ("model raves", ("unsupported_closest",)),
        ("embedder down", ("keywords_only",)),
        ("index in part", ("partial_index",)),
    ],
)
async def test_a_part_that_is_ill_is_named_below_the_answer(names: tuple[str, ...], team: Any) -> None:
    await read_by_both(team, *names)


@pytest.mark.parametrize("ill", ["reranker down"])
async def test_a_reranker_that_is_down_is_named_below_the_answer(team: Any) -> None:
    team.carol.locale = "de-DE"
    for user, texts in ((team.alice, ENGLISH), (team.carol, GERMAN)):
        question = "How many euros a month are the parking permit and the salary of a director?"
        answer = await team.answer(await team.ask(user, team.board, question))
        assert texts.simple_ranking in answer.text


def statuses(team: Any) -> list[str]:
    return [str(sent.args.get("status")) for sent in team.slack.calls("assistant.threads.setStatus")]


@pytest.mark.parametrize("ill", ["index down"])
async def test_while_search_is_down_the_asker_is_told_and_then_answered(team: Any) -> None:
    for user, texts in ((team.alice, ENGLISH), (team.bob, GERMAN)):
        team.bot.index.down = 1
        answer = await team.answer(await team.ask(user, team.general, PARKING))
        assert "40 euros" in answer.text
        assert texts.search_down in statuses(team)


@pytest.mark.parametrize("ill", ["model slow"])
async def test_who_waits_long_is_told_that_it_goes_on(team: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desks, "STILL_SECONDS", 0.2)
    for user, texts in ((team.alice, ENGLISH), (team.bob, GERMAN)):
        await team.answer(await team.ask(user, team.general, PARKING))
        assert texts.still_working in statuses(team)


async def test_the_steps_are_told_with_their_numbers(team: Any) -> None:
    from citebot.storage import sources

    with team.bot.database.write() as tx:
        sources.add(tx, name="wiki", type="jsonl", settings={})
    for user, texts in ((team.alice, ENGLISH), (team.bob, GERMAN)):
        await team.answer(await team.ask(user, team.general, PARKING))
        assert texts.searching_sources.format(count=2) in statuses(team)
        assert texts.writing in statuses(team)


async def test_a_source_that_was_not_read_for_long_is_named(team: Any) -> None:
    with team.bot.database.write() as tx:
        old = team.bot.database.now(tx) - timedelta(hours=3, minutes=1)
        tx.execute(update(tables.source).values(synced_at=old))
    await read_by_both(team, "source_old")
    with team.bot.database.write() as tx:
        tx.execute(update(tables.source).values(poll=7_200.0))
    answer = await team.answer(await team.ask(team.alice, team.general, PARKING))
    assert "last read" not in answer.text


async def test_a_list_of_groups_that_is_too_old_is_named(team: Any) -> None:
    with team.bot.database.write() as tx:
        people.replace(tx, "ldap", [Group("parkers", frozenset({"alice@example.com", "bob@example.com"}))])
        tx.execute(update(tables.membership).values(seen_at=team.bot.database.now(tx) - timedelta(hours=2)))
    for user, texts in ((team.alice, ENGLISH), (team.bob, GERMAN)):
        answer = await team.answer(await team.slack.say(user, team.app, PARKING))
        assert re.search(said("groups_unchecked", texts), answer.text)
        assert "ldap" in answer.text


async def test_over_the_budget_only_passages_are_shown(team: Any) -> None:
    with team.bot.database.write() as tx:
        conversations.change(tx, Place("slack"), {"per_day": 1})
    await team.answer(await team.ask(team.carol, team.board, PARKING))
    await read_by_both(team, "budget_spent")


async def test_a_question_that_cannot_be_answered_is_ended_with_a_way_to_ask_again(team: Any) -> None:
    for user, texts in ((team.alice, ENGLISH), (team.bob, GERMAN)):
        asked = await team.slack.say(user, team.general, "Hello.")
        place = Conversation("slack", team.general.id, team.slack.workspace.id, asked.ts, "public")
        person = (await team.platform._parts.people.member(user.id)).person
        team.platform._parts.outlet.remember_asker(team.general.id, asked.ts, user.id)
        with team.bot.database.write() as tx:
            job, _ = work.accept(tx, Inbound(asked.ts, asked.ts, place, person, PARKING))
            tx.execute(update(tables.inbox).where(tables.inbox.c.id == job).values(attempts=99))

        def told(asked: Any = asked) -> Any:
            return next((one for one in team.replies(asked) if one.element("citebot_retry")), None)

        shown = await team.slack.until(told)
        assert texts.given_up in shown.text


async def test_an_answer_that_comes_late_says_when_it_was_asked(team: Any) -> None:
    for user, texts in ((team.alice, ENGLISH), (team.bob, GERMAN)):
        team.generator.pause()
        asked = await team.ask(user, team.general, PARKING)
        await team.slack.until(lambda: team.generator.waiting)
        with team.bot.database.write() as tx:
            tx.execute(update(tables.inbox).values(created_at=team.bot.database.now(tx) - timedelta(minutes=9)))
        team.generator.go_on()
        assert re.search(said("asked_at", texts), (await team.answer(asked)).text)


@pytest.mark.parametrize(
    ("error", "name"), [(DiskFull("The disk is full."), "cannot_save"), (StorageError("It is busy."), "not_saved")]
)
async def test_what_cannot_be_saved_is_said(
    error: Exception, name: str, team: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    team.app.commands = frozenset({"/ask"})

    async def broken(inbound: object) -> int:
        raise error

    monkeypatch.setattr(team.desk, "accept", broken)
    for user, texts in ((team.alice, ENGLISH), (team.bob, GERMAN)):
        outcome = await team.slack.command(user, team.general, f"/ask {PARKING}")
        assert outcome.body["text"] == getattr(texts, name)
    asked = await team.ask(team.alice, team.general, PARKING)
    told = [one.text for one in team.slack.messages(team.general, seen_by=team.alice) if one.only_for]
    assert (ENGLISH.cannot_save in told) is (name == "cannot_save")
    assert team.replies(asked) == []
