"""`citebot db`: the schema of the database."""

from __future__ import annotations

import click

from citebot.cli.invocation import Invocation
from citebot.cli.output import json_option, print_json


@click.group("db")
def command() -> None:
    """Upgrade and check the database."""


@command.command("upgrade")
@json_option
@click.pass_obj
def upgrade(invocation: Invocation, as_json: bool) -> None:
    """Bring the schema up to date. SQLite does this by itself at start; PostgreSQL only here.

    \b
    Example:
      citebot db upgrade
    """
    from citebot.app import connect
    from citebot.storage import schema

    database = connect(invocation.settings)
    try:
        before = schema.current(database)
        schema.upgrade(database)
        after = schema.current(database)
    finally:
        database.close()
    if as_json:
        print_json({"before": before, "after": after})
    else:
        click.echo(
            f"The schema is at {after}." if before == after else f"Upgraded from {before or 'nothing'} to {after}."
        )


@command.command("current")
@json_option
@click.pass_obj
def current(invocation: Invocation, as_json: bool) -> None:
    """Show the schema there is and the one that is wanted.

    \b
    Example:
      citebot db current
    """
    from citebot.app import connect
    from citebot.storage import schema

    database = connect(invocation.settings)
    try:
        found = schema.current(database)
    finally:
        database.close()
    if as_json:
        print_json({"current": found, "head": schema.head()})
    else:
        click.echo(f"current {found or 'none'}, wanted {schema.head()}")


@command.command("check")
@json_option
@click.pass_obj
def check(invocation: Invocation, as_json: bool) -> None:
    """Fail unless the schema is the one that is wanted.

    \b
    Example:
      citebot db check
    """
    from citebot.app import connect
    from citebot.storage import schema

    database = connect(invocation.settings)
    try:
        schema.check(database)
    finally:
        database.close()
    if as_json:
        print_json({"ok": True, "current": schema.head()})
    else:
        click.echo("The schema is current.")
