"""Who may read what in Discord: an answer uses only what everybody may read who sees it."""

from __future__ import annotations

from typing import Any

import pytest
from discord_team import PARKING, SALARY, Permission

from citebot.conversing.known import FRESH
from citebot.errors import Retry
from citebot.model import Conversation, Person

VISITORS = "Who signs the visitor book?"
SEE = Permission.VIEW_CHANNEL


def principals(team: Any, found: frozenset[Person] | None, where: Conversation) -> frozenset[str]:
    """What may be read there."""
    return team.bot.directory.audience_of(found, conversation=where).principals


async def seen(team: Any, channel: Any, *, visibility: str = "public") -> frozenset[str]:
    """What everybody in a channel may read."""
    where = Conversation("discord", channel.id, team.discord.guild.id, visibility=visibility)  # type: ignore[arg-type]
    return principals(team, await team.platform.seen_by(where, Person("alice@example.com")), where)


async def test_item_15_everybody_in_the_server_makes_a_channel_the_team_s(discord_team: Any) -> None:
    assert "everyone" in await seen(discord_team, discord_team.general)


async def test_item_15_a_role_of_guests_that_sees_a_channel_takes_that_away(discord_team: Any) -> None:
    await discord_team.discord.permit(discord_team.general, discord_team.guest_role, allow=SEE)
    await discord_team.discord.settled()
    assert "everyone" not in await seen(discord_team, discord_team.general)


async def test_item_15_overrides_of_people_and_roles_count(discord_team: Any) -> None:
    """In #lobby there is a guest, in #board the members of the board and the admins."""
    lobby = await seen(discord_team, discord_team.lobby, visibility="private")
    board = await seen(discord_team, discord_team.board, visibility="private")

    assert "everyone" not in lobby
    assert f"channel:discord:{discord_team.discord.guild.id}:{discord_team.lobby.id}" in lobby
    assert "everyone" in board
    assert "group:board" not in board, "the owner sees it too, and is not in the group"


async def test_item_15_a_guest_whom_an_override_lets_in_counts(discord_team: Any) -> None:
    """The role of guests does not see #general, which is the team's otherwise."""
    await discord_team.discord.permit(discord_team.general, discord_team.guest, allow=SEE)
    await discord_team.discord.settled()
    assert "everyone" not in await seen(discord_team, discord_team.general)


async def test_item_15_who_becomes_a_guest_is_one_as_soon_as_they_do_something(discord_team: Any) -> None:
    """Discord tells of roles only with what their members do."""
    discord = discord_team.discord
    before = await discord_team.ask(discord_team.bob, discord_team.general, PARKING, private=True)
    assert "40 euros" in (await discord_team.answer(before)).text
    await discord.permit(discord_team.general, discord_team.bob, allow=SEE)
    await discord.give(discord_team.guest_role, discord_team.bob)
    after = await discord_team.ask(discord_team.bob, discord_team.general, PARKING, private=True)

    assert "40 euros" not in (await discord_team.answer(after)).text
    assert "everyone" not in await seen(discord_team, discord_team.general)


async def test_item_15_a_channel_in_step_with_its_category_changes_with_it(discord_team: Any) -> None:
    discord = discord_team.discord
    await discord_team.crash()
    inner = discord.add_category("inner", [discord_team.alice, discord_team.app])
    room = discord.add_channel("room", category=inner)
    await discord_team.begin()
    assert "everyone" in await seen(discord_team, room, visibility="private")
    await discord.permit(inner, discord_team.guest, allow=SEE)
    await discord.settled()
    assert "everyone" not in await seen(discord_team, room, visibility="private")


async def test_item_15_a_thread_is_read_by_its_channel_and_a_private_one_by_no_more(discord_team: Any) -> None:
    discord = discord_team.discord
    thread = await discord.start_thread(
        discord_team.alice, discord_team.general, "quiet", private=True, members=[discord_team.app]
    )
    await discord.settled()
    asked = await discord_team.mention(discord_team.alice, thread, PARKING)
    answer = await discord_team.answer(asked)
    (stored,) = discord_team.stored()

    assert "40 euros" in answer.text
    assert stored.conversation.id == thread.id
    assert stored.conversation.visibility == "private"
    assert f"channel:discord:{discord.guild.id}:{thread.id}" in stored.principals
    assert f"channel:discord:{discord.guild.id}:{discord_team.general.id}" not in stored.principals


