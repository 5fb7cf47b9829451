"""`citebot doctor discord` and `citebot discord invite`: what is wrong, and what mends it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from discord_team import DiscordTeam, Permission

from citebot_connectors.platforms.discord.doctor import Doctor
from citebot_connectors.platforms.discord.invite import NEEDED, link, permissions
from citebot_connectors.platforms.discord.settings import DiscordSettings

TOKEN = "MTU3NjQzMjEyMzY4OTA0MTkyOA.558cff.ed8538a87be561a694b1eec1"


async def examined(settings: DiscordSettings) -> tuple[list[str], str]:
    """What is wrong, and all that was said."""
    found = [finding async for finding in Doctor(settings).examine()]
    said = "\n".join(f"{one.what} {one.fix}" for one in found)
    assert settings.token not in said or not settings.token
    return [one.what for one in found if not one.ok], said


async def test_nothing_is_wrong_where_nothing_is(discord_team: DiscordTeam) -> None:
    wrong, said = await examined(discord_team.settings)
    assert wrong == []
    assert "Servers: Acme" in said
    assert "Commands: " in said
    assert "Gateway: its server is reached" in said
    assert discord_team.discord.identifies == 1, "it begins no session"


FAULTS: list[tuple[dict[str, Any], str]] = [
    ({"bot_token": ""}, "bot_token is not set"),
    ({"bot_token": "abc"}, "is no token of a Discord bot"),
    ({"bot_token": TOKEN}, "is not known to Discord"),
    ({"guilds": []}, "No server counts as your team's"),
    ({"guilds": ["100000000000000001"]}, "The app is not in the server 100000000000000001"),
    ({"base_url": "http://127.0.0.1:9"}, "Discord is not reached at http://127.0.0.1:9"),
    ({"gateway_url": "ws://127.0.0.1:9"}, "The gateway at 127.0.0.1:9 is not reached"),
]


async def test_each_fault_is_named(discord_team: DiscordTeam) -> None:
    given = discord_team.settings.model_dump() | {"bot_token": discord_team.settings.token}
    for changes, what in FAULTS:
        wrong, _ = await examined(DiscordSettings.model_validate(given | changes))
        assert any(what in one for one in wrong), wrong


async def test_rights_that_are_missing_are_named(discord_team: DiscordTeam) -> None:
    everyone = discord_team.discord.guild.roles[discord_team.discord.guild.id]
    for role in discord_team.discord.guild.roles.values():
        if role.app_id or role is everyone:
            await discord_team.discord.set_permissions(role, Permission.VIEW_CHANNEL)
    wrong, said = await examined(discord_team.settings)
    assert "lacks: Send Messages, Read Message History" in wrong[0]
    assert "https://discord.com/oauth2/authorize" in said


async def test_commands_that_go_elsewhere_are_named(discord_team: DiscordTeam) -> None:
    discord_team.app.facts["interactions_endpoint_url"] = "https://elsewhere.example.com"
    wrong, _ = await examined(discord_team.settings)
    assert "Interactions Endpoint URL" in wrong[0]


async def test_sessions_that_are_used_up_are_named(discord_team: DiscordTeam) -> None:
    discord_team.app.identifies_left = 3
    wrong, _ = await examined(discord_team.settings)
    assert wrong == ["Only 3 of 1000 new connections are left today"]


def test_the_link_asks_for_no_more_than_it_needs() -> None:
    assert permissions(forums=False) == sum(bit for bit, _ in NEEDED.values()) == 309237713920
    assert "permissions=" in link("7")
    assert "permissions=" not in link("7", user=True)
    assert "scope=bot+applications.commands" in link("7")


def test_invite_prints_the_link(commands: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CITEBOT_PLATFORM__DISCORD__BOT_TOKEN", TOKEN)
    citebot = commands("data")
    printed = citebot("discord", "invite")
    assert printed.exit_code == 0
    assert "client_id=1576432123689041928" in printed.stdout
    made = json.loads(citebot("discord", "invite", "--forums", "--json").stdout)
    assert "Manage Threads" in made["rights"]


def test_invite_without_a_token_says_where_it_is(commands: Callable[[str], Any]) -> None:
    done = commands("data")("discord", "invite")
    assert done.exit_code == 2
    assert "Reset Token" in done.stderr
