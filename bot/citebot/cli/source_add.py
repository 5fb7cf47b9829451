"""`citebot source add TYPE`: options made from the settings schema of each kind of source."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, get_args, get_origin

import click
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from citebot.cli.invocation import Invocation
from citebot.cli.output import json_option, print_findings, print_json
from citebot.cli.secret_values import SECRET_HELP, is_secret, secret_value
from citebot.cli.source_trust import TRUST, TRUST_DEFAULT, TRUST_HELP
from citebot.errors import WrongUse
from citebot.model import Trust

SIMPLE = {str: str, int: int, float: float, bool: bool, Path: str, SecretStr: str}


class AddGroup(click.Group):
    """One sub-command per kind of source."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [part.name for part in ctx.ensure_object(Invocation).plugins.parts("source")]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        for part in ctx.ensure_object(Invocation).plugins.parts("source"):
            if part.name == cmd_name:
                return _add_command(part)
        known = ", ".join(self.list_commands(ctx))
        raise WrongUse(f"There is no kind of source “{cmd_name}”. Known kinds: {known}.")


def _add_command(part: Any) -> click.Command:
    @click.pass_obj
    def add(
        invocation: Invocation,
        /,
        name: str,
        trusted: Trust | None,
        no_check: bool,
        as_json: bool,
        **values: Any,
    ) -> None:
        from citebot.app.sources import add_source
        from citebot.storage.secrets import masked

        given = {
            key: _parsed(part.Settings.model_fields[key], key, value)
            for key, value in values.items()
            if _is_given(value)
        }
        if not no_check and sys.stderr.isatty():
            click.echo(f"Checking {name} …", err=True)
        with invocation.database() as database:
            row, findings = add_source(
                database,
                invocation.plugins,
                invocation.settings,
                kind=part.name,
                name=name,
                values=given,
                trust=trusted,
                check=not no_check,
            )
        if as_json:
            print_json(
                {
                    "name": row.name,
                    "type": row.type,
                    "settings": masked(row.settings),
                    "trust": row.trust,
                    "findings": [f.what for f in findings],
                }
            )
            return
        print_findings(findings)
        click.echo(f"Added {row.name}. Read it with: citebot source sync {row.name}")

    options = [_option(name, info) for name, info in part.Settings.model_fields.items()]
    callback = add
    for option in (
        click.option("--trust", "trusted", type=click.Choice(TRUST), help=f"{TRUST_HELP} [default: {TRUST_DEFAULT}]"),
        click.option("--no-check", is_flag=True, help="Add it even if its set-up looks wrong."),
        click.option("--name", required=True, help="What to call it; answers show this name."),
    ):
        callback = option(callback)
    command = click.command(part.name, help=part.summary)(json_option(callback))
    command.params.extend(options)
    return command


def _option(name: str, info: FieldInfo) -> click.Option:
    flag = f"--{name.replace('_', '-')}"
    help_text = info.description or ""
    if is_secret(info.annotation):
        help_text = f"{help_text} {SECRET_HELP}".strip()
    kind = _simple_type(info.annotation)
    shown = _shown(info.default) if info.default_factory is None else ""
    if shown:
        help_text = f"{help_text} [default: {shown}]"
    if kind is bool:
        return click.Option([f"{flag}/--no-{name.replace('_', '-')}"], default=None, help=help_text)
    if kind is None:
        return click.Option([flag], help=f"{help_text} (JSON)".strip(), required=info.is_required())
    if _is_list(info.annotation):
        return click.Option(
            [flag], type=kind, multiple=True, help=f"{help_text} May be repeated.", required=info.is_required()
        )
    return click.Option([flag], type=kind, help=help_text, required=info.is_required())


def _shown(default: Any) -> str:
    if default in (PydanticUndefined, None, "", [], {}):
        return ""
    return ", ".join(map(str, default)) if isinstance(default, list) else str(default)


def _simple_type(annotation: Any) -> type | None:
    if annotation in SIMPLE:
        return SIMPLE[annotation]
    inner = [a for a in get_args(annotation) if a is not type(None)]
    if _is_list(annotation) or len(inner) == 1:
        return SIMPLE.get(inner[0]) if inner else None
    if get_origin(annotation) is not None and all(isinstance(a, str) for a in inner):  # Literal
        return str
    if isinstance(annotation, type) and not issubclass(annotation, BaseModel | dict | list):
        return str
    return None


def _is_list(annotation: Any) -> bool:
    return get_origin(annotation) in (list, tuple, set, frozenset)


def _is_given(value: Any) -> bool:
    return value is not None and value != ()


def _parsed(info: FieldInfo, name: str, value: Any) -> Any:
    if is_secret(info.annotation):
        values = value if isinstance(value, tuple) else (value,)
        secrets = [secret_value(each, f"--{name.replace('_', '-')}") for each in values]
        return secrets if isinstance(value, tuple) else secrets[0]
    if _simple_type(info.annotation) is not None:
        return list(value) if isinstance(value, tuple) else value
    try:
        return json.loads(value)
    except ValueError as error:
        # Not `from error`: it holds the whole text, which may be secret.
        raise WrongUse(f"--{name.replace('_', '-')} takes JSON: {error}.") from None
