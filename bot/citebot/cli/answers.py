"""`citebot answers`: what was asked and answered, and how each answer came about."""

from __future__ import annotations

import click

from citebot.cli.invocation import Invocation
from citebot.cli.output import ago, json_option, print_json, print_table
from citebot.errors import CitebotError
from citebot.model import Feedback


@click.group("answers")
def command() -> None:
    """Look at stored answers and their traces."""


@command.command("list")
@click.option("-n", "limit", default=20, show_default=True, help="How many, newest first.")
@json_option
@click.pass_obj
def list_answers(invocation: Invocation, limit: int, as_json: bool) -> None:
    """List the newest answers.

    \b
    Example:
      citebot answers list -n 50
    """
    from citebot.storage import answers

    with invocation.database() as database, database.read() as tx:
        rows = answers.recent(tx, limit)
    if as_json:
        print_json([row.to_json() for row in rows])
        return
    print_table(
        ("id", "when", "asker", "answered", "confidence", "question"),
        ((r.id, ago(r.created_at), r.asker, r.answered, r.confidence, r.question[:80]) for r in rows),
        empty='No questions have been asked yet. Try: citebot ask "…"',
    )


@command.command("show")
@click.argument("answer_id", metavar="ID")
@json_option
@click.pass_obj
def show_answer(invocation: Invocation, answer_id: str, as_json: bool) -> None:
    """Show one answer and how it came about: stages, scores, timings, and how much was withheld.

    \b
    Example:
      citebot answers show 63d8507853a34964a8c830b9725250d0
    """
    from citebot.storage import answers

    with invocation.database() as database, database.read() as tx:
        row = answers.get(tx, answer_id)
        feedback = answers.feedback_of(tx, answer_id)
    if row is None:
        raise CitebotError(f"There is no answer “{answer_id}”. “citebot answers list” shows the ids.")
    if as_json:
        print_json({**row.to_json(), "feedback": [_feedback(one) for one in feedback]})
        return
    click.secho(row.question, bold=True)
    click.echo(row.text)
    for citation in row.citations:
        click.echo(f"[{citation.number}] {citation.title} ({citation.source}) {citation.url}".rstrip())
    for text in row.notes:
        click.secho(f"Note: {text}", dim=True)
    click.secho(
        f"\nasked by {row.asker or 'a member without groups'}, {ago(row.created_at)}, "
        f"answered: {'yes' if row.answered else 'no'}, confidence {row.confidence:.2f}",
        dim=True,
    )
    for one in feedback:
        click.echo(
            f"{one.person.id} found it {one.verdict.replace('_', ' ')}" + (f": {one.reason}" if one.reason else "")
        )
    for stage in row.trace.get("stages", []):
        facts = ", ".join(f"{key}={value}" for key, value in stage.items() if key not in ("stage", "ms"))
        click.echo(f"  {stage.get('stage', ''):<14} {stage.get('ms', 0):>8.1f} ms  {facts}")


def _feedback(one: Feedback) -> dict[str, str]:
    return {"person": one.person.id, "verdict": one.verdict, "reason": one.reason}
