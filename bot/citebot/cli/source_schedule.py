"""`citebot source schedule`: how often one source is read."""

from __future__ import annotations

import re

import click

from citebot.cli.invocation import Invocation
from citebot.cli.output import json_option, print_json
from citebot.errors import WrongUse

_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3_600, "d": 86_400}
_DURATION = re.compile(r"(\d{1,6}(?:\.\d{1,3})?)\s{0,3}([smhd]?)")
SHORTEST = 5.0
"""Seconds; what must be known sooner comes by webhook."""
LONGEST = 366 * 86_400.0
"""Seconds; what is to be read less often than that is paused."""


@click.command("schedule")
@click.argument("name")
@click.option("--every", metavar="TIME", help="As 90s, 15m, 2h or 1d.")
@click.option("--default", "reset", is_flag=True, help="As often as `ingest.poll` says.")
@json_option
@click.pass_obj
def command(invocation: Invocation, name: str, every: str | None, reset: bool, as_json: bool) -> None:
    """Say how often a source is read; the others keep to `ingest.poll`.

    \b
    Examples:
      citebot source schedule website --every 6h
      citebot source schedule website --default
    """
    from citebot.app.sources import known_source
    from citebot.storage import sources

    if (every is None) != reset:
        raise WrongUse("Say either --every TIME or --default.")
    seconds = None if every is None else _seconds(every)
    with invocation.database() as database, database.write() as tx:
        known_source(tx, name)
        sources.set_poll(tx, name, seconds)
    effective = seconds or invocation.settings.ingest.poll
    if as_json:
        print_json({"name": name, "poll": seconds, "seconds": effective})
    else:
        click.echo(f"{name} is read every {_text(effective)}.")


def _seconds(text: str) -> float:
    found = _DURATION.fullmatch(text.strip().lower())
    seconds = float(found[1]) * _SECONDS[found[2]] if found else 0.0
    if not SHORTEST <= seconds <= LONGEST:
        raise WrongUse(
            f"“{text}” is no time between two reads: give one as 90s, 15m, 2h or 1d, from {_text(SHORTEST)} to "
            f"{_text(LONGEST)}."
        )
    return seconds


def _text(seconds: float) -> str:
    """As `--every` takes it."""
    unit, size = next((unit, size) for unit, size in reversed(_SECONDS.items()) if size == 1 or seconds % size == 0)
    return f"{seconds / size:.10g}{unit}"
