"""`citebot slack`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click

from citebot.errors import PluginError
from citebot.model import Finding
from citebot_connectors.platforms.slack.manifest import (
    FEATURES,
    NAME,
    as_json,
    as_link,
    as_yaml,
    chosen,
    manifest,
)
from citebot_connectors.platforms.slack.settings import SlackSettings

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from citebot.cli.invocation import Invocation

SHAPES = {"json": as_json, "yaml": as_yaml, "link": as_link}


def features_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--features` to a command."""
    names = ", ".join(FEATURES)
    words = (
        f"What the app can do, with commas between: {names}.  "
        "[default: all but search, which the setting live_search adds; mentions are always in]"
    )
    return click.option("--features", metavar="NAMES", default="", help=words)(command)


def named(features: str, settings: SlackSettings) -> tuple[str, ...]:
    """The features of a line with commas, and those that settings turn on."""
    return chosen([name for part in features.split(",") if (name := part.strip())], search=settings.live_search)


@click.group("slack")
def slack() -> None:
    """Set up the Slack app, and find out what is wrong with it."""


@slack.command("manifest")
@features_option
@click.option("--name", default=NAME, show_default=True, help="Name of the app in Slack.")
@click.option(
    "--http",
    metavar="URL",
    default="",
    help="Let Slack post to this https address instead of Socket Mode: platform.slack.mode = http.",
)
@click.option("--several", is_flag=True, help="Let several workspaces install the app, each by itself; needs --http.")
@click.option("--json", "shape", flag_value="json", default="json", help="Print JSON (what happens anyway).")
@click.option("--yaml", "shape", flag_value="yaml", help="Print YAML.")
@click.option("--link", "shape", flag_value="link", help="Print the address of a page of Slack's that makes the app.")
@click.pass_obj
def print_manifest(invocation: Invocation, features: str, *, name: str, http: str, several: bool, shape: str) -> None:
    """Print the manifest that makes the app in Slack, with no more rights than its features need.

    \b
    Examples:
      citebot slack manifest
      citebot slack manifest --link
      citebot slack manifest --features dm,command --yaml
      citebot slack manifest --http https://citebot.example.com --several
    """
    settings = settings_of(invocation)
    made = manifest(
        named(features, settings),
        name=name,
        http=http,
        several=several,
        command=settings.command,
        suggestions=settings.suggestions,
    )
    click.echo(SHAPES[shape](made))


@slack.command("doctor")
@features_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def examine(ctx: click.Context, features: str, *, as_json: bool) -> None:
    """Check the Slack app: tokens, rights, the socket, channels. Changes nothing, and may run beside the server.

    The exit code is 1 when something is wrong.

    \b
    Examples:
      citebot slack doctor
      citebot slack doctor --features dm,command
    """
    from citebot.cli.output import print_findings, print_json

    settings = settings_of(ctx.obj)
    found = asyncio.run(_examine(settings, named(features, settings)))
    if as_json:
        print_json([{"ok": finding.ok, "what": finding.what, "fix": finding.fix} for finding in found])
    else:
        print_findings(found)
    ctx.exit(0 if all(finding.ok for finding in found) else 1)


def settings_of(invocation: Invocation) -> SlackSettings:
    """The section `platform.slack`."""
    from citebot.settings import validated

    return validated(SlackSettings, invocation.settings.platform.settings_of("slack"), section="platform.slack")


async def _examine(settings: SlackSettings, features: tuple[str, ...]) -> list[Finding]:
    try:
        from citebot_connectors.platforms.slack.doctor import Doctor
    except ImportError as error:
        raise PluginError(f"Slack needs {error.name}: pip install 'citebot[slack]'.", plugin="slack") from error
    return [finding async for finding in Doctor(settings, features).examine()]
