"""How long people wait in Slack: from the event of a question to the first visible sign, the first text and the last.

    python tests/benchmarks/slack_speed.py [--questions 40] [--json FILE]

`citebot serve` over the sample company as a process of its own, with the extractive generator and the embedded index;
the fake Slack is another process's worth of work on the same machine and answers at once. Questions are asked one at a
time, then ten at once, each in a channel of its own, as Slack takes a message a second in one.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from asyncio.subprocess import DEVNULL
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import citebot
from citebot.testing.slack import App, Channel, FakeSlack, Message, User

LIMITS = {"status": 0.5, "text": 1.0, "last": 2.0}
"""Seconds for 95 of 100 questions."""
AT_ONCE = 10
WARM_UP = 3
LAST = ("chat.stopStream", "chat.update", "chat.postMessage")


@dataclass(frozen=True, slots=True)
class Waited:
    """Seconds for one question."""

    status: float
    text: float
    last: float


def waited(slack: FakeSlack, question: Message) -> Waited | None:
    """What has been shown for a question, if it is all there."""
    asked = float(question.ts)
    signs = [s for s in slack.sent if thread_of(slack, s.args) == question.ts and s.result.get("ok")]
    texts = [s.at for s in signs if s.method == "chat.appendStream" or (s.method in LAST and s.args.get("text"))]
    last = [s.at for s in signs if s.method in LAST and "citebot_delete" in json.dumps(s.args)]
    if not last:
        return None
    return Waited(min(s.at for s in signs) - asked, min([*texts, *last]) - asked, max(last) - asked)


def thread_of(slack: FakeSlack, args: dict[str, Any]) -> str:
    """The thread that a call is about."""
    if thread := args.get("thread_ts"):
        return str(thread)
    channel = slack.world.channels.get(str(args.get("channel")))
    message = channel.messages.get(str(args.get("ts"))) if channel else None
    return message.thread_ts if message else ""


def questions() -> list[str]:
    """Those of the sample company that can be answered."""
    path = Path(citebot.__file__).parent / "sample" / "questions.jsonl"
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    return [row["question"] for row in rows if row["kind"] == "answerable" and not row["history"]]


async def ask(slack: FakeSlack, app: App, user: User, channel: Channel, text: str) -> Waited:
    """One question, until it is answered whole."""
    question = await slack.say(user, channel, f"{app.mention} {text}")
    return await slack.until(lambda: waited(slack, question), timeout=60)  # type: ignore[return-value]


def computed(pid: int) -> float:
    """Processor seconds of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@asynccontextmanager
async def serving(slack: FakeSlack, app: App, folder: Path) -> AsyncIterator[Callable[[], float]]:
    """The server, while it is connected, as the seconds that it has computed so far."""
    tokens = {"BOT_TOKEN": app.bot_token, "APP_TOKEN": app.app_token, "BASE_URL": slack.api_url}
    env = os.environ | {f"CITEBOT_PLATFORM__SLACK__{name}": value for name, value in tokens.items()}
    line = [sys.executable, "-m", "citebot", "--data-dir", str(folder), "--set", "platform.use=slack", "serve"]
    process = await asyncio.create_subprocess_exec(*line, env=env, stdout=DEVNULL, stderr=DEVNULL)
    try:
        await slack.until(lambda: slack.sockets(app), timeout=60)
        yield lambda: computed(process.pid)
    finally:
        process.terminate()
        await process.wait()


async def measure(folder: Path, count: int) -> dict[str, Any]:
    """All questions one at a time, then ten at once."""
    async with FakeSlack(rates=False) as slack:
        user, app = slack.add_user("zoe"), slack.add_app("citebot")
        texts = (questions() * (1 + count // 50))[: count + WARM_UP]

        def channel(name: str) -> Channel:
            return slack.add_channel(name, [user, app])

        async with serving(slack, app, folder) as seconds:
            warm = [await ask(slack, app, user, channel(f"w{n}"), text) for n, text in enumerate(texts[:WARM_UP])]
            begun = seconds()
            single = [await ask(slack, app, user, channel(f"a{n}"), text) for n, text in enumerate(texts[WARM_UP:])]
            computing = (seconds() - begun) / len(single)
            together: list[Waited] = []
            for start in range(WARM_UP, len(texts), AT_ONCE):
                some = texts[start : start + AT_ONCE]
                asked = [ask(slack, app, user, channel(f"b{start + n}"), text) for n, text in enumerate(some)]
                together += await asyncio.gather(*asked)
    return {
        "first_after_start_seconds": round(warm[0].last, 3),
        "processor_seconds_a_question": round(computing, 3),
        "one_at_a_time": figures(single),
        "ten_at_once": figures(together),
    }


def figures(found: Sequence[Waited]) -> dict[str, Any]:
    """Medians and 95th percentiles, and whether they are within the limits."""
    made: dict[str, Any] = {"questions": len(found)}
    for name, limit in LIMITS.items():
        values = sorted(getattr(one, name) for one in found)
        p95 = values[math.ceil(0.95 * len(values)) - 1]
        made[name] = {"median": round(statistics.median(values), 3), "p95": round(p95, 3), "within": p95 <= limit}
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--questions", type=int, default=40)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        demo = [sys.executable, "-m", "citebot", "--data-dir", place, "demo", "--once"]
        subprocess.run(demo, check=True, capture_output=True)
        began = time.monotonic()
        found = asyncio.run(measure(Path(place) / "demo", options.questions))
    found |= {"seconds": round(time.monotonic() - began, 1), "load": round(os.getloadavg()[0], 1), "limits": LIMITS}
    print(json.dumps(found, indent=2))
    if options.json:
        options.json.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
