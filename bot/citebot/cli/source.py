"""`citebot source`: add, look at, sync, pause and remove knowledge sources."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from citebot.cli.invocation import Invocation
from citebot.cli.output import ago, json_option, print_json, print_table, until
from citebot.cli.source_add import AddGroup
from citebot.cli.source_check import command as check_command
from citebot.cli.source_new import command as new_command
from citebot.cli.source_retry import command as retry_command
from citebot.cli.source_schedule import command as schedule_command
from citebot.cli.source_show import command as show_command
from citebot.cli.source_trust import command as trust_command
from citebot.errors import CitebotError


@click.group("source")
def command() -> None:
    """Knowledge sources: where answers come from."""


@command.command("types")
@json_option
@click.pass_obj
def types(invocation: Invocation, as_json: bool) -> None:
    """List the kinds of source that can be added.

    \b
    Example:
      citebot source types
    """
    parts = invocation.plugins.parts("source")
    if as_json:
        print_json([{"type": p.name, "summary": p.summary, "settings": p.Settings.model_json_schema()} for p in parts])
        return
    print_table(("type", "what"), ((p.name, p.summary) for p in parts), empty="No enabled plugin brings a source.")


command.add_command(check_command)
command.add_command(new_command)
command.add_command(retry_command)
command.add_command(schedule_command)
command.add_command(show_command)
command.add_command(trust_command)
command.add_command(AddGroup(name="add", help="Add a source; “citebot source add TYPE --help” shows its settings."))


@command.command("list")
@json_option
@click.pass_obj
def list_sources(invocation: Invocation, as_json: bool) -> None:
    """List the sources with their freshness.

    \b
    Example:
      citebot source list
    """
    from citebot.app.freshness import freshness
    from citebot.storage import sources

    with invocation.database() as database, database.read() as tx:
        rows = sources.statuses(tx)
    now = datetime.now(UTC)
    fresh = {row.name: freshness(row, now=now, default_poll=invocation.settings.ingest.poll) for row in rows}
    if as_json:
        print_json(
            [
                {key: getattr(row, key) for key in row.__slots__}
                | {"due": fresh[row.name].due, "late": fresh[row.name].late}
                for row in rows
            ]
        )
        return
    print_table(
        ("name", "type", "documents", "passages", "read", "next", "waiting", "parked", "state"),
        (
            (
                *(r.name, r.type, r.documents, r.passages, ago(r.synced), until(fresh[r.name].due, now=now)),
                *(r.waiting, r.parked, _state(r.paused, r.failure, late=fresh[r.name].late)),
            )
            for r in rows
        ),
        empty="No sources yet. Try: citebot source add files --name handbook --path ./docs",
    )


@command.command("sync")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--allow-removals", is_flag=True, help="Confirm that many documents have really gone.")
@click.option("--full", is_flag=True, help="List everything again, even where a change feed would do.")
@click.option("--no-vectors", is_flag=True, help="Leave the vectors to “citebot serve” or a later sync.")
@json_option
@click.pass_context
def sync(
    ctx: click.Context, names: tuple[str, ...], allow_removals: bool, full: bool, no_vectors: bool, as_json: bool
) -> None:
    """Read sources now and index what changed. Without NAME, all that are not paused.

    \b
    Examples:
      citebot source sync
      citebot source sync handbook --no-vectors
    """
    from citebot.cli.progress import sync_sources

    invocation: Invocation = ctx.obj
    results = invocation.run(
        lambda bot: sync_sources(
            bot, names, allow_removals=allow_removals, full=full, vectors=not no_vectors, quiet=as_json
        ),
        owner=True,
    )
    if as_json:
        print_json(results)
    ctx.exit(1 if any(result["failure"] for result in results) else 0)


@command.command("confirm")
@click.argument("name")
@json_option
@click.pass_obj
def confirm(invocation: Invocation, name: str, as_json: bool) -> None:
    """Confirm that many documents have really gone: the next read removes them, once.

    A read stops before it removes more than five documents and more than 30 % of all, or when a source lists nothing.

    \b
    Example:
      citebot source confirm handbook
    """
    from citebot.storage import sources

    with invocation.database() as database, database.write() as tx:
        row = sources.get(tx, name)
        if row is None:
            raise _unknown(name)
        sources.allow_removals(tx, row.id, True)
    if as_json:
        print_json({"name": name, "confirmed": True, "stopped_by": row.failure})
    else:
        click.echo(f"The next read of {name} removes what has gone: citebot source sync {name}")


@command.command("pause")
@click.argument("name")
@click.option("--resume", is_flag=True, help="Read it again from now on.")
@json_option
@click.pass_obj
def pause(invocation: Invocation, name: str, resume: bool, as_json: bool) -> None:
    """Stop reading a source on schedule; what is indexed stays.

    \b
    Examples:
      citebot source pause handbook
      citebot source pause handbook --resume
    """
    from citebot.storage import sources

    with invocation.database() as database, database.write() as tx:
        if sources.get(tx, name) is None:
            raise _unknown(name)
        sources.set_paused(tx, name, not resume)
    if as_json:
        print_json({"name": name, "paused": not resume})
    else:
        click.echo(f"{name} is {'read again' if resume else 'paused'}.")


@command.command("remove")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@click.pass_obj
def remove(invocation: Invocation, name: str, yes: bool, as_json: bool) -> None:
    """Remove a source with all its documents, passages and vectors.

    \b
    Example:
      citebot source remove handbook
    """
    from citebot.storage import sources

    with invocation.database() as database, database.read() as tx:
        status = next((s for s in sources.statuses(tx) if s.name == name), None)
    if status is None:
        raise _unknown(name)
    if not yes and not _confirmed(f"Remove {name} with its {status.documents} documents from every answer?"):
        raise CitebotError("Nothing was removed. With --yes nobody is asked.")
    removed = invocation.run(lambda bot: bot.remove_source(name), owner=True)
    if as_json:
        print_json({"name": name, "documents": removed})
    else:
        click.echo(
            f"Removed {name} and its {removed} documents. “citebot index purge” also erases them from the files."
        )


def _confirmed(question: str) -> bool:
    try:
        return click.confirm(question, err=True)
    except click.Abort:
        # Nobody is there to answer.
        click.echo(err=True)
        return False


def _unknown(name: str) -> CitebotError:
    return CitebotError(f"There is no source “{name}”. “citebot source list” shows the names.")


def _state(paused: bool, failure: str, *, late: bool) -> str:
    return "paused" if paused else failure or ("late: is citebot serve running?" if late else "ok")
