"""`python -m citebot.testing.discord`: a guild in the browser, and the token for a bot that is to be tried in it."""

from __future__ import annotations

import argparse
import asyncio
import sys

from citebot.testing.discord.control import FakeDiscord


async def serve(port: int) -> None:
    """Run until it is interrupted."""
    async with FakeDiscord(port=port) as discord:
        discord.add_user("alice", admin=True)
        discord.add_user("bob")
        app = discord.add_app("citebot")
        discord.add_channel("general")
        discord.add_channel("questions", kind="forum", tags=["solved"])
        lines = [f"Open {discord.url}/ and start the bot with", f"  API      {discord.api_url}"]
        lines += [f"  gateway  {discord.gateway_url}", f"  token    {app.token}"]
        sys.stdout.write("\n".join(lines) + "\n")
        sys.stdout.flush()
        await asyncio.get_running_loop().create_future()


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m citebot.testing.discord", description="A Discord to try a bot in.")
    parser.add_argument("--port", type=int, default=8065, help="where to listen on 127.0.0.1 (default: %(default)s)")
    try:
        asyncio.run(serve(parser.parse_args().port))
    except KeyboardInterrupt:
        sys.stdout.write("Stopped.\n")


if __name__ == "__main__":
    main()
