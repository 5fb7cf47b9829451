"""What becomes of questions in Discord: follow-ups, edits, deletions, restarts, a connection that comes and goes."""

from __future__ import annotations

import asyncio
from typing import Any

from discord_team import PARKING, SALARY

GONE = 16 * 60.0
"""Seconds after which an interaction cannot be answered by its token any more."""


def readable(team: Any, where: Any) -> list[str]:
    """What the bot shows there."""
    return [one.text for one in team.ours(where)]


async def test_item_06_a_reply_in_a_thread_of_others_is_answered_there(discord_team: Any) -> None:
    message = await discord_team.discord.say(discord_team.bob, discord_team.general, "Let us talk about cars.")
    thread = await discord_team.discord.start_thread(discord_team.bob, message, "cars")
    asked = await discord_team.mention(discord_team.alice, thread, PARKING)
    answer = await discord_team.answer(asked)

    assert answer.channel == thread.id
    assert readable(discord_team, discord_team.general) == []


async def test_item_07_what_does_not_mention_us_is_not_read(discord_team: Any) -> None:
    await discord_team.discord.say(discord_team.alice, discord_team.general, PARKING)
    await discord_team.discord.settled()
    assert discord_team.stored() == []
    assert readable(discord_team, discord_team.general) == []


async def test_item_07_a_direct_conversation_knows_what_was_said(discord_team: Any) -> None:
    first = await discord_team.discord.say(discord_team.alice, discord_team.app, PARKING)
    await discord_team.answer(first)
    second = await discord_team.discord.say(discord_team.alice, discord_team.app, "And per month?")
    await discord_team.answer(second)
    told = discord_team.generator.asked[-1]
    assert any("40 euros" in turn.text for turn in told.history)


async def test_item_20_an_edited_question_is_answered_again_and_the_old_answer_goes(discord_team: Any) -> None:
    asked = await discord_team.mention(discord_team.alice, discord_team.general, "Who signs what?")
    old = await discord_team.answer(asked)
    await discord_team.discord.edit(discord_team.alice, asked, f"{discord_team.app.mention} {PARKING}")

    def new() -> Any:
        found = [one for one in discord_team.replies(asked) if one.id != old.id and one.element("cb:rate:*")]
        return found[0] if found and len(discord_team.replies(asked)) == 1 else None

    answer = await discord_team.discord.until(new)
    assert "40 euros" in answer.text


async def test_item_20_a_deleted_question_takes_its_answer_along_after_a_restart_too(discord_team: Any) -> None:
    asked = await discord_team.mention(discord_team.alice, discord_team.general, PARKING)
    await discord_team.answer(asked)
    await discord_team.crash()
    await discord_team.begin()
    await discord_team.discord.delete(discord_team.alice, asked)
    await discord_team.discord.until(lambda: readable(discord_team, discord_team.general) == [])


async def test_item_22_a_restart_finishes_an_answer_that_was_deferred(discord_team: Any) -> None:
    discord_team.generator.pause()
    asked = await discord_team.ask(discord_team.alice, discord_team.general, PARKING)
    await discord_team.discord.until(lambda: discord_team.generator.waiting)
    await discord_team.crash()
    discord_team.generator.go_on()
    await discord_team.begin()
    answer = await discord_team.answer(asked)

    assert "40 euros" in answer.text
    assert len(discord_team.ours(discord_team.general)) == 1


async def test_item_22_what_comes_too_late_for_the_interaction_is_a_normal_message(discord_team: Any) -> None:
    discord_team.generator.pause()
    asked = await discord_team.ask(discord_team.alice, discord_team.general, PARKING)
    await discord_team.discord.until(lambda: discord_team.generator.waiting)
    await discord_team.crash()
    discord_team.skip(GONE)
    discord_team.generator.go_on()
    await discord_team.begin()
    answer = await discord_team.discord.until(
        lambda: next((one for one in discord_team.ours(discord_team.general) if one.element("cb:rate:*")), None)
    )
    await discord_team.discord.settled()

    assert "40 euros" in answer.text
    assert PARKING in answer.text
    assert asked.acked


async def test_item_22_a_private_answer_that_comes_too_late_is_a_direct_message(discord_team: Any) -> None:
    discord_team.generator.pause()
    asked = await discord_team.ask(discord_team.alice, discord_team.general, SALARY, private=True)
    await discord_team.discord.until(lambda: discord_team.generator.waiting)
    await discord_team.crash()
    discord_team.skip(GONE)
    discord_team.generator.go_on()
    await discord_team.begin()
    direct = discord_team.discord.direct(discord_team.alice, discord_team.app)
    await discord_team.discord.until(lambda: any("9000 euros" in text for text in readable(discord_team, direct)))

    assert asked.acked
    assert "9000" not in "".join(readable(discord_team, discord_team.general))


async def test_item_22_a_private_answer_that_was_too_late_from_the_beginning_is_one_too(discord_team: Any) -> None:
    discord_team.discord.faults.error("create_interaction_response", "10062")
    asked = await discord_team.ask(discord_team.alice, discord_team.general, SALARY, private=True)
    direct = discord_team.discord.direct(discord_team.alice, discord_team.app)
    answer = await discord_team.discord.until(
        lambda: next((one for one in discord_team.ours(direct) if one.element("cb:rate:*")), None)
    )

    assert not asked.acked
    assert "9000 euros" in answer.text
    assert len(discord_team.ours(direct)) == 1


