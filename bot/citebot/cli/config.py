"""`citebot config`: the settings in force and everything that can be set."""

from __future__ import annotations

import click

from citebot.cli.invocation import Invocation
from citebot.cli.output import json_option, print_json


@click.group("config")
def command() -> None:
    """Look at settings."""


@command.command("show")
@json_option
@click.pass_obj
def show_config(invocation: Invocation, as_json: bool) -> None:
    """Show the settings in force, secrets masked.

    \b
    Example:
      citebot --set answering.threshold=0.4 config show
    """
    from citebot.settings import show

    tree = show(invocation.settings)
    if as_json:
        print_json(tree)
        return
    for key, value in _flat(tree):
        click.echo(f"{key} = {value!r}")


@command.command("schema")
@json_option
@click.pass_obj
def show_schema(invocation: Invocation, as_json: bool) -> None:
    """Print the JSON schema of all settings, also of those that plugins bring.

    \b
    Example:
      citebot config schema > citebot.schema.json
    """
    from citebot.settings import schema

    # It is JSON either way: a schema has no other form that people read.
    del as_json
    print_json(schema(invocation.plugins.sections()))


def _flat(tree: object, path: str = "") -> list[tuple[str, object]]:
    if isinstance(tree, dict) and tree:
        return [pair for key, value in tree.items() for pair in _flat(value, f"{path}.{key}" if path else str(key))]
    return [(path, tree)]
