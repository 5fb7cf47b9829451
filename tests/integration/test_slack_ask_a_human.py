"""Where the documents do not help, people are asked, once; what they write becomes an answer for those who read it."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("slack_bolt")

from citebot.app import consulting
from citebot.storage import curated
from citebot_connectors.platforms.slack.actions import SAVE_ANSWER
from citebot_connectors.platforms.slack.drawing import ASK_PEOPLE

KITCHEN = "Who refills the coffee machine?"
REPLY = "Dana refills the coffee machine every Monday at nine."


@pytest.fixture(autouse=True)
def experts(team: Any) -> None:
    team.platform.settings.experts[:] = [team.bob.id]


async def asked(team: Any, where: Any, question: str = KITCHEN) -> tuple[Any, Any]:
    """The question, and what people are asked."""
    said = await team.ask(team.alice, where, question)
    await team.slack.click(team.alice, await team.answer(said), ASK_PEOPLE)
    return said, await inquiry(team, said)


async def inquiry(team: Any, question: Any) -> Any:
    await team.slack.until(lambda: [one for one in team.replies(question) if "would like to know" in one.text])
    await team.slack.settled()
    (found,) = [one for one in team.replies(question) if "would like to know" in one.text]
    return found


async def offered(team: Any, user: Any, question: Any) -> Any:
    def found() -> Any:
        return [one for one in team.replies(question, seen_by=user) if one.element(SAVE_ANSWER)]

    await team.slack.until(found)
    return found()[-1]


async def saved(team: Any, where: Any) -> Any:
    """A question in `where` that Bob has answered and saved."""
    question, _ = await asked(team, where)
    reply = await team.slack.say(team.bob, where, REPLY, thread_ts=question.ts)
    await team.slack.click(team.bob, await offered(team, team.bob, question), SAVE_ANSWER)
    await team.slack.until(lambda: rows(team))
    await team.slack.settled()
    await team.bot.sync_urgent(curated.SOURCE)
    await team.bot.feeder.catch_up()
    return question, reply


def rows(team: Any) -> list[Any]:
    with team.bot.database.read() as tx:
        return curated.every(tx)


async def test_those_who_look_after_a_channel_are_asked_with_what_was_found(team: Any) -> None:
    _, shown = await asked(team, team.lobby, "Who reads the visitor book?")
    assert shown.calls == {team.bob.id}
    assert "Who reads the visitor book?" in shown.text
    assert "<https://wiki.example.com/visitors|Visitors>" in shown.text


async def test_nobody_is_shown_what_not_all_may_read(team: Any) -> None:
    _, shown = await asked(team, team.general, "What is the salary of a director?")
    assert "salaries" not in shown.text.lower()


async def test_nothing_that_was_written_calls_anybody(team: Any) -> None:
    _, shown = await asked(team, team.general, f"Who <!channel> <@{team.carol.id}> &lt;@{team.carol.id}&gt; @here?")
    assert shown.calls == {team.bob.id}


async def test_the_author_of_what_was_found_is_asked_if_they_are_there(team: Any) -> None:
    people = [one.account for one in await team.platform.people_for(place(team), ["alice@example.com", "x"])]
    assert people == [team.alice.id, team.bob.id]
    assert [one.account for one in await team.platform.people_for(place(team), ["carol@example.com"])] == [team.bob.id]


async def test_a_user_group_stands_for_its_members_and_without_anybody_the_maker_is_asked(team: Any) -> None:
    group = team.slack.add_group("facility", [team.carol, team.bob])
    team.platform.settings.experts[:] = [group.id, "S0GONE"]
    assert [one.account for one in await team.platform.people_for(place(team), [])] == [team.bob.id]
    team.platform.settings.experts[:] = [team.carol.id, team.guest.id]
    assert [one.account for one in await team.platform.people_for(place(team), [])] == [team.alice.id]


def place(team: Any) -> Any:
    from citebot.model import Conversation

    return Conversation("slack", team.general.id, team.slack.workspace.id, visibility="public")


async def test_people_are_asked_once_however_often_it_is_clicked(team: Any) -> None:
    question, _ = await asked(team, team.general)
    answer = await team.answer(question)
    for _ in range(2):
        await team.slack.click(team.alice, answer, ASK_PEOPLE)
        await team.slack.settled()
    await inquiry(team, question)
    told = [one.text for one in team.slack.messages(team.general, question.ts, seen_by=team.alice) if one.only_for]
    assert told == ["I have asked them in the thread.", *["They have been asked about this already."] * 2]


async def test_only_the_asker_asks_people_and_not_without_end(team: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    question = await team.ask(team.alice, team.general, KITCHEN)
    answer = await team.answer(question)
    monkeypatch.setattr(consulting, "ASKS_A_DAY", 0)
    for user, words in ((team.bob, consulting.NOT_YOURS), (team.alice, consulting.TOO_OFTEN)):
        await team.slack.click(user, answer, ASK_PEOPLE)
        told = await team.slack.until(
            lambda user=user: [one for one in team.replies(question, seen_by=user) if one.only_for]
        )
        assert [one.text for one in told] == [words]
    assert len(team.replies(question)) == 1


async def test_what_they_answer_is_saved_with_one_click_and_cited_from_then_on(team: Any) -> None:
    question, reply = await saved(team, team.general)
    assert "Answered by bob" in (await inquiry(team, question)).text
    answer = await team.answer(await team.ask(team.alice, team.general, KITCHEN))
    assert "Dana refills the coffee machine" in answer.text
    assert f"/archives/{team.general.id}/p{reply.ts.replace('.', '')}" in answer.text
    assert "|Who refills the coffee machine?>" in answer.text
    (row,) = rows(team)
    assert (row.author, row.readers.principals) == (
        "bob@example.com",
        {f"channel:slack:{team.slack.workspace.id}:{team.general.id}"},
    )


async def test_it_is_for_the_readers_of_its_channel_alone(team: Any) -> None:
    await saved(team, team.general)
    elsewhere = await team.answer(await team.ask(team.alice, team.board, KITCHEN))
    assert "Dana" not in elsewhere.text


async def test_a_deleted_reply_takes_the_answer_with_it(team: Any) -> None:
    _, reply = await saved(team, team.general)
    await team.slack.delete(team.bob, reply)
    await team.slack.until(lambda: not rows(team))
    await team.slack.settled()
    answer = await team.answer(await team.ask(team.alice, team.general, KITCHEN))
    assert "Dana" not in answer.text


async def test_saving_is_offered_to_those_who_were_asked_and_works_once(team: Any) -> None:
    question, _ = await asked(team, team.lobby)
    await team.slack.invite(team.alice, team.lobby, team.carol)
    await team.slack.say(team.carol, team.lobby, "No idea.", thread_ts=question.ts)
    await team.slack.say(team.bob, team.lobby, REPLY, thread_ts=question.ts)
    button = await offered(team, team.bob, question)
    assert f"Is that the answer to “{KITCHEN}”?" in button.text
    await team.slack.settled()
    assert not [one for one in team.replies(question, seen_by=team.carol) if one.only_for == team.carol.id]
    await team.slack.click(team.bob, button, SAVE_ANSWER)
    await team.slack.until(lambda: rows(team))
    await team.slack.settled()
    assert [one.text for one in team.replies(question, seen_by=team.bob) if one.only_for] == [
        "Saved. Who can read this channel will find it."
    ]
    await team.slack.say(team.bob, team.lobby, "By the way: it is empty.", thread_ts=question.ts)
    await team.slack.settled()
    assert not [one for one in team.replies(question, seen_by=team.bob) if one.element(SAVE_ANSWER)]
    assert len(rows(team)) == 1


async def test_in_a_direct_message_there_is_nobody_to_ask(team: Any) -> None:
    question = await team.slack.say(team.alice, team.app, KITCHEN)
    assert (await team.answer(question)).element(ASK_PEOPLE) is None
