"""`citebot completion`: the script that makes a shell complete commands."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from citebot.cli.output import json_option, print_json


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@json_option
@click.pass_context
def command(ctx: click.Context, shell: str, as_json: bool) -> None:
    """Print the script that lets a shell complete commands.

    \b
    Examples:
      eval "$(citebot completion bash)"
      eval "$(citebot completion zsh)"
      citebot completion fish > ~/.config/fish/completions/citebot.fish
    """
    complete = get_completion_class(shell)
    assert complete is not None, "click knows the shells of the choice"
    script = complete(ctx.find_root().command, {}, "citebot", "_CITEBOT_COMPLETE").source()
    if as_json:
        print_json({"shell": shell, "script": script})
    else:
        click.echo(script)
