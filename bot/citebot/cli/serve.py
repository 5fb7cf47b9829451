"""`citebot serve`: answer questions until told to stop."""

from __future__ import annotations

import asyncio
from typing import Any

import click

from citebot.app.serving import Role
from citebot.cli.invocation import Invocation


@click.command("serve")
@click.option("--host", help="Address of the web chat; other than loopback needs a token.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port of the web chat.")
@click.option(
    "--role",
    type=click.Choice(["all", "gateway", "sync"]),
    default="all",
    show_default=True,
    help="What this process does: take questions, answer them, read sources, or all of it.",
)
@click.pass_obj
def command(invocation: Invocation, /, role: Role, **options: Any) -> None:
    """Serve the web chat, answer questions and keep the sources in sync. /livez and /readyz tell how it is."""
    from citebot.app.serving import serve

    platform = invocation.settings.platform.use
    given = {f"platform.{platform}.{key}": value for key, value in options.items() if value is not None}
    invocation.override(given)
    asyncio.run(serve(invocation.settings, invocation.plugins, role=role))