async def test_item_22_mentions_that_were_missed_are_answered_and_those_known_are_not_again(discord_team: Any) -> None:
    known = await discord_team.mention(discord_team.alice, discord_team.general, PARKING)
    await discord_team.answer(known)
    direct = await discord_team.discord.say(discord_team.alice, discord_team.app, PARKING)
    await discord_team.answer(direct)
    await discord_team.crash()
    missed = await discord_team.mention(discord_team.bob, discord_team.general, PARKING)
    whispered = await discord_team.discord.say(discord_team.alice, discord_team.app, SALARY)
    await discord_team.begin()

    assert "40 euros" in (await discord_team.answer(missed)).text
    assert "9000 euros" in (await discord_team.answer(whispered)).text
    assert len(discord_team.replies(known)) == 1


async def test_item_22_a_look_back_that_is_cut_off_goes_on(discord_team: Any) -> None:
    await discord_team.crash()
    missed = await discord_team.mention(discord_team.bob, discord_team.general, PARKING)
    cut_off = discord_team.discord.faults.refuse("list_messages", times=2)
    await discord_team.begin()

    assert "40 euros" in (await discord_team.answer(missed)).text
    assert cut_off.met == 2


async def test_item_22_a_resumed_connection_brings_what_was_missed(discord_team: Any) -> None:
    before = discord_team.discord.identifies
    discord_team.discord.drop_sockets(discord_team.app)
    asked = await discord_team.mention(discord_team.alice, discord_team.general, PARKING)
    await discord_team.answer(asked)

    assert discord_team.discord.resumes >= 1
    assert discord_team.discord.identifies == before


async def test_item_22_a_new_session_looks_back(discord_team: Any) -> None:
    await discord_team.discord.invalidate_sessions(discord_team.app)
    asked = await discord_team.mention(discord_team.alice, discord_team.general, PARKING)
    assert "40 euros" in (await discord_team.answer(asked)).text


def _shard(guild: Any) -> int:
    return (int(guild.id) >> 22) % 2


async def test_item_23_several_connections_are_one_app(discord_team: Any) -> None:
    """Each tells of its own servers; one that is lost is told, and nothing else is."""
    discord, app = discord_team.discord, discord_team.app
    await discord_team.crash()
    discord.settings.shards, discord.settings.max_concurrency = 2, 2
    others = [discord.add_guild("Other")]
    while {_shard(guild) for guild in others} != {0, 1}:
        await asyncio.sleep(0.001)  # the shard follows from the millisecond
        others.append(discord.add_guild("Another"))
    for guild in others:
        await discord.join(discord_team.alice, guild)
        await discord.install(app, guild)
    rooms = [discord.add_channel("talk", guild=guild) for guild in others]
    discord_team.settings.sharded = True
    discord_team.settings.guilds[:] = [discord.guild.id, *(guild.id for guild in others)]
    discord_team.start()
    await discord_team.begin()
    assert sorted(one.shard for one in discord.sessions(app)) == [(0, 2), (1, 2)]

    asked = [await discord_team.mention(discord_team.alice, room, PARKING) for room in rooms]
    asked.append(await discord.say(discord_team.alice, app, PARKING))
    commanded = await discord_team.ask(discord_team.alice, rooms[-1], PARKING)
    for one in (*asked, commanded):
        assert "40 euros" in (await discord_team.answer(one)).text

    first = discord.sessions(app)[0]
    identified = discord.identifies
    first.socket.cut()
    await discord.until(lambda: discord_team.platform.trouble)
    await discord.until(lambda: not discord_team.platform.trouble)
    again = [await discord_team.mention(discord_team.alice, room, PARKING) for room in rooms]
    for one in again:
        assert "40 euros" in (await discord_team.answer(one)).text
    assert (discord.resumes, discord.identifies) == (1, identified)


async def test_item_23_trouble_is_told_and_over_when_it_is(discord_team: Any) -> None:
    assert discord_team.platform.trouble == ""
    discord_team.discord.settings.identifies = 0
    await discord_team.discord.close_sockets(discord_team.app, 4000)
    await discord_team.discord.until(lambda: discord_team.platform.link.connected.is_set())
    assert discord_team.platform.trouble == ""


async def test_a_malformed_event_costs_itself_alone(discord_team: Any) -> None:
    before = discord_team.discord.identifies
    for _ in range(3):
        await discord_team.discord.send_malformed(discord_team.app)
    answer = await discord_team.answer(await discord_team.ask(discord_team.alice, discord_team.general, PARKING))

    assert "40 euros" in answer.text
    assert discord_team.discord.identifies == before


async def test_a_connection_that_ends_by_a_fault_is_made_again(discord_team: Any) -> None:
    before = discord_team.discord.identifies
    await discord_team.discord.send_event(discord_team.app, "READY", {"v": 10})
    await discord_team.discord.until(lambda: discord_team.discord.identifies > before)
    answer = await discord_team.answer(await discord_team.ask(discord_team.alice, discord_team.general, PARKING))
    assert "40 euros" in answer.text
