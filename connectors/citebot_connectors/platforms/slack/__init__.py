"""Platform `slack`: mentions, threads and direct messages in a Slack workspace."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from citebot import hookimpl

if TYPE_CHECKING:
    import click

    from citebot.ports import Platform


@hookimpl
def citebot_register_platforms() -> Sequence[type[Platform]]:
    """The Slack app."""
    from citebot_connectors.platforms.slack.platform import SlackPlatform

    return (SlackPlatform,)


@hookimpl
def citebot_register_commands(cli: click.Group) -> None:
    """`citebot slack`."""
    from citebot_connectors.platforms.slack.cli import slack

    cli.add_command(slack)
