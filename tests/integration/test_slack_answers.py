"""Questions and answers in Slack, end to end: one visible answer, with its sources, for those who may read them."""

from __future__ import annotations

from typing import Any

import pytest

from citebot.model import Feedback, Person
from citebot.storage import answers

PARKING = "What does the parking permit cost?"
SALARY = "What is the salary of a director?"


async def test_item_03_mentions_are_answered_in_the_thread_never_at_channel_level(team: Any) -> None:
    question = await team.ask(team.alice, team.general, PARKING)
    answer = await team.answer(question)

    assert "40 euros" in answer.text
    assert answer.thread_ts == question.ts
    assert [shown.ts for shown in team.slack.messages(team.general)] == [question.ts]


async def test_item_03_a_mention_may_stand_anywhere_and_markup_is_taken_off(team: Any) -> None:
    said = f"so {team.app.mention}, what does the #general & <parking> permit cost @bob?"
    question = await team.slack.say(team.alice, team.general, said)
    await team.answer(question)

    (stored,) = team.stored()
    assert stored.question == "so what does the #general & <parking> permit cost @bob?"


async def test_item_05_direct_messages_with_and_without_a_thread(team: Any) -> None:
    first = await team.slack.say(team.alice, team.app, SALARY)
    assert "9000 euros" in (await team.answer(first)).text
    second = await team.slack.say(team.alice, team.app, PARKING, thread_ts=first.ts)
    answer = await team.answer(second, number=2)

    assert "40 euros" in answer.text
    assert answer.thread_ts == first.ts


async def test_item_08_an_answer_is_streamed_and_ends_with_its_sources(team: Any) -> None:
    answer = await team.answer(await team.ask(team.alice, team.general, PARKING))

    assert answer.streaming == "stopped"
    assert [sent.method for sent in team.slack.calls("chat.postMessage")] == []


async def test_item_10_without_streams_the_answer_is_a_message(team: Any) -> None:
    team.slack.faults.error("chat.startStream", "unknown_method", times=9)
    answer = await team.answer(await team.ask(team.alice, team.general, PARKING))

    assert (answer.streaming, "40 euros" in answer.text) == ("", True)


async def test_item_10_a_stream_that_dies_is_repaired(team: Any) -> None:
    team.slack.faults.error("chat.stopStream", "message_not_in_streaming_state", times=9)
    team.slack.faults.error("chat.appendStream", "message_not_in_streaming_state", times=9)
    question = await team.ask(team.alice, team.general, PARKING)
    await team.slack.until(lambda: team.replies(question))
    team.slack.clock.skip(400)
    answer = await team.answer(question)

    assert "40 euros" in answer.text
    assert len(team.replies(question)) == 1


async def test_item_11_sources_are_numbered_with_link_title_and_age_and_nothing_unfurls(team: Any) -> None:
    team.slack.faults.error("chat.startStream", "unknown_method", times=9)
    answer = await team.answer(await team.ask(team.alice, team.general, PARKING))

    assert "*[1]* <https://wiki.example.com/parking|Parking>" in answer.text
    assert "updated 2026-03-01" in answer.text
    assert answer.links == {"https://wiki.example.com/parking"}
    assert (answer.options["unfurl_links"], answer.options["unfurl_media"]) == (False, False)


async def test_item_14_feedback_is_stored_with_the_answer_and_why_is_asked(team: Any) -> None:
    answer = await team.answer(await team.ask(team.alice, team.general, PARKING))
    outcome = await team.slack.click(team.alice, answer, "citebot_feedback", "negative")
    modal = await team.slack.until(lambda: team.slack.modal(team.alice))
    await team.slack.submit(team.alice, modal, {"reason": "It is 50 now."})

    assert outcome.acked
    (stored,) = team.stored()
    alice = Person("alice@example.com")
    with team.bot.database.read() as tx:
        assert answers.feedback_of(tx, stored.id) == [Feedback(stored.id, alice, "not_helpful", "It is 50 now.")]


