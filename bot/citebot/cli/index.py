"""`citebot index`: the search index, which can always be rebuilt from the database."""

from __future__ import annotations

import dataclasses

import click

from citebot.cli.invocation import Invocation
from citebot.cli.output import json_option, print_json, print_table


@click.group("index")
def command() -> None:
    """Look at, rebuild and purge the search index."""


@command.command("status")
@json_option
@click.pass_obj
def status(invocation: Invocation, as_json: bool) -> None:
    """Show what the index holds, and how far behind it is.

    \b
    Example:
      citebot index status
    """
    facts = invocation.run(lambda bot: bot.index_status())
    if as_json:
        print_json(dataclasses.asdict(facts))
    else:
        print_table(("what", "value"), dataclasses.asdict(facts).items(), empty="")


@command.command("rebuild")
@json_option
@click.pass_obj
def rebuild(invocation: Invocation, as_json: bool) -> None:
    """Build the index anew from the database. Vectors are kept, nothing is embedded again.

    \b
    Example:
      citebot index rebuild
    """
    from citebot.cli.progress import rebuild_index

    facts = invocation.run(lambda bot: rebuild_index(bot, quiet=as_json), owner=True)
    if as_json:
        print_json(dataclasses.asdict(facts))
    else:
        click.echo(f"Rebuilt: {facts.passages} passages, {facts.vectors} vectors.")


@command.command("purge")
@json_option
@click.pass_obj
def purge(invocation: Invocation, as_json: bool) -> None:
    """Erase deleted text from the files of the index and the database.

    \b
    Example:
      citebot source remove handbook && citebot index purge
    """
    facts = invocation.run(lambda bot: bot.purge(), owner=True)
    if as_json:
        print_json(dataclasses.asdict(facts))
    else:
        click.echo(f"Purged. The index now takes {facts.bytes / 1e6:.1f} MB.")
