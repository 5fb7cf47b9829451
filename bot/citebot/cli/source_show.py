"""`citebot source show`: one source, how fresh it is, and what of it could not be read."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from citebot.cli.invocation import Invocation
from citebot.cli.output import ago, json_option, print_json, print_table, until
from citebot.cli.source_trust import in_words as trust_words


@click.command("show")
@click.argument("name")
@click.option("--failed", is_flag=True, help="List the documents that could not be read.")
@json_option
@click.pass_obj
def command(invocation: Invocation, name: str, failed: bool, as_json: bool) -> None:
    """Show one source: settings, freshness, and what could not be read.

    \b
    Example:
      citebot source show handbook --failed
    """
    from citebot.app.freshness import freshness
    from citebot.app.sources import known_source
    from citebot.storage import secrets, sources, todo

    with invocation.database() as database, database.read() as tx:
        row = known_source(tx, name)
        status = next(s for s in sources.statuses(tx) if s.name == name)
        parked = todo.parked(tx, row.id)
    poll = invocation.settings.ingest.poll
    now = datetime.now(UTC)
    fresh = freshness(status, now=now, default_poll=poll)
    facts = {
        "name": row.name,
        "type": row.type,
        "settings": secrets.masked(row.settings),
        "trust": row.trust,
        "documents": status.documents,
        "passages": status.passages,
        "read": row.synced_at,
        "every": row.poll or poll,
        "due": fresh.due,
        "late": fresh.late,
        "waiting": status.waiting,
        "parked": len(parked),
        "paused": row.paused,
        "failure": row.failure,
    }
    failures = [{"document": item, "why": why, "attempts": attempts} for item, why, attempts in parked]
    if as_json:
        print_json({**facts, "failed": failures})
        return
    in_words = {
        "trust": trust_words(row.trust),
        "read": ago(row.synced_at),
        "every": f"{row.poll or poll:g} seconds",
        "due": until(fresh.due, now=now),
    }
    print_table(("what", "value"), (facts | in_words).items(), empty="")
    if failed:
        print_table(
            ("document", "why", "attempts"), [list(f.values()) for f in failures], empty="Every document could be read."
        )
    if failed and failures:
        click.echo(f"To try them again: citebot source retry {name}")
