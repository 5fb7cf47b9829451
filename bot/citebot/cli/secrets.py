"""`citebot secrets`: the keys that encrypt the secrets of sources."""

from __future__ import annotations

import click

from citebot.cli.invocation import Invocation
from citebot.cli.output import json_option, print_json, print_table


@click.group("secrets")
def command() -> None:
    """Keys that encrypt the secrets of sources."""


@command.command("status")
@json_option
@click.pass_obj
def status(invocation: Invocation, as_json: bool) -> None:
    """List the keys by id, and how many sources need each; never a key itself.

    \b
    Example:
      citebot secrets status
    """
    from citebot.app.secrets import status as look

    with invocation.database() as database:
        found = look(database, invocation.settings)
    if as_json:
        keys = [{"id": key.id, "use": key.use, "sources": len(key.sources), "names": key.sources} for key in found.keys]
        print_json({"from": found.origin, "file": found.file if found.origin == "file" else None, "keys": keys})
        return
    print_table(
        ("key", "use", "sources", "names"),
        ((key.id, key.use, len(key.sources), ", ".join(key.sources)) for key in found.keys),
        empty="No keys yet: the first one is made when a source with a secret is added.",
    )
    if found.origin != "none":
        click.echo(f"Keys are in {found.file}." if found.origin == "file" else "Keys come from secrets.keys.")


@command.command("rotate")
@json_option
@click.pass_obj
def rotate(invocation: Invocation, as_json: bool) -> None:
    """Encrypt all secrets with a new key and drop the old one.

    Keys of the setting secrets.keys are yours to change: put a new one first, rotate, then take the old one out.
    A copy of the database made before needs the key of its time.

    \b
    Example:
      citebot secrets rotate
    """
    from citebot.app.secrets import rotate as change

    with invocation.database() as database:
        done = change(database, invocation.settings)
    if as_json:
        print_json(
            {
                "from": done.origin,
                "key": done.key or None,
                "sources": done.sources,
                "kept": done.kept,
                "dropped": done.dropped,
            }
        )
    elif done.origin == "none":
        click.echo("Nothing to do: no source has a secret, and there is no key.")
    else:
        more = f" and {done.kept} other secrets" if done.kept else ""
        click.echo(f"{done.sources} sources{more} are encrypted with the key {done.key}. {_left_over(done.origin)}")


def _left_over(origin: str) -> str:
    if origin == "setting":
        return "The other keys of secrets.keys are no longer needed."
    return "The old key is gone; a copy of the database made before still needs it."
