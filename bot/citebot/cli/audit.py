"""`citebot audit`: who changed what."""

from __future__ import annotations

import json
from typing import Any

import click

from citebot.cli.invocation import Invocation
from citebot.cli.output import ago, json_option, print_json, print_table
from citebot.model import Json


@click.group("audit")
def command() -> None:
    """What admins have changed from where people ask, and settings of conversations."""


@command.command("list")
@click.option("-n", "limit", default=20, show_default=True, help="How many, newest first.")
@json_option
@click.pass_obj
def list_lines(invocation: Invocation, limit: int, as_json: bool) -> None:
    """List the newest changes: who, where, what, before and after.

    \b
    Example:
      citebot audit list -n 100 --json
    """
    from citebot.storage import audit

    with invocation.database() as database, database.read() as tx:
        lines = audit.recent(tx, limit)
    if as_json:
        print_json([line.to_json() for line in lines])
        return
    rows: Any = (
        (
            ago(one.at),
            f"{one.who} {one.account}".strip(),
            one.place,
            one.action,
            one.target,
            *_both(one.before, one.after),
        )
        for one in lines
    )
    print_table(("when", "who", "where", "what", "of", "before", "after"), rows, empty="Nothing was changed yet.")


def _both(before: Json, after: Json) -> tuple[str, str]:
    first, second = ("" if value is None else json.dumps(value, ensure_ascii=False) for value in (before, after))
    return first, second
