"""`citebot demo`: the sample company, one cited answer, then the web chat. No key, no server, no network."""

from __future__ import annotations

import asyncio
import json
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from citebot.cli.ask import ask
from citebot.cli.invocation import Invocation
from citebot.cli.output import json_option, note, print_json
from citebot.cli.present import answer_to_json, print_answer_end

if TYPE_CHECKING:
    from citebot.app import Citebot
    from citebot.model import Answer

SAMPLE = Path(str(files("citebot"))) / "sample"
OWN_RULES = {"front_matter_readers": True, "people": "people.json"}
"""The documents of the sample company say themselves who may read them."""


@click.command("demo")
@click.option("--once", is_flag=True, help="Exit after the printed answer instead of serving the web chat.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port of the web chat.  [default: platform.console.port]")
@json_option
@click.pass_obj
def command(invocation: Invocation, once: bool, port: int | None, as_json: bool) -> None:
    """Try it with a fictional company: one cited answer here, then the web chat to ask more.

    \b
    Examples:
      citebot demo
      citebot demo --once
    """
    _prepare(invocation, port)
    script = json.loads((SAMPLE / "demo.json").read_text("utf-8"))
    answer = invocation.run(lambda bot: _first_answer(invocation, bot, script, quiet=as_json), owner=True)
    if as_json:
        print_json(answer_to_json(answer))
    else:
        print_answer_end(answer)
    if not once:
        from citebot.app.serving import serve

        asyncio.run(serve(invocation.settings, invocation.plugins, role="all"))


def sample_settings(invocation: Invocation) -> dict[str, Any]:
    """The sample company lives in a folder of its own."""
    people = json.loads((SAMPLE / "people.json").read_text("utf-8"))["people"]
    return {
        "data_dir": invocation.settings.data_dir / "demo",
        "access.guests": [p["id"] for p in people if p.get("guest")],
    }


def _prepare(invocation: Invocation, port: int | None) -> None:
    """Let the web chat ask as the people of the sample company."""
    people = json.loads((SAMPLE / "people.json").read_text("utf-8"))["people"]
    script = json.loads((SAMPLE / "demo.json").read_text("utf-8"))
    invocation.override(
        {
            **sample_settings(invocation),
            "platform.console.people": {p["id"]: ", ".join(filter(None, (p["name"], p.get("title")))) for p in people},
            "platform.console.person": script["person"],
            "platform.console.suggestions": script["suggestions"],
            **({} if port is None else {"platform.console.port": port}),
        }
    )


async def add_samples(invocation: Invocation, bot: Citebot, *, quiet: bool = False, vectors: bool = True) -> None:
    """Add the documents of the sample company, where they are not there yet, and read them."""
    from citebot.app.sources import add_source
    from citebot.cli.progress import sync_sources

    known = {source.name for source in await bot.sources()}
    for name, kind, values in (
        ("company", "files", {"path": str(SAMPLE), "exclude": ["README.md"], **OWN_RULES}),
        ("tickets", "jsonl", {"path": str(SAMPLE / "tickets.jsonl")}),
    ):
        if name not in known:
            add_source(bot.database, invocation.plugins, invocation.settings, kind=kind, name=name, values=values)
    await sync_sources(bot, (), allow_removals=True, vectors=vectors, quiet=quiet)


async def _first_answer(invocation: Invocation, bot: Citebot, script: dict[str, Any], *, quiet: bool) -> Answer:
    await add_samples(invocation, bot, quiet=quiet)
    question = script["first"]
    if not quiet:
        note(f"\n{script['person']} asks: {question}\n")
    return await ask(bot, question, person=script["person"], sources=(), stream=True, as_json=quiet)