async def test_item_15_what_is_marked_for_a_channel_is_used_there_alone(discord_team: Any) -> None:
    here = await discord_team.answer(await discord_team.ask(discord_team.alice, discord_team.lobby, VISITORS))
    there = await discord_team.answer(await discord_team.ask(discord_team.alice, discord_team.general, VISITORS))

    assert "reception" in here.text
    assert "reception" not in there.text


async def test_item_15_age_restricted_channels_are_left_alone(discord_team: Any) -> None:
    discord = discord_team.discord
    await discord_team.crash()
    adult = discord.add_channel("adult", nsfw=True)
    await discord_team.begin()
    asked = await discord_team.ask(discord_team.alice, adult, PARKING)
    mention = await discord_team.mention(discord_team.alice, adult, PARKING)
    about = await discord.context_menu(discord_team.alice, "Ask about this", mention)
    await discord.settled()

    assert "age-restricted" in asked.body["content"]
    assert "age-restricted" in about.body["content"]
    assert discord_team.replies(mention) == []
    assert await seen(discord_team, adult) == frozenset()


async def test_item_15_nothing_is_known_while_the_gateway_is_away(discord_team: Any) -> None:
    discord_team.platform.patience = 0.1
    discord_team.platform.link.lost()
    with pytest.raises(Retry):
        await seen(discord_team, discord_team.general)


async def test_item_16_what_a_channel_may_not_have_is_offered_to_its_asker_alone(discord_team: Any) -> None:
    asked = await discord_team.ask(discord_team.alice, discord_team.general, SALARY)
    public = await discord_team.answer(asked)
    (offer,) = discord_team.discord.follow_ups(asked)
    taken = await discord_team.discord.click(discord_team.alice, offer, "cb:take:*")
    alone = await discord_team.answer(taken)

    assert "9000" not in public.text
    assert offer.only_for == discord_team.alice.id
    assert "9000 euros" in alone.text
    assert alone.only_for == discord_team.alice.id


async def test_item_16_bob_is_offered_nothing(discord_team: Any) -> None:
    asked = await discord_team.ask(discord_team.bob, discord_team.general, SALARY)
    await discord_team.answer(asked)
    assert discord_team.discord.follow_ups(asked) == []


async def test_item_16_a_private_answer_is_shared_with_what_all_may_read(discord_team: Any) -> None:
    asked = await discord_team.ask(discord_team.alice, discord_team.general, PARKING, private=True)
    answer = await discord_team.answer(asked)
    await discord_team.discord.click(discord_team.alice, answer, "cb:share:*")
    shared = await discord_team.discord.until(
        lambda: next((one for one in discord_team.ours(discord_team.general) if one.element("cb:rate:*")), None)
    )
    assert "40 euros" in shared.text


async def test_item_18_a_stranger_is_a_guest_in_direct_messages_too(discord_team: Any) -> None:
    elsewhere = discord_team.discord.add_guild("Elsewhere")
    zoe = discord_team.discord.add_user("zoe", guilds=[elsewhere])
    await discord_team.discord.install_for(discord_team.app, zoe)
    asked = await discord_team.ask(zoe, discord_team.app, PARKING)
    assert "40 euros" not in (await discord_team.answer(asked)).text


@pytest.mark.parametrize("asked_between", [50, FRESH - 30], ids=["soon", "late"])
async def test_item_18_who_left_is_a_guest_within_a_quarter_of_an_hour_though_nobody_tells_of_it(
    discord_team: Any, asked_between: float
) -> None:
    alice, discord = discord_team.alice, discord_team.discord
    await discord.install_for(discord_team.app, alice)
    await discord_team.answer(await discord_team.ask(alice, discord_team.general, PARKING))
    await discord.kick(alice)
    discord_team.skip(asked_between)
    await discord_team.answer(await discord.say(alice, discord_team.app, PARKING))
    discord_team.skip(FRESH + 5 - asked_between)
    later = await discord_team.answer(await discord.say(alice, discord_team.app, PARKING))

    assert "40 euros" not in later.text


async def test_item_18_a_server_that_is_not_the_team_s_gets_what_is_marked_for_it(discord_team: Any) -> None:
    elsewhere = discord_team.discord.add_guild("Elsewhere")
    await discord_team.discord.join(discord_team.alice, elsewhere)
    channel = discord_team.discord.add_channel("talk", guild=elsewhere)
    await discord_team.discord.install(discord_team.app, elsewhere)
    await discord_team.discord.settled()
    asked = await discord_team.ask(discord_team.alice, channel, PARKING)

    assert "40 euros" not in (await discord_team.answer(asked)).text
    assert discord_team.stored()[0].conversation.visibility == "shared"
