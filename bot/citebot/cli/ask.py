"""`citebot ask`: one question, one cited answer."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from citebot.cli.invocation import Invocation
from citebot.cli.output import json_option, print_json
from citebot.cli.present import answer_to_json, print_answer_end
from citebot.model import Answer, Done, Status, TextDelta

if TYPE_CHECKING:
    from citebot.app import Citebot

CLEAR_LINE = "\r\x1b[K"


@click.command("ask")
@click.argument("question")
@click.option("--as", "person", metavar="PERSON", help="Ask as this person.  [default: a member without groups]")
@click.option("--source", "sources", multiple=True, metavar="NAME", help="Search only this source; may be repeated.")
@click.option("--stream/--no-stream", default=True, show_default=True, help="Print the answer while it is written.")
@json_option
@click.pass_obj
def command(invocation: Invocation, /, question: str, **options: Any) -> None:
    """Ask one question. The answer comes with its sources; “I don't know” is an answer too, with exit code 0.

    \b
    Examples:
      citebot ask "How many days of leave do I get?"
      citebot ask --as alice --source handbook "Who approves travel?"
      citebot ask --json "What is the probation period?"
    """
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
    page = _Page(on=stream and not as_json)
    async for event in bot.ask(question, person=person, sources=sources):
        if isinstance(event, TextDelta):
            page.write(event.text)
        elif isinstance(event, Status):
            page.say(event.note)
        elif isinstance(event, Done):
            answer = event.answer
    assert answer is not None, "the path always ends with Done"
    if not as_json:
        page.end(answer.text)
    return answer


class _Page:
    """What has been printed of an answer, and what is going on, in a line that the text takes the place of."""

    def __init__(self, *, on: bool) -> None:
        self._on = on
        self._lively = on and sys.stderr.isatty()
        self._written = ""
        self._said = False

    def say(self, note: str) -> None:
        if self._lively and not self._written:
            click.secho(f"{CLEAR_LINE}{note}…", dim=True, err=True, nl=False)
            self._said = True

    def write(self, text: str) -> None:
        if self._on:
            self._unsay()
            click.echo(text, nl=False)
            self._written += text

    def end(self, text: str) -> None:
        """End with the answer as it is stored: a refusal is not streamed, and plugins may change the last word."""
        self._unsay()
        if self._written:
            click.echo()
        if self._written.strip() != text.strip():
            if self._written:
                click.secho("\nThe answer was changed while it was checked. It is:", bold=True)
            click.echo(text)

    def _unsay(self) -> None:
        if self._said:
            click.echo(CLEAR_LINE, err=True, nl=False)
            self._said = False
