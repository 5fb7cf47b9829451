"""`citebot curated`: answers that people wrote where nothing was found."""

from __future__ import annotations

from typing import Any

import click

from citebot.cli.invocation import Invocation
from citebot.cli.output import ago, json_option, print_json, print_table
from citebot.errors import CitebotError, WrongUse
from citebot.model import Json

PLACE = "command line"


@click.group("curated")
def command() -> None:
    """Look after the answers that people wrote: saved from a conversation, cited like any document."""


@command.command("list")
@json_option
@click.pass_obj
def list_answers(invocation: Invocation, as_json: bool) -> None:
    """List them, the newest last.

    \b
    Example:
      citebot curated list
    """
    from citebot.storage import curated

    with invocation.database() as database, database.read() as tx:
        rows = curated.every(tx)
    if as_json:
        print_json([row.to_json() for row in rows])
        return
    print_table(
        ("id", "when", "author", "readers", "question"),
        (
            (
                r.id,
                ago(r.changed_at),
                r.author_name or r.author,
                ", ".join(sorted(r.readers.principals)),
                r.question[:80],
            )
            for r in rows
        ),
        empty="Nobody has written an answer yet.",
    )


@command.command("show")
@click.argument("number", metavar="ID", type=int)
@json_option
@click.pass_obj
def show(invocation: Invocation, number: int, as_json: bool) -> None:
    """Show one with its text, who wrote it and who may read it.

    \b
    Example:
      citebot curated show 7
    """
    from citebot.storage import curated

    with invocation.database() as database, database.read() as tx:
        row = curated.get(tx, number)
    if row is None:
        raise _unknown(number)
    if as_json:
        print_json(row.to_json())
        return
    click.secho(row.question, bold=True)
    click.echo(row.text)
    click.secho(f"\nwritten by {row.author_name or row.author}, {ago(row.created_at)} {row.url}".rstrip(), dim=True)
    click.secho(f"for {', '.join(sorted(row.readers.principals)) or 'nobody'}", dim=True)


@command.command("edit")
@click.argument("number", metavar="ID", type=int)
@click.option("--question", metavar="TEXT", help="What it answers.")
@click.option("--text", metavar="TEXT", help="What it says.")
@click.option("--for-everyone", is_flag=True, help="Everybody in the team may read it, not only its channel.")
@click.option("--for-channel", is_flag=True, help="Only who reads the channel it comes from may read it.")
@json_option
@click.pass_obj
def edit(
    invocation: Invocation,
    number: int,
    question: str | None,
    text: str | None,
    for_everyone: bool,
    for_channel: bool,
    as_json: bool,
) -> None:
    """Change one; a server that runs has it within a second, else the next read of the source.

    \b
    Examples:
      citebot curated edit 7 --text "Dana refills it every Tuesday."
      citebot curated edit 7 --for-everyone
    """
    from citebot.model import Readers, channel_principal
    from citebot.storage import audit, curated

    values: dict[str, Any] = {name: said for name, said in (("question", question), ("text", text)) if said}
    if (for_everyone and for_channel) or not (values or for_everyone or for_channel):
        raise WrongUse("Say --question, --text, or one of --for-everyone and --for-channel.")
    with invocation.database() as database, database.write() as tx:
        row = curated.get(tx, number)
        if row is None:
            raise _unknown(number)
        if for_everyone:
            values["readers"] = Readers.everyone()
        elif for_channel:
            place = row.place
            values["readers"] = Readers(frozenset({channel_principal(place.platform, place.tenant, place.id)}))
        curated.change(tx, number, **values)
        changed = curated.get(tx, number)
        assert changed is not None
        # Not the texts: what is removed later must not live on in a line that stays.
        names = sorted(values)
        was: Json = {"readers": list[Json](sorted(row.readers.principals))}
        now: Json = {"readers": list[Json](sorted(changed.readers.principals)), "changed": list[Json](names)}
        audit.write(tx, audit.Line(invocation.user, "", PLACE, "curated.edit", str(number), was, now))
    if as_json:
        print_json(changed.to_json())
    else:
        click.echo(f"Changed {number}: {', '.join(names)}.")


@command.command("remove")
@click.argument("numbers", metavar="ID...", type=int, nargs=-1, required=True)
@json_option
@click.pass_obj
def remove(invocation: Invocation, numbers: tuple[int, ...], as_json: bool) -> None:
    """Take answers out of everything, at once.

    \b
    Example:
      citebot curated remove 7 9
    """
    from citebot.storage import audit, curated

    with invocation.database() as database, database.write() as tx:
        for number in numbers:
            if not curated.remove(tx, number):
                raise _unknown(number)
            audit.write(tx, audit.Line(invocation.user, "", PLACE, "curated.remove", str(number)))
    if as_json:
        print_json({"removed": list(numbers)})
    else:
        click.echo(f"Removed {len(numbers)}. “citebot index purge” also erases them from the files.")


def _unknown(number: int) -> CitebotError:
    return CitebotError(f"There is no answer {number}. “citebot curated list” shows the numbers.")
