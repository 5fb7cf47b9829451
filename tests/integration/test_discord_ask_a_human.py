"""Where the documents do not help, people in Discord are asked; what they reply is saved with one click."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("discord")

from discord_team import PARKING

from citebot.storage import curated

KITCHEN = "Who refills the coffee machine?"
REPLY = "Dana refills the coffee machine every Monday at nine."
ASK, SAVE = "cb:people:*", "cb:save:*"


@pytest.fixture(autouse=True)
def experts(discord_team: Any) -> None:
    discord_team.platform.settings.experts[:] = [discord_team.bob.id]


async def inquiry(team: Any, where: Any) -> Any:
    """What people are asked."""

    def found() -> list[Any]:
        return [one for one in team.ours(where) if "would like to know" in one.text]

    await team.discord.until(found)
    await team.discord.settled()
    (shown,) = found()
    return shown


async def offered(team: Any, where: Any) -> Any:
    def found() -> list[Any]:
        return [one for one in team.ours(where) if one.element(SAVE)]

    await team.discord.until(found)
    return found()[-1]


def rows(team: Any) -> list[Any]:
    with team.bot.database.read() as tx:
        return curated.every(tx)


async def asked(team: Any, where: Any, *, mention: bool = False) -> tuple[Any, Any]:
    """An answer that did not help, and what people are asked."""
    question = await (team.mention if mention else team.ask)(team.alice, where, KITCHEN)
    answer = await team.answer(question)
    await team.discord.click(team.alice, answer, ASK)
    return answer, await inquiry(team, where)


@pytest.mark.parametrize("mention", [True, False], ids=["mention", "command"])
async def test_a_reply_of_who_was_asked_is_saved_with_one_click(discord_team: Any, mention: bool) -> None:
    team = discord_team
    answer, shown = await asked(team, team.general, mention=mention)
    assert shown.calls == {team.bob.id}
    assert shown.id != answer.id
    assert "cb:rate:" in str(team.discord.message(team.general, answer.id).components), "the answer is still there"

    await team.discord.say(team.bob, team.general, REPLY, reply_to=team.general.messages[shown.id])
    offer = await offered(team, team.general)
    assert KITCHEN in offer.text.replace("\\", "")
    await team.discord.click(team.alice, offer, SAVE)
    assert rows(team) == [], "only who wrote it"
    await team.discord.click(team.bob, offer, SAVE)
    await team.discord.until(lambda: rows(team))
    await team.discord.settled()
    (row,) = rows(team)
    place = f"channel:discord:{team.discord.guild.id}:{team.general.id}"
    assert (row.text, row.author, row.readers.principals) == (REPLY, "bob@example.com", {place})
    assert "Answered by" in team.discord.message(team.general, shown.id).text

    await team.bot.sync_urgent(curated.SOURCE)
    await team.bot.feeder.catch_up()
    assert "Dana refills" in (await team.answer(await team.ask(team.alice, team.general, KITCHEN))).text
    assert "Dana" not in (await team.answer(await team.ask(team.alice, team.board, KITCHEN))).text


async def test_a_deleted_reply_takes_the_answer_with_it(discord_team: Any) -> None:
    team = discord_team
    _, shown = await asked(team, team.general)
    reply = await team.discord.say(team.bob, team.general, REPLY, reply_to=team.general.messages[shown.id])
    await team.discord.click(team.bob, await offered(team, team.general), SAVE)
    await team.discord.until(lambda: rows(team))
    await team.discord.delete(team.bob, reply)
    await team.discord.until(lambda: not rows(team))


async def test_what_is_asked_late_is_found_without_the_interaction(discord_team: Any) -> None:
    team = discord_team
    answer = await team.answer(await team.ask(team.alice, team.general, KITCHEN))
    team.skip(16 * 60)
    await team.discord.click(team.alice, answer, ASK)
    shown = await inquiry(team, team.general)
    await team.discord.say(team.bob, team.general, REPLY, reply_to=team.general.messages[shown.id])
    await team.discord.click(team.bob, await offered(team, team.general), SAVE)
    await team.discord.until(lambda: rows(team))


async def test_a_reply_of_others_and_to_an_answer_is_a_question(discord_team: Any) -> None:
    team = discord_team
    answer, shown = await asked(team, team.general)
    one = await team.discord.say(team.carol, team.general, PARKING, reply_to=team.general.messages[shown.id])
    other = await team.discord.say(team.bob, team.general, PARKING, reply_to=team.general.messages[answer.id])
    assert "40 euros" in (await team.answer(one)).text
    assert "40 euros" in (await team.answer(other)).text
    assert not [shown for shown in team.ours(team.general) if shown.element(SAVE)]
