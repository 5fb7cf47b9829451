"""`citebot plugins`: what is installed, what is loaded, what each brings."""

from __future__ import annotations

import dataclasses

import click

from citebot.cli.invocation import Invocation
from citebot.cli.output import json_option, print_json, print_table
from citebot.errors import CitebotError


@click.group("plugins")
def command() -> None:
    """Look at plugins."""


@command.command("list")
@json_option
@click.pass_obj
def list_plugins(invocation: Invocation, as_json: bool) -> None:
    """List the installed plugins and which of them are enabled.

    \b
    Example:
      citebot plugins list
    """
    plugins = invocation.plugins.plugins()
    if as_json:
        print_json([dataclasses.asdict(plugin) for plugin in plugins])
        return
    print_table(
        ("name", "state", "distribution", "version", "brings"),
        ((p.name, p.state, p.distribution, p.version, ", ".join(p.parts)) for p in plugins),
        empty="No plugins are installed.",
    )


@command.command("show")
@click.argument("name")
@json_option
@click.pass_obj
def show_plugin(invocation: Invocation, name: str, as_json: bool) -> None:
    """Show one plugin.

    \b
    Example:
      citebot plugins show files
    """
    for plugin in invocation.plugins.plugins():
        if plugin.name == name:
            facts = dataclasses.asdict(plugin)
            if as_json:
                print_json(facts)
            else:
                print_table(("what", "value"), facts.items(), empty="")
            return
    raise CitebotError(f"There is no plugin “{name}”. “citebot plugins list” shows the names.")
