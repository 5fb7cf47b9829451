"""`citebot dev`: a chat platform in the browser, without its service."""

from __future__ import annotations

import asyncio
import json

import click

from citebot.cli.demo import SAMPLE, add_samples, sample_settings
from citebot.cli.invocation import Invocation
from citebot.cli.output import note
from citebot.errors import CitebotError, WrongUse
from citebot.model import Person
from citebot.ports import HasPlayground


@click.command("dev")
@click.argument("platform")
@click.option("--port", type=click.IntRange(0, 65535), default=8065, show_default=True, help="Port of the page.")
@click.pass_obj
def command(invocation: Invocation, platform: str, port: int) -> None:
    """Try a chat platform in the browser, without its service: a fake of it with the fictional company in it.

    Needs no account, no key and no network. What is asked is kept in a folder of its own, as that of “citebot demo”.

    \b
    Example:
      citebot dev slack
    """
    part = invocation.plugins.part("platform", platform)
    if not issubclass(part, HasPlayground):
        able = [one.name for one in invocation.plugins.parts("platform") if issubclass(one, HasPlayground)]
        raise WrongUse(f"There is no fake of {platform}; there is one of {', '.join(able) or 'no platform'}.")
    invocation.override(sample_settings(invocation))
    asyncio.run(_serve(invocation, part, port))


async def _serve(invocation: Invocation, part: type[HasPlayground], port: int) -> None:
    from citebot.app.serving import serve

    rows = json.loads((SAMPLE / "people.json").read_text("utf-8"))["people"]
    asks = json.loads((SAMPLE / "demo.json").read_text("utf-8"))["person"]
    rows.sort(key=lambda row: row["id"] != asks)
    people = [Person(row["id"], row["name"], bool(row.get("guest"))) for row in rows]
    name = part.name  # type: ignore[attr-defined]  # every registered part has one
    try:
        async with part.playground(people, port=port) as ground:
            settings = {f"platform.{name}.{key}": value for key, value in ground.settings.items()}
            invocation.override({"platform.use": name, **settings})
            async with invocation.open(owner=True) as bot:
                await add_samples(invocation, bot, vectors=False)
            note(f"\nOpen {ground.url}/ and choose on the left who you are. Ctrl+C ends it.")
            await serve(invocation.settings, invocation.plugins, role="all")
    except OSError as error:
        raise CitebotError(
            f"Port {port} cannot be used: {error.strerror or error}. Choose another with --port."
        ) from error
