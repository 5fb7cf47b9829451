"""`citebot index`: the search index, which can always be rebuilt from the database."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import click

from citebot.cli.invocation import Invocation
from citebot.cli.output import duration, json_option, print_json, print_table
from citebot.cli.root import Joined

if TYPE_CHECKING:
    from citebot.app import Citebot, IndexStatus
    from citebot.app.indexing import VersionStatus


@click.group("index", cls=Joined)
def command() -> None:
    """Look at, rebuild, switch and purge the search index."""


@command.command("status")
@json_option
@click.pass_obj
def status(invocation: Invocation, as_json: bool) -> None:
    """Show what the index holds, how far behind it is, and what is built or kept beside it.

    \b
    Example:
      citebot index status
    """
    facts = invocation.run(lambda bot: bot.index_status())
    if as_json:
        print_json(dataclasses.asdict(facts))
        return
    values = dataclasses.asdict(facts)
    others = values.pop("others")
    print_table(("what", "value"), values.items(), empty="")
    if others:
        click.echo()
        print_table(
            ("beside", "place", "passages", "vectors", "vector_model", "bytes", "behind", "refused", "done", "left"),
            [_row(other) for other in facts.others],
            empty="",
        )


@command.command("rebuild")
@json_option
@click.pass_obj
def rebuild(invocation: Invocation, as_json: bool) -> None:
    """Build the index anew from the database, or go on with it. Vectors that are there are not made again.

    Elasticsearch builds it beside the one that answers, with the settings as they are now. One of another embedding
    model takes over when it is done; any other waits for `citebot index switch`.

    \b
    Example:
      citebot index rebuild
    """
    from citebot.cli.progress import rebuild_index

    facts = invocation.run(lambda bot: rebuild_index(bot, quiet=as_json), owner=True)
    if as_json:
        print_json(dataclasses.asdict(facts))
        return
    waiting = next((other for other in facts.others if other.role == "next"), None)
    kept = next((other for other in facts.others if other.role == "kept"), None)
    if waiting is not None:
        click.echo(
            f"Built {waiting.place}: {waiting.passages} passages, {waiting.vectors} vectors. "
            "Let it answer: citebot index switch"
        )
    else:
        click.echo(f"Rebuilt: {facts.passages} passages, {facts.vectors} vectors.")
    if kept is not None:
        click.echo(_about_kept(facts.place, kept.place))


@command.command("switch")
@click.option("--back", is_flag=True, help="Let the index answer again that was kept.")
@json_option
@click.pass_obj
def switch(invocation: Invocation, back: bool, as_json: bool) -> None:
    """Let the index answer that was built beside, once it is 99.9 % done; the one before is kept.

    \b
    Examples:
      citebot index switch
      citebot index switch --back
    """

    async def work(bot: Citebot) -> IndexStatus:
        await bot.indexing.switch(back=back)
        return await bot.index_status()

    facts = invocation.run(work, owner=True)
    kept = next((other.place for other in facts.others if other.role == "kept"), "")
    if as_json:
        print_json(dataclasses.asdict(facts))
    else:
        click.echo(_about_kept(facts.place, kept))


@command.command("drop")
@click.option("--unfinished", is_flag=True, help="Delete the one that is being built instead.")
@json_option
@click.pass_obj
def drop(invocation: Invocation, unfinished: bool, as_json: bool) -> None:
    """Delete the index that was kept by a switch: all is well with the new one.

    \b
    Example:
      citebot index drop
    """
    place = invocation.run(lambda bot: bot.indexing.drop("next" if unfinished else "kept"), owner=True)
    if as_json:
        print_json({"dropped": place})
    else:
        click.echo(f"Dropped {place}.")


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


def _about_kept(place: str, kept: str) -> str:
    return f"{place} answers now. {kept} is kept until `citebot index drop`; `citebot index switch --back` goes back."


def _row(other: VersionStatus) -> tuple[object, ...]:
    share = "" if other.share is None else f"{int(other.share * 1000) / 10:.1f} %"
    left = "" if other.seconds_left is None else f"about {duration(other.seconds_left)}"
    return (
        *(other.role, other.place, other.passages, other.vectors, other.vector_model, other.bytes),
        *(other.behind, other.refused, share, left),
    )
