"""`citebot source new`: a package with a source, its tests and a server to run them against."""

from __future__ import annotations

import re
from importlib.metadata import entry_points
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

import click

from citebot.cli.output import json_option, print_json
from citebot.errors import CitebotError, WrongUse

NAME = re.compile(r"[a-z][a-z0-9]{1,30}")
PLACEHOLDER = "example"


@click.command("new")
@click.argument("name")
@click.option("--folder", type=click.Path(path_type=Path), help="Where to write it; by default citebot-NAME.")
@json_option
def command(name: str, folder: Path | None, as_json: bool) -> None:
    """Write a package with a source of your own, which passes the conformance kit as it is.

    \b
    Example:
      citebot source new intranet
    """
    if not NAME.fullmatch(name):
        raise WrongUse(f"“{name}” cannot name a package: use 2 to 31 lower-case letters and digits, a letter first.")
    if taken := entry_points(group="citebot", name=name):
        by = next(iter(taken)).dist
        raise WrongUse(
            f"There is a plugin “{name}” already, in {by.name if by else 'this installation'}: choose another."
        )
    target = folder or Path(f"citebot-{name}")
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise CitebotError(f"{target} is already there, and not empty. Choose another --folder.")
    written = write_package(name, target)
    if as_json:
        print_json({"name": name, "folder": str(target), "files": [str(path) for path in written]})
        return
    for path in written:
        click.echo(f"wrote {path}")
    click.echo(f"Go on with:  cd {target} && pip install -e '.[testing]' && pytest")


def write_package(name: str, target: Path) -> list[Path]:
    """Write the template under another name; returns the files, in order."""
    template = files("citebot.testing.sources") / "template"
    return sorted(_write(template, target, name))


def _write(folder: Traversable, target: Path, name: str) -> list[Path]:
    written: list[Path] = []
    try:
        target.mkdir(parents=True, exist_ok=True)
        for entry in folder.iterdir():
            path = target / entry.name.replace(PLACEHOLDER, name)
            if entry.is_dir():
                if entry.name != "__pycache__":
                    written += _write(entry, path, name)
                continue
            path.write_text(_renamed(entry.read_text("utf-8"), name), "utf-8")
            written.append(path)
    except OSError as error:
        raise CitebotError(f"{target} cannot be written: {error.strerror}.") from error
    return written


def _renamed(text: str, name: str) -> str:
    return text.replace(PLACEHOLDER.title(), name.title()).replace(PLACEHOLDER, name)
