"""How people talk with Citebot in Slack: follow-ups, edits, deletions, stops, bots, files, and a sick connection."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from structlog.testing import capture_logs

PARKING = "What does the parking permit cost?"


async def test_item_04_the_asker_goes_on_without_a_mention(team: Any) -> None:
    question = await team.ask(team.alice, team.general, PARKING)
    await team.answer(question)
    more = await team.slack.say(
        team.alice, team.general, "And what does the permit cost a year?", thread_ts=question.ts
    )
    await team.answer(more, number=2)

    assert len(team.stored()) == 2


async def test_item_04_history_goes_with_a_follow_up(team: Any) -> None:
    question = await team.ask(team.alice, team.general, PARKING)
    await team.answer(question)
    await team.slack.say(team.alice, team.general, "And a year?", thread_ts=question.ts)
    await team.answer(question, number=2)

    seen = team.generator.asked[-1].history
    assert [turn.role for turn in seen] == ["user", "assistant"]
    assert seen[0].text == PARKING
    assert "40 euros" in seen[1].text


async def test_item_04_somebody_else_in_the_thread_ends_the_pair(team: Any) -> None:
    question = await team.ask(team.alice, team.general, PARKING)
    await team.answer(question)
    await team.slack.say(team.bob, team.general, "I thought it was 50?", thread_ts=question.ts)
    await team.slack.settled()
    await team.slack.say(team.alice, team.general, "No, that was last year.", thread_ts=question.ts)
    await team.slack.settled()

    assert len(team.stored()) == 1


async def test_item_04_a_message_to_somebody_else_is_not_for_us(team: Any) -> None:
    question = await team.ask(team.alice, team.general, PARKING)
    await team.answer(question)
    await team.slack.say(team.alice, team.general, "@bob did you know?", thread_ts=question.ts)
    await team.slack.say(team.alice, team.general, "What does the parking permit cost?")
    await team.slack.settled()

    assert len(team.stored()) == 1


async def test_item_04_after_a_restart_the_thread_is_read_again(team: Any) -> None:
    question = await team.ask(team.alice, team.general, PARKING)
    await team.answer(question)
    team.platform._parts.threads._known.clear()
    await team.slack.say(team.alice, team.general, "And a year?", thread_ts=question.ts)
    await team.answer(question, number=2)
    team.platform._parts.threads._known.clear()
    await team.slack.say(team.bob, team.general, "And a day?", thread_ts=question.ts)
    await team.slack.settled()

    assert len(team.stored()) == 2


async def test_item_07_a_status_is_shown_before_the_answer(team: Any) -> None:
    """How soon is measured in `tests/benchmarks`."""
    said = await team.ask(team.alice, team.general, PARKING)
    await team.answer(said)
    sent = [one.method for one in team.slack.sent]
    assert sent.index("assistant.threads.setStatus") < sent.index("chat.startStream")

    first = team.slack.calls("assistant.threads.setStatus")[0]
    assert first.args["status"].startswith("Searching")
    assert (first.args["channel_id"], first.args["thread_ts"]) == (team.general.id, said.ts)
    assert team.slack.thinking(team.general, said.ts) is None


async def test_item_07_a_status_that_slack_refuses_costs_nothing(team: Any) -> None:
    team.slack.faults.error("assistant.threads.setStatus", "not_allowed_token_type", times=9)

    assert "40 euros" in (await team.answer(await team.ask(team.alice, team.general, PARKING))).text


async def test_item_16_an_edited_question_is_answered_again_once_and_the_old_answer_goes(team: Any) -> None:
    question = await team.ask(team.alice, team.general, "Where do vistors sign?")
    await team.answer(question)
    await team.slack.edit(team.alice, question, f"{team.app.mention} {PARKING}")
    await team.slack.until(lambda: len(team.stored()) == 2)
    answer = await team.answer(question)
    for delivery in [d for d in team.slack.deliveries if d.body["event"].get("subtype") == "message_changed"]:
        team.slack.redeliver(delivery)
    await team.slack.settled()

    assert "40 euros" in answer.text
    assert [shown.ts for shown in team.replies(question)] == [answer.ts]
    assert len(team.stored()) == 2


async def test_item_16_an_edit_that_changes_nothing_or_no_question_is_ignored(team: Any) -> None:
    question = await team.ask(team.alice, team.general, PARKING)
    await team.answer(question)
    await team.slack.edit(team.alice, question, f"{team.app.mention} {PARKING}")
    chat = await team.slack.say(team.bob, team.general, "Lunch?")
    await team.slack.edit(team.bob, chat, "Lunch at noon?")
    await team.slack.settled()

    assert len(team.stored()) == 1


async def test_item_16_a_deleted_question_takes_its_answer_with_it(team: Any) -> None:
    question = await team.ask(team.alice, team.general, PARKING)
    await team.answer(question)
    await team.slack.delete(team.alice, question)
    await team.slack.settled()

    assert team.replies(question) == []


@pytest.mark.parametrize("method", ["chat.startStream", "chat.postMessage"])
async def test_item_16_a_question_deleted_while_its_answer_is_sent_leaves_nothing(method: str, team: Any) -> None:
    if method == "chat.postMessage":
        team.slack.faults.error("chat.startStream", "unknown_method", times=99)
    stall = team.slack.faults.stall(method)
    question = await team.ask(team.alice, team.general, PARKING)
    await team.slack.until(lambda: stall.met)
    await team.slack.delete(team.alice, question)
    await team.slack.until(lambda: team.slack.deliveries[-1].over)
    stall.gate.set()
    await asyncio.sleep(2.0)

    assert team.slack.messages(team.general) == []
    assert team.replies(question) == []


async def test_item_16_a_follow_up_deleted_while_its_answer_is_sent_leaves_nothing(team: Any) -> None:
    team.slack.faults.error("chat.startStream", "unknown_method", times=99)
    root = await team.slack.say(team.alice, team.general, "Hello all")
    stall = team.slack.faults.stall("chat.postMessage")
    question = await team.ask(team.alice, team.general, PARKING, thread_ts=root.ts)
    await team.slack.until(lambda: stall.met)
    await team.slack.delete(team.alice, question)
    await team.slack.until(lambda: team.slack.deliveries[-1].over)
    stall.gate.set()
    await asyncio.sleep(2.0)

    assert team.replies(question) == []


async def test_item_16_a_question_deleted_before_its_answer_is_sent_gets_none(team: Any) -> None:
    team.generator.pause()
    question = await team.ask(team.alice, team.general, PARKING)
    await team.slack.until(lambda: team.generator.waiting)
    await team.slack.delete(team.alice, question)
    await team.slack.until(lambda: team.slack.deliveries[-1].over)
    team.generator.go_on()
    await asyncio.sleep(1.0)

    assert not [sent for sent in team.slack.sent if sent.method in ("chat.startStream", "chat.postMessage")]


async def test_item_20_bots_are_not_answered(team: Any) -> None:
    other = team.slack.add_app("chatty")
    us = team.app.bots[team.slack.workspace.id]
    await team.slack.invite(team.alice, team.general, other)
    from slack_sdk.web.async_client import AsyncWebClient

    client = AsyncWebClient(other.bot_token, base_url=team.slack.api_url)
    await client.chat_postMessage(channel=team.general.id, text=f"<@{us.id}> {PARKING}")
    await team.slack.until(lambda: [d for d in team.slack.deliveries if d.body["event"]["type"] == "app_mention"])
    await team.slack.settled(quiet=0.3)

    assert team.stored() == []


async def test_item_20_a_thread_with_too_many_answers_is_refused_in_one_line(
    team: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("citebot.conversing.threads.ANSWERS_MOST", 1)
    question = await team.ask(team.alice, team.general, PARKING)
    await team.answer(question)
    await team.slack.say(team.alice, team.general, "And a year?", thread_ts=question.ts)
    await team.slack.settled()

    assert len(team.stored()) == 1
    assert "in a new one" in team.replies(question, seen_by=team.alice)[-1].text


async def test_a_mention_without_words_gets_help_for_the_asker_alone(team: Any) -> None:
    await team.slack.say(team.alice, team.general, f"{team.app.mention}")
    await team.slack.settled()

    shown = team.slack.messages(team.general, seen_by=team.alice)
    assert [one.only_for for one in shown[1:]] == [team.alice.id]
    assert "I answer questions" in shown[-1].text
    assert team.stored() == []


async def test_files_are_said_to_be_unread_and_the_words_are_answered(team: Any) -> None:
    question = await team.slack.say(
        team.alice, team.general, f"{team.app.mention} {PARKING}", files=[("scan.png", b"picture")]
    )
    assert "I did not read scan.png" in (await team.answer(question)).text


async def test_german_speakers_read_german_buttons(team: Any) -> None:
    team.alice.locale = "de-DE"
    answer = await team.answer(await team.ask(team.alice, team.general, PARKING))

    assert "Quellen" in answer.text
    assert "Nicht hilfreich" in answer.text


async def test_item_09_the_stop_button_ends_the_answer(team: Any) -> None:
    team.generator.pause()
    question = await team.ask(team.alice, team.general, PARKING)
    await team.slack.until(lambda: team.generator.waiting)
    await team.slack.stop_stream(team.alice, team.general, question.ts)
    await team.slack.settled()
    team.generator.go_on()
    answer = await team.answer(question)

    assert "stopped" in answer.text.lower()
    assert team.slack.world.sessions[team.general.id, question.ts].status == "active"


async def test_item_02_a_deaf_socket_is_replaced(team: Any) -> None:
    (old,) = team.slack.deafen(team.app)
    await team.slack.until(lambda: any(s is not old for s in team.slack.sockets(team.app)), timeout=30)
    await team.slack.until(lambda: team.platform.trouble == "")

    assert "40 euros" in (await team.answer(await team.ask(team.alice, team.general, PARKING))).text


async def test_item_02_a_socket_that_nobody_reads_is_noticed_and_replaced(team: Any) -> None:
    client = team.platform._link._handler.client
    with capture_logs() as logs:
        client.current_session_monitor.cancel()
        client.message_receiver.cancel()
        await team.slack.until(lambda: "no answer on Slack's socket" in str(logs), timeout=30)
        await team.slack.until(lambda: team.platform.trouble == "")

    assert "40 euros" in (await team.answer(await team.ask(team.alice, team.general, PARKING))).text


async def test_item_02_a_failing_keepalive_says_why_we_are_not_ready(team: Any) -> None:
    fault = team.slack.faults.fail("auth.test", status=503, times=50)
    opening = team.slack.faults.fail("apps.connections.open", status=503, times=50)
    await team.slack.until(lambda: team.platform.trouble, timeout=30)

    assert "auth.test" in team.platform.trouble or "socket" in team.platform.trouble
    assert list(await team.desk.problems()) == [f"slack: {team.platform.trouble}"]
    team.slack.faults.clear()
    assert fault.met
    assert opening is not None
    await team.slack.until(lambda: team.platform.trouble == "", timeout=30)


async def test_item_02_a_token_that_was_revoked_is_said_until_it_is_mended(team: Any) -> None:
    team.slack.faults.error("auth.test", "token_revoked", times=1_000)
    await team.slack.until(lambda: "revoked" in team.platform.trouble, timeout=30)
    await asyncio.sleep(1.0)
    assert "install the Slack app again" in team.platform.trouble
    team.slack.faults.clear()

    await team.slack.until(lambda: team.platform.trouble == "", timeout=30)


async def test_item_02_a_dropped_socket_comes_back_and_nothing_is_lost(team: Any) -> None:
    team.slack.drop_sockets(team.app)
    question = await team.ask(team.alice, team.general, PARKING)

    assert "40 euros" in (await team.answer(question)).text


async def test_a_channel_we_cannot_write_to_ends_with_a_clear_reason(team: Any) -> None:
    team.slack.faults.error("chat.startStream", "is_archived", times=9)
    team.slack.faults.error("chat.postMessage", "is_archived", times=9)
    question = await team.ask(team.alice, team.general, PARKING)
    await team.slack.until(lambda: team.slack.calls("chat.postMessage"))
    await team.slack.settled()

    assert team.replies(question) == []
