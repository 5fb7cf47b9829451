"""Platform `discord`: commands, mentions, threads and direct messages in Discord servers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from citebot import hookimpl

if TYPE_CHECKING:
    import click

    from citebot.ports import Platform


@hookimpl
def citebot_register_platforms() -> Sequence[type[Platform]]:
    """The Discord app."""
    from citebot_connectors.platforms.discord.platform import DiscordPlatform

    return (DiscordPlatform,)


@hookimpl
def citebot_register_commands(cli: click.Group) -> None:
    """`citebot discord`."""
    from citebot_connectors.platforms.discord.cli import discord

    cli.add_command(discord)
