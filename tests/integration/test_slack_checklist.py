"""Items of docs/platforms/slack-checklist.md that are not shown by the tests of one part of the app."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("slack_bolt")

from citebot.answering import texts
from citebot.errors import StorageError
from citebot.storage import audit
from citebot.testing.slack import Shown
from citebot_connectors.platforms.slack.manifest import ASK_SHORTCUT, SHORTCUT, chosen, scopes_of
from citebot_connectors.platforms.slack.private import ALONE, SHARE

PARKING = "What does the parking permit cost?"
SALARY = "What is the salary of a director?"


@pytest.fixture(autouse=True)
def offered(team: Any) -> None:
    team.app.commands, team.app.shortcuts = frozenset({"/ask"}), frozenset({SHORTCUT, ASK_SHORTCUT})


async def whispered(team: Any, user: Any, where: Any, action: str, *, thread: str = "") -> Shown:
    """The message with a button that only one person sees."""

    def found() -> list[Shown]:
        shown = team.slack.messages(where, thread, seen_by=user)
        return [one for one in shown if one.only_for == user.id and one.element(action)]

    return (await team.slack.until(found, timeout=30))[-1]  # type: ignore[no-any-return]


def test_item_01_the_manifest_asks_for_what_its_features_need_and_no_more() -> None:
    all_of_it, least = scopes_of(chosen([])), scopes_of(chosen(["dm"]))

    assert {"app_mentions:read", "chat:write", "users:read", "im:history"} <= {*least}
    assert {*least} < {*all_of_it}
    assert "channels:history" not in least


async def test_item_06_the_home_tab_and_suggestions_are_shown_when_they_are_opened(team: Any) -> None:
    await team.slack.open_home(team.alice, team.app)
    home = await team.slack.until(lambda: team.slack.home(team.alice, team.app))
    await team.slack.open_home(team.alice, team.app, "messages")
    await team.slack.until(lambda: team.slack.calls("assistant.threads.setSuggestedPrompts"))

    words = str(home.body)
    assert all(part in words for part in ("handbook", "read a moment ago", "/ask", "What happens to your questions"))


async def test_item_14_the_answer_carries_what_it_answers(team: Any) -> None:
    question = await team.ask(team.alice, team.general, PARKING)
    answer = await team.answer(question)

    assert answer.metadata["event_payload"]["question"] == question.ts


async def test_item_15_a_command_is_answered_to_its_asker_and_shared_by_a_button(team: Any) -> None:
    await team.slack.command(team.alice, team.general, f"/ask {PARKING}")
    private = await whispered(team, team.alice, team.general, SHARE)
    assert team.slack.messages(team.general, seen_by=team.bob) == []
    await team.slack.click(team.alice, private, SHARE)
    (root,) = await team.slack.until(lambda: team.slack.messages(team.general, seen_by=team.bob))

    assert "40 euros" in (await team.answer(team.general.messages[root.ts])).text


async def test_item_15_a_message_is_asked_about_from_its_menu(team: Any) -> None:
    said = await team.slack.say(team.bob, team.general, PARKING)
    await team.slack.shortcut(team.alice, SHORTCUT, said)
    modal = await team.slack.until(lambda: team.slack.modal(team.alice))
    await team.slack.submit(team.alice, modal)

    assert "40 euros" in (await whispered(team, team.alice, team.general, SHARE)).text


async def test_item_15_the_shortcut_that_is_everywhere_asks_in_private(team: Any) -> None:
    await team.slack.shortcut(team.alice, ASK_SHORTCUT)
    modal = await team.slack.until(lambda: team.slack.modal(team.alice))
    assert modal.body["title"]["text"] == "Ask a question"
    outcome = await team.slack.submit(team.alice, modal, {"question": SALARY})
    assert outcome.acked
    assert team.slack.modal(team.alice) is None
    direct = team.slack.direct(team.alice, team.app)
    (answer,) = await team.slack.until(lambda: team.slack.messages(direct), timeout=30)

    assert "9000" in answer.text
    assert SALARY in answer.text
    assert not answer.element(SHARE)
    assert [m for where in (team.general, team.board) for m in team.slack.messages(where)] == []


async def test_item_15_a_question_that_cannot_be_stored_stays_in_the_modal(
    team: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(inbound: object) -> int:
        raise StorageError("The database cannot be written: disk full.")

    await team.slack.shortcut(team.alice, ASK_SHORTCUT)
    modal = await team.slack.until(lambda: team.slack.modal(team.alice))
    monkeypatch.setattr(team.desk, "accept", full)
    await team.slack.submit(team.alice, modal, {"question": PARKING})

    assert team.slack.modal(team.alice).errors == {
        "question": "I could not save your question. Please ask again in a moment."
    }


async def test_item_18_a_question_is_stored_before_it_is_acknowledged(team: Any) -> None:
    kept: list[bool] = []
    accept = team.desk.accept

    async def watched(inbound: Any) -> int:
        kept.append(not [d for d in team.slack.deliveries if d.acked and inbound.message_id in str(d.body)])
        return int(await accept(inbound))

    team.desk.accept = watched
    await team.answer(await team.ask(team.alice, team.general, PARKING))

    assert kept[0]


async def test_item_21_what_a_channel_may_not_have_is_offered_to_its_asker_alone(team: Any) -> None:
    question = await team.ask(team.alice, team.general, SALARY)
    assert "9000" not in (await team.answer(question)).text
    offer = await whispered(team, team.alice, team.general, ALONE, thread=question.ts)
    await team.slack.click(team.alice, offer, ALONE)
    alone = await whispered(team, team.alice, team.general, SHARE, thread=question.ts)

    assert "9000" in alone.text
    assert [one.text for one in team.replies(question) if "9000" in one.text] == []


async def test_item_21_nothing_is_offered_to_whom_nothing_more_is_open(team: Any) -> None:
    question = await team.ask(team.bob, team.general, SALARY)
    await team.answer(question)
    await team.slack.settled()

    assert [one for one in team.replies(question, seen_by=team.bob) if one.only_for] == []


async def test_item_24_slack_is_not_searched_unless_it_is_turned_on(team: Any) -> None:
    await team.slack.say(team.bob, team.general, "The bicycle cellar opens with the code 7431.")
    answer = await team.answer(await team.ask(team.alice, team.general, "Which code opens the bicycle cellar?"))

    assert "7431" not in answer.text
    assert texts.LIVE_UNSEARCHED not in answer.text
    assert team.slack.calls("assistant.search.context") == []


async def test_item_25_what_admins_do_and_what_was_withheld_is_on_record(team: Any) -> None:
    team.carol.is_admin = True
    outcome = await team.slack.command(team.carol, team.board, "/ask admin pause handbook")
    assert outcome.acked
    with team.bot.database.read() as tx:
        (line,) = audit.recent(tx, 5)
    assert (line.who, line.account, line.target) == ("carol@example.com", team.carol.id, "handbook")

    await team.answer(await team.ask(team.bob, team.general, PARKING))
    (stored,) = team.stored()
    assert stored.asker == "bob@example.com"
    assert "withheld" in stored.trace
    assert stored.sources == ()
