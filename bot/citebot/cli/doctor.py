"""`citebot doctor`: checks everything a newcomer gets wrong, and says the fix."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from collections.abc import Callable, Iterator

import click

from citebot.cli.invocation import Invocation
from citebot.cli.output import json_option, print_findings, print_json
from citebot.errors import CitebotError, WrongUse
from citebot.model import Finding
from citebot.ports import Examines, PartContext
from citebot.settings import Choice

Check = Callable[[Invocation], Iterator[Finding]]
KINDS = ("platform", "index", "embedder", "reranker", "generator")
ROOMY = 1_000_000_000


@click.command("doctor")
@click.argument("part", required=False)
@json_option
@click.pass_context
def command(ctx: click.Context, part: str | None, as_json: bool) -> None:
    """Check everything and say what to mend: installation, settings, platform, database, index, model, sources.

    PART checks that alone, such as a platform that is not in use yet. The exit code is 1 when something is wrong.

    \b
    Examples:
      citebot doctor
      citebot doctor slack
    """
    found = _named(ctx.obj, part) if part else list(examine(ctx.obj))
    if as_json:
        print_json([{"ok": f.ok, "what": f.what, "fix": f.fix} for f in found])
    else:
        print_findings(found)
    ctx.exit(0 if all(f.ok for f in found) else 1)


def examine(invocation: Invocation) -> Iterator[Finding]:
    """Run all checks; a check that a broken thing before it makes impossible is left out."""
    for check in (_python, _settings, _data_folder, _plugins, _platform, _models, _database, _search, _sources):
        try:
            findings = list(check(invocation))
        except CitebotError as error:
            findings = [Finding(ok=False, what=str(error))]
        yield from findings
        if check in (_settings, _plugins, _database) and not all(f.ok for f in findings):
            return


def _python(invocation: Invocation) -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    good = (3, 11) <= sys.version_info[:2] < (3, 14)
    yield Finding(ok=good, what=f"Python {version}", fix="" if good else "Install Python 3.11, 3.12 or 3.13.")


def _settings(invocation: Invocation) -> Iterator[Finding]:
    settings = invocation.settings
    yield Finding(ok=True, what=f"Settings are valid; data folder {settings.data_dir}")


def _data_folder(invocation: Invocation) -> Iterator[Finding]:
    folder = invocation.settings.data_dir
    existing = next((p for p in (folder, *folder.parents) if p.exists()), folder)
    if not os.access(existing, os.W_OK | os.X_OK):
        yield Finding(ok=False, what=f"{existing} is not writable", fix="Choose another folder with --data-dir.")
        return
    free = shutil.disk_usage(existing).free
    yield Finding(
        ok=free > ROOMY,
        what=f"{free / 1e9:.1f} GB free for the data folder",
        fix="" if free > ROOMY else "Make room: at least 1 GB, about 5 kB per passage.",
    )


def _plugins(invocation: Invocation) -> Iterator[Finding]:
    manager = invocation.plugins
    loaded = [p for p in manager.plugins() if p.state == "enabled"]
    yield Finding(ok=bool(loaded), what=f"{len(loaded)} plugins loaded: {', '.join(p.name for p in loaded)}")
    settings = invocation.settings
    for kind, choice in (("index", settings.index), ("embedder", settings.embedder), ("generator", settings.generator)):
        if choice.use:
            manager.part(kind, choice.use)
            yield Finding(ok=True, what=f"{kind}: {choice.use}")


def _platform(invocation: Invocation) -> Iterator[Finding]:
    name = invocation.settings.platform.use
    if name and issubclass(invocation.plugins.part("platform", name), Examines):
        yield from _examined(invocation, "platform", name)


def _models(invocation: Invocation) -> Iterator[Finding]:
    """Models of others, the fallbacks too: a wrong key shows before the first question."""
    settings = invocation.settings
    generators = (settings.generator, *settings.generator.fallbacks())
    for kind, choice in (("reranker", settings.reranker), *(("generator", one) for one in generators)):
        if choice.use and issubclass(invocation.plugins.part(kind, choice.use), Examines):
            yield from _examined(invocation, kind, choice.use, choice)


def _named(invocation: Invocation, name: str) -> list[Finding]:
    """What is wrong with the parts of one name."""
    able = [
        (kind, part.name) for kind in KINDS for part in invocation.plugins.parts(kind) if issubclass(part, Examines)
    ]
    kinds = [kind for kind, other in able if other == name]
    if not kinds:
        raise WrongUse(f"There is nothing named “{name}” to check; there is {', '.join(sorted({n for _, n in able}))}.")
    told = [kind for kind in kinds if _is_set(getattr(invocation.settings, kind), name)]
    return [finding for kind in told or kinds for finding in _examined(invocation, kind, name)]


def _is_set(choice: Choice, name: str) -> bool:
    """Whether the settings say something about a part: of three with one name perhaps only one is wanted."""
    return choice.use == name or bool(choice.settings_of(name))


def _examined(invocation: Invocation, kind: str, name: str, choice: Choice | None = None) -> list[Finding]:
    settings = invocation.settings
    choice = choice or Choice.model_validate({"use": name, name: getattr(settings, kind).settings_of(name)})
    part: Examines = invocation.plugins.build(kind, choice, PartContext(data_dir=settings.data_dir / kind / name))

    async def collect() -> list[Finding]:
        return [finding async for finding in part.examine()]

    return asyncio.run(collect())


def _database(invocation: Invocation) -> Iterator[Finding]:
    with invocation.database() as database:
        yield Finding(ok=True, what=f"Database: {database.dialect}, schema current")


def _search(invocation: Invocation) -> Iterator[Finding]:
    async def look() -> list[Finding]:
        async with invocation.open() as bot:
            status = await bot.index_status()
            found = [Finding(ok=True, what=f"Index: {status.passages} passages, {status.vectors} with vectors")]
            if status.behind:
                found.append(
                    Finding(
                        ok=False,
                        what=f"The index is {status.behind} changes behind the database",
                        fix="“citebot serve” or “citebot index rebuild” brings it up to date.",
                    )
                )
            if bot.embedder is not None:
                await bot.embedder.embed_query("Is the model there?")
                found.append(Finding(ok=True, what=f"Embedder: {bot.embedder.model_id}"))
            return found

    yield from asyncio.run(look())


def _sources(invocation: Invocation) -> Iterator[Finding]:
    from citebot.app.sources import findings
    from citebot.storage import sources

    with invocation.database() as database:
        with database.read() as tx:
            rows = sources.statuses(tx)
        if not rows:
            yield Finding(
                ok=True,
                what="No sources yet",
                fix="Add one: citebot source add files --name handbook --path ./docs (or try “citebot demo”).",
            )
        for row in rows:
            bad = [f for f in findings(database, invocation.plugins, invocation.settings, row.name) if not f.ok]
            yield from bad
            if not bad:
                stale = row.failure or ("" if row.synced else "never read")
                yield Finding(
                    ok=not stale,
                    what=f"Source {row.name}: {row.documents} documents" + (f", {stale}" if stale else ""),
                    fix=f"citebot source sync {row.name}" if stale else "",
                )
