"""Writes the generated pages of docs/ (settings, hooks, commands, checks of sources, values of the Helm chart) and the
settings in the schema of the chart's values, from the code itself.

python scripts/docs.py          write them
python scripts/docs.py --check  say which are stale, and exit 1 if any is
"""

from __future__ import annotations

import inspect
import os
import sys
import tempfile
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import click
from chart import SCHEMA, chart_page, chart_schema
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from citebot import hookspecs
from citebot.pluginmanager import PluginManager
from citebot.settings import Choice, Settings
from citebot.settings.environment import variable

DOCS = Path(__file__).resolve().parents[1] / "docs"
NOTE = "<!-- Written by scripts/docs.py; change the code and run `make docs`. -->\n"
WIDTH = 100


SETTINGS = """\
Four places, weakest first: the defaults below, `citebot.toml`, the environment, the command line (`--set KEY=VALUE`).
The file is the first of `--config`, `$CITEBOT_CONFIG`, `./citebot.toml` and `citebot.toml` in the data folder.
Any variable may end in `_FILE` and then names a file that holds the value. Lists are written with commas or as JSON.
A key that does not exist is refused, with the nearest right one. `citebot config show` shows what is in force,
`citebot config schema` prints the JSON schema."""


def settings_page() -> str:
    """Every setting of the core and of the built-in parts."""
    lines = [
        "# Settings",
        "",
        NOTE,
        SETTINGS,
        "",
    ]
    plain = {name: field for name, field in Settings.model_fields.items() if not _model(field)}
    lines += ["## Top level", "", *_table(plain, ())]
    for name, field in Settings.model_fields.items():
        model = _model(field)
        if model is None:
            continue
        lines += ["", f"## `[{name}]`", ""]
        if issubclass(model, Choice):
            default = field.default.use
            lines.append(
                f'`{name}.use` (`{variable((name, "use"))}`, default `"{default}"`) names the {name}; '
                f"its own settings are below `[{name}.NAME]`."
            )
            more = {key: each for key, each in model.model_fields.items() if key != "use"}
            lines += ["", *_table(more, (name,))] if more else []
            lines += _parts(name)
        else:
            lines += [inspect.getdoc(model) or "", "", *_table(model.model_fields, (name,))]
    lines += ["", "## Sources", "", "Given when a source is added: `citebot source add TYPE --name NAME --KEY VALUE`."]
    lines += _parts("source")
    return "\n".join(lines) + "\n"


def _parts(kind: str) -> Iterator[str]:
    for part in _plugins().parts(kind):
        title = f"`[{kind}.{part.name}]`" if kind != "source" else f"`{part.name}`"
        yield from ("", f"### {title}: {part.summary}", "")
        if part.Settings.model_fields:
            yield from _table(part.Settings.model_fields, (kind, part.name) if kind != "source" else ())
        else:
            yield "No settings."


def _plugins() -> PluginManager:
    return PluginManager.load(Settings())


def _table(fields: dict[str, FieldInfo], path: tuple[str, ...]) -> Iterator[str]:
    with_variable = bool(path) or "data_dir" in fields
    yield "| key | type | default | " + ("variable | " if with_variable else "") + "what it is |"
    yield "| --- | --- | --- | " + ("--- | " if with_variable else "") + "--- |"
    for name, field in fields.items():
        columns = [f"`{name}`", _type(field.annotation), _default(field)]
        columns += [f"`{variable((*path, name))}`"] if with_variable else []
        yield "| " + " | ".join([*columns, (field.description or "").replace("|", "\\|")]) + " |"


def _model(field: FieldInfo) -> type[BaseModel] | None:
    found = field.annotation
    return found if isinstance(found, type) and issubclass(found, BaseModel) else None


def _type(annotation: Any) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _type(arguments[0])
    if origin in (Union, types.UnionType):
        return " or ".join(_type(argument) for argument in arguments if argument is not type(None))
    if origin is Literal:
        return "one of " + ", ".join(f"`{argument}`" for argument in arguments)
    if origin in (list, tuple, set, frozenset):
        return f"list of {_type(arguments[0])}"
    if origin is dict:
        return f"table of {_type(arguments[1])}"
    names = {
        str: "text",
        bool: "true or false",
        int: "whole number",
        float: "number",
        Path: "path",
        SecretStr: "secret",
    }
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "{" + ", ".join(annotation.model_fields) + "}"
    return names.get(annotation, getattr(annotation, "__name__", str(annotation)))


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if value is None or value is PydanticUndefined:
        return ""
    if isinstance(value, SecretStr):
        return '`""`'
    if isinstance(value, Path):
        return f"`{str(value).replace(str(Path.home()), '~')}`"
    if isinstance(value, bool | int | float):
        return f"`{str(value).lower()}`"
    if isinstance(value, list | tuple | set | frozenset):
        return f"`{[*value]}`".replace("'", '"')
    return f'`"{value}"`' if isinstance(value, str) else f"`{value}`"


