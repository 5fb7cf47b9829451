"""Where no answer came, its asker asks again with one click."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

pytest.importorskip("slack_bolt")

from citebot.delivery import Patience
from citebot.delivery.answering import GIVEN_UP
from citebot_connectors.platforms.slack.drawing import RETRY
from citebot_connectors.platforms.slack.private import RETRY_ANEW

PARKING = "What does the parking permit cost?"


@pytest.fixture
def broken(team: Any, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Nothing can be searched, and nobody waits long for it; `undo` mends it."""

    async def down(query: object) -> None:
        raise RuntimeError("index")

    answering = team.desk.delivery._answering
    monkeypatch.setattr(answering, "_delays", replace(Patience(), answer_delays=(0.01,)).answer_delays)
    monkeypatch.setattr(team.bot.index, "search", down)
    return monkeypatch


async def notice(team: Any, question: Any) -> Any:
    await team.slack.until(lambda: [one for one in team.replies(question) if one.element(RETRY)], timeout=15)
    await team.slack.settled()
    (shown,) = team.replies(question)
    return shown


async def test_a_question_without_an_answer_is_asked_again_and_the_notice_becomes_the_answer(
    team: Any, broken: pytest.MonkeyPatch
) -> None:
    question = await team.ask(team.alice, team.general, PARKING)
    shown = await notice(team, question)
    assert GIVEN_UP in shown.text
    broken.undo()
    assert (await team.slack.click(team.alice, shown, RETRY)).acked
    answer = await team.answer(question)
    assert (answer.ts, "40 euros" in answer.text, answer.element(RETRY)) == (shown.ts, True, None)


async def test_clicks_in_a_row_bring_one_answer(team: Any, broken: pytest.MonkeyPatch) -> None:
    question = await team.ask(team.alice, team.general, PARKING)
    shown = await notice(team, question)
    broken.undo()
    team.generator.pause()
    for _ in range(3):
        assert (await team.slack.click(team.alice, shown, RETRY)).acked
    team.generator.go_on()
    await team.answer(question)
    assert (len(team.generator.asked), len(team.replies(question)), len(team.stored())) == (1, 1, 1)


async def test_only_the_asker_asks_again(team: Any, broken: pytest.MonkeyPatch) -> None:
    question = await team.ask(team.alice, team.general, PARKING)
    shown = await notice(team, question)
    broken.undo()
    await team.slack.click(team.bob, shown, RETRY)
    await team.slack.settled()
    told = [one.text for one in team.replies(question, seen_by=team.bob) if one.only_for]
    assert told == ["Only the person who asked, or an admin, can do that."]
    assert team.stored() == []


async def test_the_retried_question_may_fail_again_and_be_asked_once_more(
    team: Any, broken: pytest.MonkeyPatch
) -> None:
    question = await team.ask(team.alice, team.general, PARKING)
    shown = await notice(team, question)
    for _ in range(2):
        await team.slack.click(team.alice, shown, RETRY)
        assert (await notice(team, question)).ts == shown.ts


async def test_in_private_the_notice_goes_and_a_new_answer_comes(team: Any, broken: pytest.MonkeyPatch) -> None:
    team.app.commands = frozenset({"/ask"})
    await team.slack.command(team.alice, team.general, f"/ask {PARKING}")

    def mine(action: str) -> list[Any]:
        return [one for one in team.slack.messages(team.general, seen_by=team.alice) if one.element(action)]

    await team.slack.until(lambda: mine(RETRY_ANEW), timeout=15)
    await team.slack.settled()
    broken.undo()
    await team.slack.click(team.alice, mine(RETRY_ANEW)[0], RETRY_ANEW)
    await team.slack.until(lambda: mine("citebot_feedback"), timeout=15)
    await team.slack.settled()
    assert "40 euros" in mine("citebot_feedback")[0].text
    assert mine(RETRY_ANEW) == []


async def test_an_answer_is_no_trouble_and_has_no_such_button(team: Any) -> None:
    answer = await team.answer(await team.ask(team.alice, team.general, PARKING))
    assert answer.element(RETRY) is None
