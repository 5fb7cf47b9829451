"""`citebot serve`: answer questions until told to stop."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import click

from citebot.cli.invocation import Invocation

if TYPE_CHECKING:
    from citebot.app.roles import Role


@click.command("serve")
@click.option("--host", help="Address of the web chat; other than loopback needs a token.  [default: 127.0.0.1]")
@click.option("--port", type=click.IntRange(0, 65535), help="Port of the web chat.  [default: platform.console.port]")
@click.option(
    "--role",
    type=click.Choice(["all", "gateway", "worker", "sync"]),
    default="all",
    show_default=True,
    help="What this process does: take questions (gateway), answer them (worker), read sources (sync), or all of it.",
)
@click.option("--json", "as_json", is_flag=True, help="Log JSON lines.")
@click.pass_obj
def command(invocation: Invocation, /, role: Role, as_json: bool, **options: Any) -> None:
    """Serve the web chat and keep the sources in sync. /livez, /readyz and /metrics tell how it is.

    \b
    Examples:
      citebot serve
      citebot serve --role worker
      CITEBOT_PLATFORM__CONSOLE__TOKEN=… citebot serve --host 0.0.0.0
    """
    from citebot.admin import Admin
    from citebot.app.serving import serve

    platform = invocation.settings.platform.use
    given = {f"platform.{platform}.{key}": value for key, value in options.items() if value is not None}
    invocation.override({**given, **({"log.json_lines": True} if as_json else {})})
    asyncio.run(serve(invocation.settings, invocation.plugins, role=role, beside=Admin))
