"""`citebot source retry`: another chance for documents that could not be read."""

from __future__ import annotations

import click

from citebot.cli.invocation import Invocation
from citebot.cli.output import json_option, print_json
from citebot.errors import CitebotError


@click.command("retry")
@click.argument("name")
@click.argument("documents", nargs=-1, metavar="[DOCUMENT]...")
@json_option
@click.pass_obj
def command(invocation: Invocation, name: str, documents: tuple[str, ...], as_json: bool) -> None:
    """Try parked documents again, all of a source or those named; “source show NAME --failed” lists them.

    A running “citebot serve” fetches them within seconds, before all others.

    \b
    Examples:
      citebot source retry handbook
      citebot source retry handbook minutes/2024-03.pdf
    """
    from citebot.app.sources import known_source
    from citebot.storage import todo

    with invocation.database() as database, database.write() as tx:
        row = known_source(tx, name)
        parked = [document for document, _, _ in todo.parked(tx, row.id)]
        if strange := [document for document in documents if document not in set(parked)]:
            raise CitebotError(
                f"“{strange[0]}” of {name} is not parked. “citebot source show {name} --failed” lists what is."
            )
        chosen = list(dict.fromkeys(documents)) or parked
        todo.hurry(tx, row.id, chosen)
    if as_json:
        print_json({"name": name, "documents": chosen})
    elif not chosen:
        click.echo(f"Nothing of {name} is parked.")
    else:
        click.echo(f"{_count(len(chosen))} of {name} {_will_be(row.paused)} citebot source sync {name}")


def _count(documents: int) -> str:
    return "1 document" if documents == 1 else f"{documents:,} documents"


def _will_be(paused: bool) -> str:
    if paused:
        return "will be tried again by the next read, but the source is paused. To read it now:"
    return "will be tried again: by a running citebot serve at once, else by"
