"""`citebot discord`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from citebot.errors import SettingsError
from citebot_connectors.platforms.discord.invite import FORUMS, NEEDED, link, permissions
from citebot_connectors.platforms.discord.settings import DiscordSettings

if TYPE_CHECKING:
    from citebot.cli.invocation import Invocation


@click.group("discord")
def discord() -> None:
    """Set up the Discord app."""


@discord.command("invite")
@click.option("--forums", is_flag=True, help="With the right to tag forum posts that are answered.")
@click.option("--user", is_flag=True, help="For a person who wants the commands everywhere, in place of a server.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, with the rights by name.")
@click.pass_obj
def invite(invocation: Invocation, *, forums: bool, user: bool, as_json: bool) -> None:
    """Print the link that puts the app into a server, with no more rights than it needs.

    \b
    Examples:
      citebot discord invite
      citebot discord invite --forums
    """
    from citebot.cli.output import print_json
    from citebot.settings import validated

    given = invocation.settings.platform.settings_of("discord")
    settings = validated(DiscordSettings, given, section="platform.discord")
    if not settings.application_id:
        raise SettingsError(
            "platform.discord.bot_token is not set, or is no token of a bot: it is at "
            "https://discord.com/developers/applications, your app, Bot, Reset Token."
        )
    address = link(settings.application_id, forums=forums, user=user)
    if not as_json:
        click.echo(address)
        return
    rights = {} if user else NEEDED | (FORUMS if forums else {})
    made = {"url": address, "application_id": settings.application_id}
    wanted = {"permissions": 0 if user else permissions(forums=forums)}
    print_json(made | wanted | {"rights": {name: why for name, (_, why) in rights.items()}})