def hooks_page() -> str:
    """Every hook with its signature and its contract."""
    lines = ["# Hooks", "", NOTE, (inspect.getdoc(hookspecs) or "").split("\n", 2)[2].strip(), ""]
    for title, names, about in (
        ("Registration", hookspecs.REGISTRATION, "Called once at start, in the order of `plugins.enabled`."),
        ("Moments", hookspecs.MOMENTS, MOMENTS),
    ):
        lines += [f"## {title}", "", about, ""]
        for name in names:
            function = getattr(hookspecs, name)
            lines += [f"### `{name}`", "", "```python", f"def {name}{_signature(function)}", "```", ""]
            lines += [inspect.getdoc(function) or "", ""]
    return "\n".join(lines).rstrip() + "\n"


MOMENTS = """\
Plain or `async`, with any subset of the arguments. Each implementation runs by itself: one that raises, takes longer
than `plugins.hook_timeout` or returns something else than it may is logged, and what was there before stands. After
five failures within ten minutes it is parked until the next start; `citebot plugins list` shows it. A plain function
runs in a thread of its own; an `async` one on the event loop, which it must not block. Because the core goes on without
a parked hook, a hook is no place to enforce who may read what: `Readers` are."""


def _signature(function: Callable[..., Any]) -> str:
    signature = inspect.signature(function)
    arguments = ", ".join(str(parameter) for parameter in signature.parameters.values())
    return f"({arguments}) -> {signature.return_annotation}".replace("'", "")


def commands_page() -> str:
    """The `--help` of every command."""
    from citebot.cli import cli

    lines = ["# Commands", "", NOTE]
    lines += ["Exit codes: 0 done, 1 failed, 2 wrong use. `--json` prints what a program can read.", ""]
    with tempfile.TemporaryDirectory() as folder:
        empty = Path(folder) / "citebot.toml"
        empty.touch()
        for name in [name for name in os.environ if name.startswith("CITEBOT_")]:
            del os.environ[name]
        os.environ["CITEBOT_CONFIG"] = str(empty)
        with _context(cli, "citebot", None) as context:
            for path, text in _helps(cli, context):
                lines += [f"{'#' * min(len(path) + 1, 4)} `{' '.join(path)}`", "", "```", text, "```", ""]
    return "\n".join(lines).rstrip() + "\n"


def _context(command: click.Command, name: str, parent: click.Context | None) -> click.Context:
    options = {**command.context_settings, "terminal_width": WIDTH, "max_content_width": WIDTH}
    return click.Context(command, info_name=name, parent=parent, **options)


def _helps(command: click.Command, context: click.Context) -> Iterator[tuple[list[str], str]]:
    yield context.command_path.split(), command.get_help(context)
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            if inner is None or inner.hidden:
                continue
            with _context(inner, name, context) as inside:
                yield from _helps(inner, inside)


CHECKS_NOTE = "<!-- From here on written by scripts/docs.py; change the code and run `make docs`. -->\n"


def conformance_page() -> str:
    """The page as it is, with the tables of all checks and of what a lab may have."""
    from citebot.testing.sources.catalogue import CHECKS, GROUPS
    from citebot.testing.sources.checking import abilities

    lines = [(DOCS / "conformance.md").read_text(encoding="utf-8").partition(CHECKS_NOTE)[0] + CHECKS_NOTE]
    for letter, group in GROUPS.items():
        lines += [
            f"### {letter} {group}",
            "",
            "| | what every source keeps | why | the lab has | live |",
            "| --- | --- | --- | --- | --- |",
        ]
        for check in CHECKS:
            if check.id.startswith(letter):
                needs = ", ".join(f"`{name}`" for name in abilities(check.needs)) if check.needs else ""
                live = "yes" if check.observes else ""
                lines += [f"| {check.id} | {check.title} | {check.why} | {needs} | {live} |"]
        lines += [""]
    return "\n".join(lines).rstrip() + "\n"


PAGES: dict[str, Callable[[], str]] = {
    "settings.md": settings_page,
    "hooks.md": hooks_page,
    "commands.md": commands_page,
    "conformance.md": conformance_page,
    # The table of values is made from the schema, so the schema comes first.
    os.path.relpath(SCHEMA, DOCS): chart_schema,
    "kubernetes.md": chart_page,
}


def main(arguments: list[str]) -> int:
    stale = []
    for name, page in PAGES.items():
        path, text = DOCS / name, page()
        if path.is_file() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(name)
        if "--check" not in arguments:
            path.write_text(text, encoding="utf-8")
            print(f"docs/{name} written")
    if stale and "--check" in arguments:
        print(f"Stale: {', '.join(f'docs/{name}' for name in stale)}. Run `make docs`.")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
