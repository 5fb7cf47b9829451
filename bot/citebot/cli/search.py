"""`citebot search`: what the retriever finds, and why."""

from __future__ import annotations

from typing import Any

import click

from citebot.cli.invocation import Invocation
from citebot.cli.output import json_option, print_json, print_table
from citebot.cli.present import hit_to_json, where


@click.command("search")
@click.argument("question")
@click.option("-k", "limit", default=10, show_default=True, type=click.IntRange(1, 200), help="How many passages.")
@click.option("--as", "person", metavar="PERSON", help="Search as this person.  [default: a member without groups]")
@click.option("--source", "sources", multiple=True, metavar="NAME", help="Search only this source; may be repeated.")
@json_option
@click.pass_obj
def command(invocation: Invocation, /, question: str, limit: int, as_json: bool, **options: Any) -> None:
    """Show what the search finds, each leg's score beside the fused one.

    \b
    Example:
      citebot search -k 5 --as alice "annual leave"
    """
    found = invocation.run(lambda bot: bot.search(question, limit=limit, **options))
    if as_json:
        print_json({"question": question, "notes": list(found.notes), "hits": [hit_to_json(hit) for hit in found.hits]})
        return
    legs = sorted({leg for hit in found.hits for leg in hit.legs})
    print_table(
        ("#", "score", *legs, "passage"),
        (
            (number, hit.score, *(hit.legs.get(leg) for leg in legs), where(hit.passage))
            for number, hit in enumerate(found.hits, 1)
        ),
        empty="Nothing found. “citebot source list” shows what is indexed.",
    )
    for text in found.notes:
        click.secho(f"Note: {text}", dim=True)