async def test_item_14_only_the_asker_rates_an_answer(team: Any) -> None:
    question = await team.ask(team.alice, team.general, PARKING)
    answer = await team.answer(question)
    await team.slack.click(team.bob, answer, "citebot_feedback", "positive")
    await team.slack.settled()

    (stored,) = team.stored()
    with team.bot.database.read() as tx:
        assert answers.feedback_of(tx, stored.id) == []
    assert "Only the person who asked" in team.replies(question, seen_by=team.bob)[-1].text


async def test_item_17_the_asker_deletes_the_answer_and_nobody_else(team: Any) -> None:
    question = await team.ask(team.alice, team.general, PARKING)
    answer = await team.answer(question)
    await team.slack.click(team.bob, answer, "citebot_delete")
    assert len(team.replies(question)) == 1
    await team.slack.click(team.alice, answer, "citebot_delete")

    assert team.replies(question) == []


async def test_item_18_four_deliveries_are_one_answer(team: Any) -> None:
    team.slack.settings.copies = 4
    question = await team.ask(team.alice, team.general, PARKING)
    await team.answer(question)

    assert len(team.replies(question)) == 1
    assert len(team.stored()) == 1


async def test_item_18_an_answer_of_which_nobody_knows_whether_it_was_sent_is_not_sent_twice(team: Any) -> None:
    team.slack.faults.error("chat.startStream", "unknown_method", times=9)
    dropped = team.slack.faults.drop_response("chat.postMessage")
    question = await team.ask(team.alice, team.general, PARKING)
    await team.answer(question)

    assert dropped.met == 1
    assert len(team.replies(question)) == 1


async def test_item_19_what_slack_slows_down_comes_later_and_once(team: Any) -> None:
    team.slack.faults.storm("chat.startStream", times=2)
    team.slack.faults.storm("chat.stopStream", times=2)
    question = await team.ask(team.alice, team.general, PARKING)
    answer = await team.answer(question)

    assert "40 euros" in answer.text
    assert len(team.replies(question)) == 1


@pytest.mark.parametrize(
    ("asker", "place", "shown"),
    [
        ("alice", "board", True),
        ("alice", "general", False),
        ("alice", "lobby", False),
    ],
)
async def test_item_21_an_answer_uses_what_everybody_in_the_channel_may_read(
    asker: str, place: str, shown: bool, team: Any
) -> None:
    answer = await team.answer(await team.ask(getattr(team, asker), getattr(team, place), SALARY))

    assert ("9000" in answer.text) is shown


@pytest.mark.parametrize(("place", "shown"), [("general", True), ("board", True), ("lobby", False)])
async def test_item_21_what_the_team_may_read_is_not_shown_where_a_guest_reads(
    place: str, shown: bool, team: Any
) -> None:
    answer = await team.answer(await team.ask(team.alice, getattr(team, place), PARKING))

    assert ("40 euros" in answer.text) is shown


@pytest.mark.parametrize(("place", "shown"), [("lobby", True), ("general", False), ("board", False)])
async def test_item_21_a_document_of_a_channel_is_shown_there_alone(place: str, shown: bool, team: Any) -> None:
    answer = await team.answer(await team.ask(team.alice, getattr(team, place), "Where do visitors sign the book?"))

    assert ("visitor book" in answer.text) is shown


async def test_item_21_who_joins_counts_at_once(team: Any) -> None:
    assert "9000" in (await team.answer(await team.ask(team.alice, team.board, SALARY))).text
    await team.slack.invite(team.alice, team.board, team.bob)
    await team.slack.settled()

    assert "9000" not in (await team.answer(await team.ask(team.alice, team.board, SALARY))).text


async def test_item_26_every_message_has_words_beside_its_blocks(team: Any) -> None:
    team.slack.faults.error("chat.startStream", "unknown_method", times=9)
    answer = await team.answer(await team.ask(team.alice, team.general, PARKING))

    assert "40 euros" in answer.fallback
