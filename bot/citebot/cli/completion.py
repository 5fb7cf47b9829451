"""`citebot completion`: the script that makes a shell complete commands."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print the completion script for SHELL; for bash: eval "$(citebot completion bash)"."""
    complete = get_completion_class(shell)
    assert complete is not None, "click knows the shells of the choice"
    click.echo(complete(ctx.find_root().command, {}, "citebot", "_CITEBOT_COMPLETE").source())
