"""How long people wait in Discord: from `/ask` to the defer, and from the defer to the first text and the last.

    python tests/benchmarks/discord_speed.py [--questions 40] [--json FILE]

As `slack_speed.py`: `citebot serve` over the sample company as a process of its own, with the extractive generator and
the embedded index, and a fake Discord on the same machine, with Discord's limits.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
from asyncio.subprocess import DEVNULL
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))  # the tests are no package

from slack_speed import AT_ONCE, WARM_UP, questions

from citebot.testing.discord import App, Channel, FakeDiscord, Outcome, User

LIMITS = {"defer": 1.0, "text": 1.0}
"""Seconds for 95 of 100 questions."""


@dataclass(frozen=True, slots=True)
class Waited:
    """Seconds for one question: to the defer, and from there on."""

    defer: float
    text: float
    last: float


def waited(discord: FakeDiscord, asked: Outcome, defer: float, deferred: float) -> Waited | None:
    """What has been shown for a question, if it is all there."""
    assert asked.interaction is not None
    mine = [
        one for one in discord.calls("edit_original_response", "edit_followup") if asked.interaction.token in one.path
    ]
    texts = [one.at for one in mine if "[1]" in json.dumps(one.args.get("components"))]
    last = [one.at for one in mine if "cb:rate:" in json.dumps(one.args)]
    return Waited(defer, min([*texts, *last]) - deferred, last[0] - deferred) if last else None


async def ask(discord: FakeDiscord, user: User, channel: Channel, text: str) -> Waited:
    """One question, until it is answered whole."""
    began = discord.clock.wall()
    asked = await discord.command(user, channel, "ask", {"question": text})
    deferred = discord.clock.wall()
    found = await discord.until(lambda: waited(discord, asked, deferred - began, deferred), timeout=60)
    assert found is not None
    return found


@asynccontextmanager
async def serving(discord: FakeDiscord, app: App, folder: Path) -> AsyncIterator[None]:
    """The server, while it is connected."""
    given = {
        "BOT_TOKEN": app.token,
        "GUILDS": json.dumps([discord.guild.id]),
        "BASE_URL": discord.api_url,
        "GATEWAY_URL": discord.gateway_url,
    }
    env = os.environ | {f"CITEBOT_PLATFORM__DISCORD__{name}": value for name, value in given.items()}
    line = [sys.executable, "-m", "citebot", "--data-dir", str(folder), "--set", "platform.use=discord", "serve"]
    process = await asyncio.create_subprocess_exec(*line, env=env, stdout=DEVNULL, stderr=DEVNULL)
    try:
        await discord.until(lambda: discord.ready(app) and discord.commands(app), timeout=60)
        await asyncio.sleep(3)
        yield
    finally:
        process.terminate()
        await process.wait()


async def measure(folder: Path, count: int) -> dict[str, Any]:
    """All questions one at a time, then ten at once."""
    async with FakeDiscord() as discord:
        user, app = discord.add_user("zoe", owner=True), discord.add_app("citebot", intents=())
        texts = (questions() * (1 + count // 50))[: count + WARM_UP]
        channels = [discord.add_channel(f"c{number}") for number in range(len(texts))]
        async with serving(discord, app, folder):
            single = [await ask(discord, user, *one) for one in zip(channels, texts, strict=True)][WARM_UP:]
            together: list[Waited] = []
            for start in range(WARM_UP, len(texts), AT_ONCE):
                some = zip(channels[start : start + AT_ONCE], texts[start : start + AT_ONCE], strict=True)
                together += await asyncio.gather(*(ask(discord, user, *one) for one in some))
    return {"one at a time": figures(single), f"{AT_ONCE} at once": figures(together)}


def figures(found: Sequence[Waited]) -> dict[str, dict[str, float]]:
    """Half of all, and 95 of 100, took at most so long."""

    def at(name: str, share: float) -> float:
        values = sorted(getattr(one, name) for one in found)
        return round(values[min(len(values) - 1, int(len(values) * share))], 3)

    return {name: {"p50": at(name, 0.5), "p95": at(name, 0.95)} for name in ("defer", "text", "last")}


def main() -> int:
    """Measure, and say whether it is quick enough."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--questions", type=int, default=40)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        line = [sys.executable, "-m", "citebot", "--data-dir", folder, "demo", "--once", "--json"]
        subprocess.run(line, check=True, stdout=DEVNULL)
        found = asyncio.run(measure(Path(folder) / "demo", given.questions))
    print(json.dumps(found, indent=2))
    if given.json:
        given.json.write_text(json.dumps(found, indent=2))
    slow = [name for name, most in LIMITS.items() if found["one at a time"][name]["p95"] > most]
    print(f"too slow: {', '.join(slow)}" if slow else "quick enough")
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main())
