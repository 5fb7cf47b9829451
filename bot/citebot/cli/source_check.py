"""`citebot source check`: what is wrong with a source's set-up, and whether it keeps what Citebot relies on."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from citebot.cli.invocation import Invocation
from citebot.cli.output import json_option, print_findings, print_json, print_table
from citebot.errors import CitebotError, WrongUse

if TYPE_CHECKING:
    from citebot.testing.sources.checking import Check
    from citebot.testing.sources.observing import Observed

DOCUMENTS = 200


@click.command("check")
@click.argument("name")
@click.option(
    "--conformance", is_flag=True, help="Read some of its documents, and check all that Citebot relies on in a source."
)
@click.option(
    "--documents",
    type=click.IntRange(min=1),
    metavar="N",
    help=f"Most documents that --conformance reads.  [default: {DOCUMENTS}]",
)
@click.option(
    "--html",
    "page",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write what --conformance found as a page.",
)
@json_option
@click.pass_context
def command(
    ctx: click.Context, name: str, conformance: bool, documents: int | None, page: Path | None, as_json: bool
) -> None:
    """Check a source's set-up: reach, rights, readers.

    With --conformance, also that it lists and fetches soundly and bears an ill server. Nothing is changed, neither in
    the source nor in what is stored of it; answers of an ill server are made up here, the real one gets no more than
    requests to read, at the usual pace.

    \b
    Examples:
      citebot source check handbook
      citebot source check wiki --conformance --html wiki.html
    """
    if not conformance and (documents or page):
        raise WrongUse("--documents and --html go with --conformance.")
    if page is not None and not page.parent.is_dir():
        raise WrongUse(f"There is no folder {page.parent} to write {page.name} to.")
    invocation: Invocation = ctx.obj
    if conformance:
        ctx.exit(_conformance(invocation, name, documents or DOCUMENTS, page, as_json=as_json))
    from citebot.app.sources import findings

    with invocation.database() as database:
        found = findings(database, invocation.plugins, invocation.settings, name)
    if as_json:
        print_json([{"ok": f.ok, "what": f.what, "fix": f.fix} for f in found])
    else:
        print_findings(found)
    ctx.exit(0 if all(f.ok for f in found) else 1)


def _conformance(invocation: Invocation, name: str, documents: int, page: Path | None, *, as_json: bool) -> int:
    """Run the checks that only read; returns the exit code."""
    from citebot.testing.sources.report import Summary, as_html

    rows = _rows(invocation, name, documents, quiet=as_json)
    summary = Summary.of(rows)
    if page is not None:
        _write(page, as_html(rows, title=f"Conformance of the source {name}"))
    if as_json:
        counts = {"passed": summary.passed, "failed": summary.failed, "left_out": summary.left_out}
        print_json({"name": name, "documents": documents, **counts, "checks": rows})
    else:
        _show(rows)
        click.echo(f"{summary}. At most {documents} documents were read, and nothing was changed.")
    return 1 if summary.failed else 0


def _rows(invocation: Invocation, name: str, documents: int, *, quiet: bool) -> list[dict[str, Any]]:
    from citebot.cli.progress import bar
    from citebot.testing.sources.observing import OBSERVED, observe
    from citebot.testing.sources.report import as_json

    lab = _observed(invocation, name)
    rows: list[dict[str, Any]] = []
    with _silence(unless=invocation.debug), bar(f"Checking {name}", quiet=quiet) as report:
        doing = ""

        def starting(check: Check) -> None:
            nonlocal doing
            doing = f"{check.id} {check.title}"
            report(doing, len(rows), len(OBSERVED))

        def asking(number: int) -> None:
            report(f"{doing} ({number} requests)", len(rows), len(OBSERVED))

        for result in observe(lab, most=documents, starting=starting, asking=asking):
            rows.append(as_json(result, name))  # noqa: PERF401 - the bar counts them
    return rows


def _observed(invocation: Invocation, name: str) -> Observed:
    """The stored source, to be read only, and with a folder of state that is thrown away."""
    from citebot.app import secrets
    from citebot.app.sources import known_source
    from citebot.ports import PartContext
    from citebot.settings import Choice
    from citebot.testing.sources.observing import Observed

    plugins, settings = invocation.plugins, invocation.settings
    with invocation.database() as database, database.read() as tx:
        row = known_source(tx, name)
    values = secrets.opened_settings(row, settings)
    choice = Choice.model_validate({"use": row.type, row.type: values})

    def make(state_dir: Path) -> Any:
        return plugins.build("source", choice, PartContext(data_dir=state_dir))

    found: list[str] = []

    def note(secret: str) -> dict[str, Any]:
        found.append(secret)
        return {}

    secrets.stored_form(plugins.part("source", row.type).Settings.model_validate(values), note)
    return Observed(make, settings.egress, found)


@contextmanager
def _silence(*, unless: bool) -> Iterator[None]:
    """Nobody needs to read that a server which was made to look ill is ill."""
    logger = logging.getLogger("citebot")
    level = logger.level
    logger.setLevel(level if unless else logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)


def _show(rows: Sequence[dict[str, Any]]) -> None:
    print_table(
        ("check", "title", "result", "what"),
        ((row["id"], row["title"], row["outcome"], row["what"]) for row in rows),
        empty="",
    )
    for row in rows:
        if row["outcome"] != "failed":
            continue
        click.echo(f"\n{row['id']} {row['title']}: {row['what']}\nWhy it matters: {row['why']}")
        for request in row["requests"]:
            click.echo(f"  {request}")
    click.echo()


def _write(page: Path, html: str) -> None:
    try:
        page.write_text(html, "utf-8")
    except OSError as error:
        raise CitebotError(f"{page} cannot be written: {error.strerror}.") from error
