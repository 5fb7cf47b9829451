"""Weather bulletins: a source, a hook and a command."""

from __future__ import annotations

import re
from dataclasses import replace

import click

from citebot import Document, hookimpl
from citebot_weather.source import Bulletins

PHONE = re.compile(r"\+\d[\d ]{6,}\d")


@hookimpl
def citebot_register_sources() -> list[type[Bulletins]]:
    """The source that reads bulletins from a folder."""
    return [Bulletins]


@hookimpl
def document_fetched(document: Document) -> Document | None:
    """Take telephone numbers out before anything is stored."""
    if isinstance(document.body, bytes) or not PHONE.search(document.body):
        return None
    return replace(document, body=PHONE.sub("[phone]", document.body))


@hookimpl
def citebot_register_commands(cli: click.Group) -> None:
    """Add `citebot forecast`."""

    @cli.command()
    @click.argument("place")
    def forecast(place: str) -> None:
        """Say what the weather will be in PLACE."""
        click.echo(f"{place}: rain, then sun.")
