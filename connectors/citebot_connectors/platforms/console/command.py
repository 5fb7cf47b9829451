"""`citebot chat`."""

from __future__ import annotations

import asyncio

import click

from citebot.ports import OpensChat


@click.command("chat")
@click.option("--as", "person", metavar="PERSON", help="Ask as this person (default: a member without groups).")
@click.option("--source", "sources", multiple=True, metavar="NAME", help="Search only this source; may be repeated.")
@click.pass_obj
def chat(opener: OpensChat, *, person: str | None, sources: tuple[str, ...]) -> None:
    """Ask questions in the terminal, one after the other.

    Type a number to open the passage it cites, /help for everything else. Questions may also be piped in, one a line.
    """
    asyncio.run(_chat(opener, person, sources))


async def _chat(opener: OpensChat, person: str | None, sources: tuple[str, ...]) -> None:
    from citebot_connectors.platforms.console.keyboard import Keyboard, interrupts
    from citebot_connectors.platforms.console.screen import Screen
    from citebot_connectors.platforms.console.terminal import Terminal

    async with opener.open() as app, Keyboard() as keyboard:
        terminal = Terminal(app, screen=Screen.of_terminal(), person=person, sources=sources)
        with interrupts(terminal.interrupt):
            await terminal.chat(keyboard)
