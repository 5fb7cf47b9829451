"""How near to a server's limit `ctx.http` comes without losing a request to it.

    python tests/benchmarks/politeness.py [--minutes 10] [--json FILE]

Three servers with the limits of real ones (fixed windows; each says in another way for how long to wait) are asked for
as long as that takes in a time of our own, so ten minutes pass in a second.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import httpx

from citebot.egress import SourceHttp, Time
from citebot.errors import Retry
from citebot.logging_setup import configure_logging
from citebot.settings import EgressSettings, LogSettings

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
ANSWER_SECONDS = 0.05


@dataclass(slots=True)
class Server(httpx.BaseTransport):
    """Serves `most` requests in each window of so many seconds."""

    most: int
    window: float
    say: Callable[[float, datetime], dict[str, str]]
    """The header that tells how long to wait."""
    passed: float = 0.0
    served: int = 0
    refused: int = 0
    used: dict[int, int] = field(default_factory=dict)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.passed += ANSWER_SECONDS
        now = int(self.passed // self.window)
        if self.used.get(now, 0) >= self.most:
            self.refused += 1
            left = (now + 1) * self.window - self.passed
            return httpx.Response(429, headers=self.say(left, START + timedelta(seconds=self.passed)))
        self.used[now] = self.used.get(now, 0) + 1
        self.served += 1
        return httpx.Response(200, text="page")

    def sleep(self, seconds: float) -> None:
        self.passed += seconds

    def times(self) -> Time:
        return Time(
            monotonic=lambda: self.passed,
            wall=lambda: START + timedelta(seconds=self.passed),
            sleep=self.sleep,
            chance=lambda: 0.5,
        )


SERVERS = {
    "3 a second, says nothing": (3, 1.0, lambda left, now: {}),
    "50 a minute, Retry-After in seconds": (50, 60.0, lambda left, now: {"retry-after": str(int(left) + 1)}),
    "10 a minute, Retry-After as a date": (
        *(10, 60.0),
        lambda left, now: {"retry-after": format_datetime(now + timedelta(seconds=left + 1), usegmt=True)},
    ),
}


def measure(server: Server, seconds: float) -> dict[str, Any]:
    """Ask for so many seconds of the server's time."""
    lost = 0
    settings = EgressSettings(requests_per_second=10)
    client = SourceHttp(settings, source="bench", stop=lambda: False, transport=server, times=server.times())
    with closing(client):
        while server.passed < seconds:
            try:
                client.get("http://server.example/page")
            except Retry:
                lost += 1
    allowed = server.most * server.passed / server.window
    return {
        "served": server.served,
        "share_of_allowed": server.served / allowed,
        "refused": server.refused,
        "lost": lost,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    configure_logging(LogSettings())
    found = {name: measure(Server(*limits), options.minutes * 60) for name, limits in SERVERS.items()}
    print(json.dumps(found, indent=2))
    if options.json:
        options.json.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
