"""What commands print: text for people through rich, JSON for programs, complaints on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import click

from citebot.logging_setup import without_secrets
from citebot.model import Finding

WIDE = 200
"""Columns where there is no terminal to ask."""


def complain(error: object) -> None:
    """Print one line that says what is wrong and what to do."""
    click.secho(f"citebot: {_one_line(error)}", fg="red", file=sys.stderr)


def warn(text: object) -> None:
    """Print one line that somebody should know."""
    click.secho(f"citebot: {_one_line(text)}", fg="yellow", file=sys.stderr)


def note(text: str) -> None:
    """Print a line for people that must not disturb output meant for programs."""
    # Not `err=True`: that finds the terminal behind a progress display, which then loses its place.
    click.echo(text, file=sys.stderr)


def print_json(value: Any) -> None:
    """Print a value as indented JSON."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, default=_plain))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, empty: str) -> None:
    """Print rows under headers, or the sentence `empty`."""
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    for number, column in enumerate(columns):
        # The first column is what people copy: an id or a name.
        table.add_column(column, no_wrap=number == 0)
    for row in rows:
        table.add_row(*(_cell(value) for value in row))
    if table.row_count:
        Console(width=None if sys.stdout.isatty() else WIDE).print(table)
    else:
        click.echo(empty)


def print_findings(findings: Iterable[Finding]) -> None:
    """Print what a check found, with the fix beneath what is wrong."""
    for finding in findings:
        mark = click.style("ok ", fg="green") if finding.ok else click.style("BAD", fg="red", bold=True)
        click.echo(f"{mark} {finding.what}" + (f"\n    → {finding.fix}" if finding.fix else ""))


def ago(moment: datetime | None, *, now: datetime | None = None) -> str:
    """Say how long ago something was: “3 min ago”."""
    if moment is None:
        return "never"
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    seconds = max(0.0, ((now or datetime.now(UTC)) - moment).total_seconds())
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {unit} ago"
    return "just now"


def until(moment: datetime | None, *, now: datetime) -> str:
    """Say how soon something is: “in 3 min”; a moment without a zone is UTC."""
    if moment is None:
        return "-"
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    seconds = (moment - now).total_seconds()
    return f"in {seconds / 60:.0f} min" if seconds < 7_200 else f"in {seconds / 3_600:.0f} h"


def duration(seconds: float) -> str:
    """A time in words: “0.4 s”, “12 s”, “3 min 5 s”, “2 h 10 min”."""
    if seconds < 10:
        return f"{seconds:.1f} s".replace(".0 ", " ")
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    large, small, units = (
        (whole // 60, whole % 60, "min s") if whole < 3_600 else (whole // 3_600, whole % 3_600 // 60, "h min")
    )
    first, second = units.split()
    return f"{large} {first}" + (f" {small} {second}" if small else "")


def json_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--json` to a command."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command)


def _one_line(text: object) -> str:
    return without_secrets(" ".join(str(text).split()))


def _cell(value: object) -> str:
    from rich.markup import escape

    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.3f}"
    return "" if value is None else escape(str(value))


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, set | frozenset):
        return sorted(value)
    return str(value)
