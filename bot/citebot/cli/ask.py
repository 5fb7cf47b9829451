"""`citebot ask`: one question, one cited answer."""

from __future__ import annotations

from typing import Any

import click

from citebot.app import Citebot
from citebot.cli.invocation import Invocation
from citebot.cli.output import json_option, print_json
from citebot.cli.present import answer_to_json, print_answer_end
from citebot.model import Answer, Done, Status, TextDelta


@click.command("ask")
@click.argument("question")
@click.option("--as", "person", metavar="PERSON", help="Ask as this person (default: a member without groups).")
@click.option("--source", "sources", multiple=True, metavar="NAME", help="Search only this source; may be repeated.")
@click.option("--stream/--no-stream", default=True, help="Print the answer while it is written.")
@json_option
@click.pass_obj
def command(invocation: Invocation, /, question: str, **options: Any) -> None:
    """Ask QUESTION and print the answer with its citations."""
    answer = invocation.run(lambda bot: ask(bot, question, **options))
    if options["as_json"]:
        print_json(answer_to_json(answer))
    else:
        print_answer_end(answer)


async def ask(
    bot: Citebot, question: str, *, person: str | None, sources: tuple[str, ...], stream: bool, as_json: bool
) -> Answer:
    """Ask and print the text, piece by piece if wanted; return the stored answer."""
    answer: Answer | None = None
    quiet = as_json or not stream
    async for event in bot.ask(question, person=person, sources=sources):
        if isinstance(event, TextDelta) and not quiet:
            click.echo(event.text, nl=False)
        elif isinstance(event, Status) and not as_json and stream:
            click.secho(f"{event.note}…", dim=True, err=True)
        elif isinstance(event, Done):
            answer = event.answer
    assert answer is not None, "the path always ends with Done"
    if not as_json:
        click.echo("" if stream else answer.text)
    return answer
