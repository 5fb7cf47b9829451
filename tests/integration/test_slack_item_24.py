"""Item 24 of docs/platforms/slack-checklist.md: Slack's own search as whoever asks, and no copy of what it finds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import structlog

pytest.importorskip("slack_bolt")

from citebot.answering import reading, texts
from citebot.storage.answers import FORGOTTEN
from citebot.storage.tables import metadata
from citebot.testing.slack import Message, Shown
from citebot.testing.slack.api import assistant
from citebot.testing.slack.shapes import permalink

pytestmark = pytest.mark.parametrize("team", [{"live_search": True}], indirect=True)

SEARCH = "assistant.search.context"
CANARY = "zanzibar7431"
SAID = f"The bicycle cellar opens with the code {CANARY}."
ASKED = "Which code opens the bicycle cellar?"
PARKING = "What does the parking permit cost?"


async def direct_answer(team: Any, user: Any, text: str) -> Shown:
    return await team.answer(await team.slack.say(user, team.app, text))  # type: ignore[no-any-return]


def address(team: Any, message: Message) -> str:
    return permalink(team.slack.world, team.slack.world.channels[message.channel], message)


def leaked(team: Any) -> list[str]:
    """The methods of all calls that carried the canary."""
    return [sent.method for sent in team.slack.sent if CANARY in str(sent.args)]


# --- what is found ---------------------------------------------------------------------------------------------------


async def test_item_24_a_message_answers_with_its_own_address(team: Any) -> None:
    said = await team.slack.say(team.bob, team.general, SAID)
    for question in (await team.ask(team.alice, team.board, ASKED), await team.slack.say(team.bob, team.app, ASKED)):
        answer = await team.answer(question)
        assert CANARY in answer.text
        assert f"{address(team, said)}|general> (slack, updated" in answer.text
        assert address(team, said) in answer.links


async def test_item_24_documents_and_messages_stand_side_by_side(team: Any) -> None:
    said = await team.slack.say(team.bob, team.general, f"A parking permit for visitors: ask for {CANARY}.")
    answer = await direct_answer(team, team.alice, "What does a parking permit cost, also for visitors?")
    assert {"https://wiki.example.com/parking", address(team, said)} <= answer.links


async def test_item_24_the_question_itself_and_those_of_others_answer_nothing(team: Any) -> None:
    await team.slack.say(team.bob, team.general, ASKED)
    question = await team.ask(team.alice, team.general, ASKED)
    answer = await team.answer(question)
    assert team.slack.calls(SEARCH)
    assert [link for link in answer.links if "/archives/" in link] == []


async def test_item_24_nothing_in_a_message_calls_or_links(team: Any) -> None:
    said = await team.slack.say(
        team.bob, team.general, f"The bicycle cellar code {CANARY} is at https://evil.example.com/x @here @alice"
    )
    answer = await direct_answer(team, team.alice, "Where is the bicycle cellar code?")
    assert CANARY in answer.text
    assert answer.calls == frozenset()
    assert {link for link in answer.links if "wiki.example.com" not in link} == {address(team, said)}


# --- who may read it -------------------------------------------------------------------------------------------------


async def test_item_24_private_and_shared_channels_give_nothing_away_not_even_to_their_members(team: Any) -> None:
    other = team.slack.add_workspace("Other")
    shared = team.slack.add_channel("partners", [team.alice, team.bob, team.app], shared_with=[other])
    await team.slack.say(team.bob, shared, SAID)
    await team.slack.say(team.carol, team.board, SAID)
    for user in (team.alice, team.bob):
        await direct_answer(team, user, ASKED)
        await team.answer(await team.ask(user, team.general, ASKED))
    assert len(team.slack.calls(SEARCH)) == 4
    assert leaked(team) == []


async def test_item_24_a_guest_gets_what_was_said_where_they_ask_and_nothing_else(team: Any) -> None:
    await team.slack.say(team.bob, team.general, SAID)
    await direct_answer(team, team.guest, ASKED)
    await team.answer(await team.ask(team.guest, team.lobby, ASKED))
    await team.answer(await team.ask(team.alice, team.lobby, ASKED))
    assert leaked(team) == []

    await team.slack.say(team.bob, team.lobby, SAID)
    assert CANARY in (await team.answer(await team.ask(team.alice, team.lobby, ASKED))).text


async def test_item_24_a_slack_that_finds_too_much_is_not_believed(team: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assistant, "_may_read", lambda user, channel, archived: True)
    monkeypatch.setattr(assistant, "TYPES", {"public_channel": "private"})
    monkeypatch.setitem(assistant.SEARCH_SCOPES, "private", "search:read.public")
    await team.slack.say(team.carol, team.board, SAID)
    for user in (team.alice, team.bob, team.guest):
        await direct_answer(team, user, ASKED)
    await team.answer(await team.ask(team.bob, team.general, ASKED))
    assert len(team.slack.calls(SEARCH)) == 4
    assert leaked(team) == []


async def test_item_24_whoever_comes_into_the_channel_meanwhile_counts(team: Any) -> None:
    await team.slack.say(team.bob, team.slack.add_channel("cellar", [team.bob]), SAID)
    team.generator.pause()
    question = await team.ask(team.alice, team.general, ASKED)
    await team.slack.until(lambda: team.generator.waiting)
    await team.slack.invite(team.alice, team.general, team.guest)
    await team.slack.settled()
    team.generator.go_on()
    answer = await team.answer(question)
    assert CANARY not in answer.text
    assert leaked(team) == []


# --- nothing is kept -------------------------------------------------------------------------------------------------


async def test_item_24_nothing_of_a_message_is_kept(team: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = await team.slack.say(team.bob, team.general, SAID)
    with structlog.testing.capture_logs() as lines:
        question = await team.slack.say(team.alice, team.app, ASKED)
        answer = await team.answer(question)
        assert CANARY in answer.text
        await team.slack.until(lambda: team.stored()[0].text == FORGOTTEN)
    assert CANARY not in str(lines)

    (stored,) = team.stored()
    assert stored.answered
    assert [(one.url, one.sentences) for one in stored.citations] == [(address(team, said), ())]
    with team.bot.database.read() as tx:
        rows = str([tx.execute(table.select()).all() for table in metadata.sorted_tables])
    assert stored.id in rows
    assert CANARY not in rows
    alice = (await team.platform._parts.people.member(team.alice.id)).person
    assert (await team.desk.show_answer(stored.id, alice)).text == FORGOTTEN
    assert [remembers.cache_info().currsize for remembers in (reading.read, reading.stems_of)] == [0, 0]
    await team.bot.purge()
    assert [path.name for path in tmp_path.glob("*.db*") if CANARY.encode() in path.read_bytes()] == []

    monkeypatch.setattr(team.bot.settings.access, "staleness", 0.0)
    late = await team.desk.show_answer(stored.id, alice)
    assert (late.answered, late.citations) == (False, ())


# --- when it does not work -------------------------------------------------------------------------------------------


async def test_item_24_a_search_that_fails_costs_a_footer_and_no_answer(team: Any) -> None:
    faults = team.slack.faults
    arranging: list[Callable[[], Any]] = [
        lambda: faults.stall(SEARCH),
        lambda: faults.error(SEARCH, "internal_error"),
        lambda: faults.error(SEARCH, "missing_scope"),
        lambda: faults.refuse(SEARCH),
        lambda: faults.storm(SEARCH, retry_after=3600),
    ]
    for arrange in arranging:
        arranged = arrange()
        question = await team.ask(team.alice, team.general, PARKING)
        await team.slack.until(lambda asked=question: any(one.element("citebot_delete") for one in team.replies(asked)))
        arranged.gate.set()
        answer = await team.answer(question)
        assert arranged.met == 1
        assert "40 euros" in answer.text
        assert texts.LIVE_UNSEARCHED in answer.text


async def test_item_24_without_a_ticket_it_is_not_searched_and_the_answer_says_so(team: Any) -> None:
    question = await team.ask(team.alice, team.general, "What does the bicycle cellar cost?")
    await team.answer(question)
    before = len(team.slack.calls(SEARCH))
    await team.slack.edit(team.alice, question, f"{team.app.mention} {PARKING}")  # Slack gives none with an edit

    def answered() -> list[Shown]:
        anew = [one for one in team.replies(question) if "+" in str(one.metadata)]
        return [one for one in anew if one.element("citebot_delete")]

    (answer,) = await team.slack.until(answered)
    assert texts.LIVE_UNSEARCHED in answer.text
    assert len(team.slack.calls(SEARCH)) == before


async def test_item_24_commands_and_sharing_search_nothing(team: Any) -> None:
    team.app.commands = frozenset({"/ask"})
    await team.slack.command(team.alice, team.general, f"/ask {PARKING}")
    (answer,) = await team.slack.until(
        lambda: [m for m in team.slack.messages(team.general, seen_by=team.alice) if "40 euros" in m.text]
    )
    assert texts.LIVE_UNSEARCHED not in answer.text
    assert team.slack.calls(SEARCH) == []
