"""`python -m citebot.testing.slack`: a workspace in the browser, and the tokens for a bot that is to be tried in it."""

from __future__ import annotations

import argparse
import asyncio
import sys

from citebot.testing.slack.control import FakeSlack


async def serve(port: int, commands: list[str]) -> None:
    """Run until it is interrupted."""
    async with FakeSlack(port=port) as slack:
        alice, bob = slack.add_user("alice", admin=True), slack.add_user("bob")
        app = slack.add_app("citebot", commands=commands, shortcuts=["ask_about", "ask"])
        slack.add_channel("general", [alice, bob, app])
        slack.add_channel("random", [alice, bob])
        lines = [f"Open {slack.url}/ and start the bot with", f"  API      {slack.api_url}"]
        lines += [f"  bot      {app.bot_token}", f"  app      {app.app_token}", f"  signing  {app.signing_secret}"]
        sys.stdout.write("\n".join(lines) + "\n")
        sys.stdout.flush()
        await asyncio.get_running_loop().create_future()


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m citebot.testing.slack", description="A Slack to try a bot in.")
    parser.add_argument("--port", type=int, default=8065, help="where to listen on 127.0.0.1 (default: %(default)s)")
    parser.add_argument("--command", action="append", help="a slash command of the bot (default: /ask)")
    options = parser.parse_args()
    try:
        asyncio.run(serve(options.port, options.command or ["/ask"]))
    except KeyboardInterrupt:
        sys.stdout.write("Stopped.\n")


if __name__ == "__main__":
    main()
