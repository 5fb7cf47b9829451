"""`citebot budget`: what was used today, and what of it is limited."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from citebot.cli.invocation import Invocation
from citebot.cli.output import duration, json_option, note, print_json, print_table
from citebot.model import Json

if TYPE_CHECKING:
    from citebot.budgets import Standing, Today

SCOPES = {
    "per_person": "questions of one person",
    "per_day": "questions of all",
    "person": "one person",
    "conversation": "one conversation",
    "workspace": "one workspace",
    "everybody": "everybody",
}


@click.command("budget")
@click.option("-n", "limit", default=20, show_default=True, help="How many budgets, the dearest of each kind first.")
@json_option
@click.pass_obj
def command(invocation: Invocation, limit: int, as_json: bool) -> None:
    """Show what models and questions have used today, the limits, and when all begins anew.

    Limits of money and tokens are settings: [budgets]. Limits of questions are set with “citebot conversation set”.

    \b
    Example:
      citebot budget --json
    """
    from citebot.budgets import today
    from citebot.storage import budgets, clock

    with invocation.database() as database:
        with database.write() as tx:
            budgets.heal(tx)  # what killed answers have left
        with database.read() as tx:
            found = today(tx, invocation.settings.budgets)
            left = (found.resets - clock.now(tx)).total_seconds()
    if as_json:
        print_json(_json(found, limit))
        return
    rows: Any = (_row(one) for one in found.budgets[:limit])
    print_table(("budget", "of", "questions", "cost", "tokens"), rows, empty="Nothing that is limited was used today.")
    models = ((one.counter.place, one.used.questions, _money(one.used.cost), one.used.tokens) for one in found.models)
    print_table(("model", "calls", "cost", "tokens"), models, empty="No model that tells its use was called today.")
    note(f"All begins anew at 00:00 UTC, in {duration(left)}.")
    if found.unfinished:
        note(f"{found.unfinished} unfinished answers are counted with the most they can cost.")


def _row(one: Standing) -> tuple[str, ...]:
    used, most = one.used, one.limit
    return (
        SCOPES[one.counter.budget],
        " ".join(filter(None, (one.counter.place, one.counter.person))),
        f"{used.questions} of {most.questions}" if most.questions else "",
        "" if most.questions else _money(used.cost) + (f" of {_money(most.cost)}" if most.cost else ""),
        "" if most.questions else str(used.tokens) + (f" of {most.tokens}" if most.tokens else ""),
    )


def _money(millionths: int) -> str:
    """Cents, and as many more digits as it has."""
    whole, _, digits = f"{millionths / 1_000_000:.6f}".partition(".")
    return f"{whole}.{digits.rstrip('0'):0<2}"


def _json(found: Today, limit: int) -> dict[str, Json]:
    return {
        "resets": f"{found.resets:%Y-%m-%dT%H:%M:%SZ}",
        "unfinished": found.unfinished,
        "budgets": [
            {
                "budget": one.counter.budget,
                "place": one.counter.place,
                "person": one.counter.person,
                "used": _amount(one.used.questions, one.used.cost, one.used.tokens),
                "limit": _amount(one.limit.questions, one.limit.cost, one.limit.tokens),
            }
            for one in found.budgets[:limit]
        ],
        "models": [
            {
                "model": one.counter.place,
                "calls": one.used.questions,
                "cost": one.used.cost / 1_000_000,
                "tokens": one.used.tokens,
            }
            for one in found.models
        ],
    }


def _amount(questions: int, cost: int, tokens: int) -> dict[str, Json]:
    return {"questions": questions, "cost": cost / 1_000_000, "tokens": tokens}
