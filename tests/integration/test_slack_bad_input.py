"""What goes wrong in the middle, and what nobody should send: nothing is lost, nobody reads nonsense."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("slack_bolt")

from citebot.testing.slack import FakeSlack

PARKING = "What does the parking permit cost?"


async def asked_and_held(team: Any) -> Any:
    """A question whose answer waits to be written."""
    team.generator.pause()
    question = await team.ask(team.alice, team.general, PARKING)
    await team.slack.until(lambda: team.generator.waiting)
    return question


async def answers_elsewhere(team: Any) -> bool:
    """Whether the app is still of use."""
    return "40 euros" in (await team.answer(await team.ask(team.alice, team.board, PARKING))).text


async def test_a_token_revoked_in_the_middle_is_named_and_work_goes_on_once_it_is_good_again(team: Any) -> None:
    await asked_and_held(team)
    (grant,) = [grant for grant in team.app.grants if grant.kind == "bot"]
    grant.refused = "token_revoked"
    team.generator.go_on()
    await team.slack.until(lambda: "revoked" in team.platform.trouble, timeout=30)
    assert "install the Slack app again" in " ".join(await team.desk.problems())

    grant.refused = ""
    await team.slack.until(lambda: team.platform.trouble == "", timeout=30)
    assert await answers_elsewhere(team)


async def test_a_channel_archived_in_the_middle_is_left_in_peace(team: Any) -> None:
    question = await asked_and_held(team)
    await team.slack.archive(team.alice, team.general)
    team.generator.go_on()

    assert await answers_elsewhere(team)
    assert not [shown for shown in team.replies(question) if "40 euros" in shown.text]


async def test_a_channel_the_app_is_put_out_of_in_the_middle_is_left_in_peace(team: Any) -> None:
    question = await asked_and_held(team)
    await team.slack.kick(team.alice, team.general, team.app)
    team.generator.go_on()

    assert await answers_elsewhere(team)
    assert not [shown for shown in team.replies(question) if "40 euros" in shown.text]


async def test_an_account_closed_in_the_middle_costs_nothing(team: Any) -> None:
    await asked_and_held(team)
    await team.slack.deactivate(team.alice)
    team.generator.go_on()
    carol = await team.ask(team.carol, team.board, PARKING)

    assert "40 euros" in (await team.answer(carol)).text


async def test_a_question_of_40000_characters_is_answered_as_far_as_it_is_read(team: Any) -> None:
    answer = await team.answer(await team.ask(team.alice, team.general, f"{PARKING} {'and so on ' * 4_000}"[:39_900]))

    assert "40 euros" in answer.text
    assert "characters of the question were read" in answer.text


@pytest.mark.parametrize("words", ["", "   ", "\u200b", "?!", ":eyes:", "<https://x.example>", "\u202e"])
async def test_a_mention_without_a_question_gets_words_and_no_answer(words: str, team: Any) -> None:
    question = await team.ask(team.alice, team.general, words)
    await team.slack.until(lambda: team.replies(question, seen_by=team.alice) or said_aside(team), timeout=30)

    assert [stored for stored in team.stored() if stored.answered] == []


def said_aside(team: Any) -> list[Any]:
    return [shown for shown in team.slack.messages(team.general, seen_by=team.alice) if shown.only_for]


async def test_two_bots_that_mention_each_other_do_not_talk_for_ever(team: Any) -> None:
    from slack_sdk.web.async_client import AsyncWebClient

    other = team.slack.add_app("parrot")
    await team.slack.invite(team.alice, team.general, other)
    client = AsyncWebClient(other.bot_token, base_url=team.slack.api_url)
    question = await team.ask(team.alice, team.general, f"{PARKING} Tell {other.mention} too.")
    await team.answer(question)
    for _ in range(5):
        await client.chat_postMessage(
            channel=team.general.id, thread_ts=question.ts, text=f"{team.app.mention} {PARKING}"
        )
    await team.slack.settled(quiet=0.5)

    assert len(team.stored()) == 1


@pytest.mark.parametrize(
    "event",
    [
        {"type": "message"},
        {"type": "app_mention", "text": None},
        {"type": "message", "channel": 7, "ts": "abc", "user": ["U1"], "text": {"a": 1}},
        {"type": "message", "subtype": "message_changed", "message": None, "channel": "C1"},
        {"type": "message", "subtype": "message_deleted", "channel": "C1"},
        {"type": "member_joined_channel", "channel": None},
        {"type": "user_change", "user": None},
        {"type": "agent_session_stopped"},
        {"type": "app_home_opened", "tab": "home"},
        {"type": "something_new", "channel": {"id": {}}},
    ],
    ids=lambda event: f"{event['type']}-{len(event)}",
)
async def test_events_that_make_no_sense_harm_nobody(event: dict[str, Any], team: Any) -> None:
    slack: FakeSlack = team.slack
    body = {"type": "event_callback", "team_id": slack.workspace.id, "event_id": "EvX", "event": event}
    slack.core.publish(team.app, {**body, "authorizations": [], "api_app_id": team.app.id})

    assert await answers_elsewhere(team)
