"""`citebot source trust`: how far one source can be trusted."""

from __future__ import annotations

from typing import get_args

import click

from citebot.cli.invocation import Invocation
from citebot.cli.output import json_option, print_json
from citebot.errors import WrongUse
from citebot.model import Trust

TRUST = get_args(Trust)
TRUST_HELP = "Who may have written in it: anybody (open), the team, or people chosen for it (curated)."
TRUST_DEFAULT = "open for tickets, else team"


@click.command("trust")
@click.argument("name")
@click.argument("trust", type=click.Choice(TRUST), required=False)
@click.option("--default", "reset", is_flag=True, help="As its documents have it: tickets are open, others the team's.")
@json_option
@click.pass_obj
def command(invocation: Invocation, name: str, trust: Trust | None, reset: bool, as_json: bool) -> None:
    """Say who may have written in a source: anybody (open), the team, or people chosen for it (curated).

    A model is told it with every passage; an answer from an open source says so.

    \b
    Examples:
      citebot source trust helpdesk open
      citebot source trust helpdesk --default
    """
    from citebot.app.sources import known_source
    from citebot.storage import sources

    if (trust is None) != reset:
        raise WrongUse("Say either open, team or curated, or --default.")
    with invocation.database() as database, database.write() as tx:
        known_source(tx, name)
        sources.set_trust(tx, name, trust)
    if as_json:
        print_json({"name": name, "trust": trust})
    else:
        click.echo(f"{name} is trusted as {in_words(trust)}.")


def in_words(trust: Trust | None) -> str:
    """As tables show it."""
    return trust or f"{TRUST_DEFAULT} (by kind)"
