"""Platform `console`: the web chat, and `citebot chat` in the terminal. No keys, no other server."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from citebot import hookimpl

if TYPE_CHECKING:
    import click

    from citebot.ports import Platform


@hookimpl
def citebot_register_platforms() -> Sequence[type[Platform]]:
    """The web chat."""
    from citebot_connectors.platforms.console.platform import ConsolePlatform

    return (ConsolePlatform,)


@hookimpl
def citebot_register_commands(cli: click.Group) -> None:
    """`citebot chat`."""
    from citebot_connectors.platforms.console.command import chat

    cli.add_command(chat)
