"""What goes wrong in Discord: one line says so, nobody waits for ever, and everything else goes on."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from discord_team import PARKING, DiscordTeam, Permission
from pydantic import SecretStr

from citebot.errors import PluginError
from citebot_connectors.platforms.discord.commands import ORDERS
from citebot_connectors.platforms.discord.settings import application_id


async def works(team: DiscordTeam) -> bool:
    """Whether somebody else is answered."""
    return "40 euros" in (await team.answer(await team.ask(team.bob, team.general, PARKING))).text


async def held_up(team: DiscordTeam, where: Any) -> Any:
    """A mention that is being answered."""
    team.generator.pause()
    asked = await team.mention(team.alice, where, PARKING)
    await team.discord.until(lambda: team.generator.waiting)
    return asked


@pytest.fixture
async def idle_team(discord_team: DiscordTeam) -> DiscordTeam:
    """The same, but not connected."""
    await discord_team.crash()
    return discord_team


async def test_a_token_that_discord_does_not_know_ends_in_one_line(idle_team: DiscordTeam) -> None:
    idle_team.discord.reset_token(idle_team.app)
    with pytest.raises(PluginError, match=r"does not know the token: check platform\.discord\.bot_token"):
        await idle_team.platform.run(idle_team.desk)


async def test_what_is_no_token_is_named_before_anything_is_sent(idle_team: DiscordTeam) -> None:
    before = len(idle_team.discord.sent)
    for token in ("", "nonsense", "a.b.c", "xoxb-1-2"):
        idle_team.settings.bot_token = SecretStr(token)
        with pytest.raises(PluginError, match="bot_token"):
            await idle_team.platform.run(idle_team.desk)
    assert len(idle_team.discord.sent) == before


async def test_an_intent_that_is_not_granted_ends_in_one_line(
    idle_team: DiscordTeam, monkeypatch: pytest.MonkeyPatch
) -> None:
    import discord

    flags = discord.Intents.none()
    flags.message_content = True
    monkeypatch.setattr(discord.Intents, "none", classmethod(lambda cls: flags))
    with pytest.raises(PluginError, match="4014"):
        await idle_team.platform.run(idle_team.desk)


async def test_a_token_that_is_reset_while_it_works_is_named(discord_team: DiscordTeam) -> None:
    discord_team.discord.reset_token(discord_team.app)
    await discord_team.discord.until(lambda: "does not know the token" in discord_team.platform.trouble)
    assert discord_team.discord.strikes < 10


async def test_commands_that_discord_refuses_are_named_with_their_field(
    idle_team: DiscordTeam, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in await idle_team.platform._context.vault.names("commands-"):
        await idle_team.platform._context.vault.delete(name)
    monkeypatch.setitem(ORDERS, "status", "x" * 101)
    running = asyncio.create_task(idle_team.platform.run(idle_team.desk))
    await idle_team.discord.until(lambda: "refuses the commands" in idle_team.platform.trouble)
    running.cancel()
    assert "citebot" in idle_team.platform.trouble
    assert "description" in idle_team.platform.trouble


async def test_rights_taken_in_the_middle_of_an_answer_leave_it_in_peace(discord_team: DiscordTeam) -> None:
    asked = await held_up(discord_team, discord_team.board)
    await discord_team.discord.permit(discord_team.board, discord_team.app, deny=Permission.VIEW_CHANNEL)
    strikes = discord_team.discord.strikes
    discord_team.generator.go_on()
    assert await works(discord_team)
    await discord_team.discord.settled()

    assert not any(one.element("cb:rate:*") for one in discord_team.replies(asked))
    assert discord_team.discord.strikes - strikes <= 5


async def test_a_channel_deleted_in_the_middle_is_left_in_peace(discord_team: DiscordTeam) -> None:
    await held_up(discord_team, discord_team.board)
    await discord_team.discord.delete_channel(discord_team.board)
    discord_team.generator.go_on()
    assert await works(discord_team)


@pytest.mark.parametrize("locked", [False, True])
async def test_a_thread_that_is_archived_is_opened_for_the_answer_unless_it_is_locked(
    discord_team: DiscordTeam, locked: bool
) -> None:
    discord = discord_team.discord
    message = await discord.say(discord_team.bob, discord_team.general, "cars")
    thread = await discord.start_thread(discord_team.bob, message, "cars")
    asked = await held_up(discord_team, thread)
    await discord.until(lambda: discord_team.replies(asked))
    await discord.archive(discord_team.owner, thread, locked=locked)
    discord_team.generator.go_on()
    assert await works(discord_team)
    await discord.settled()

    assert any("40 euros" in one.text for one in discord_team.replies(asked)) != locked


async def test_a_server_left_in_the_middle_of_an_answer_costs_nothing(discord_team: DiscordTeam) -> None:
    await held_up(discord_team, discord_team.general)
    await discord_team.discord.uninstall(discord_team.app)
    discord_team.generator.go_on()
    await discord_team.discord.until(lambda: discord_team.stored() == [])
    await discord_team.discord.install(discord_team.app, discord_team.discord.guild)
    await discord_team.discord.settled()
    assert await works(discord_team)


async def test_events_that_make_no_sense_harm_nobody(discord_team: DiscordTeam) -> None:
    names = ("MESSAGE_CREATE", "MESSAGE_UPDATE", "MESSAGE_DELETE", "INTERACTION_CREATE", "CHANNEL_UPDATE")
    for name in (*names, "GUILD_ROLE_UPDATE", "THREAD_CREATE", "NO_SUCH_EVENT"):
        for body in ({}, {"id": "x"}, {"id": "1", "channel_id": None, "guild_id": "7"}):
            await discord_team.discord.send_event(discord_team.app, name, body)
    assert await works(discord_team)
    assert discord_team.discord.identifies == 1


async def test_buttons_and_dialogues_of_others_are_not_ours(discord_team: DiscordTeam) -> None:
    asked = await discord_team.ask(discord_team.alice, discord_team.general, PARKING)
    answer = await discord_team.answer(asked)
    body = discord_team.discord.deliveries[-1].body
    for custom_id in ("", "other", "cb:", "cb:nothing:1", "cb:rate:helpful", "cb:retry:x", "cb:take:a:b"):
        data = {"component_type": 2, "custom_id": custom_id}
        fake = {**body, "id": str(int(body["id"]) + 1), "type": 3, "data": data}
        await discord_team.discord.send_event(discord_team.app, "INTERACTION_CREATE", fake)
    await discord_team.discord.settled()
    assert await works(discord_team)
    assert answer.id in [one.id for one in discord_team.ours(discord_team.general)]


async def test_other_bots_are_not_answered(discord_team: DiscordTeam) -> None:
    other = discord_team.discord.add_app("other")
    await discord_team.discord.say(other.bot, discord_team.general, f"{discord_team.app.mention} {PARKING}")
    await discord_team.discord.settled()
    assert discord_team.stored() == []


async def test_a_mention_without_a_question_gets_words_and_no_answer(discord_team: DiscordTeam) -> None:
    direct = discord_team.discord.direct(discord_team.alice, discord_team.app)
    for number, text in enumerate(("", "help", "?"), start=1):
        await discord_team.mention(discord_team.alice, discord_team.general, text)
        await discord_team.discord.until(lambda least=number: len(discord_team.ours(direct)) >= least)
    assert all("/ask" in one.text for one in discord_team.ours(direct))
    assert discord_team.ours(discord_team.general) == []


def test_the_id_of_an_app_is_read_from_its_token() -> None:
    assert application_id("MTU3NjQzMjEyMzY4OTA0MTkyOA.558cff.ed8538a87be561a694b1eec1") == "1576432123689041928"
    assert application_id("x.y") == application_id("") == application_id("äö.b.c") == ""
