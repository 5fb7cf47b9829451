"""Replicas of `citebot serve` in every role over one PostgreSQL and one Elasticsearch, as processes of their own."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from slack_harness import Town
from zygote import Zygote, gone, zygote_of

ZYGOTE = Path(__file__).parent / "fleet_replica.py"
ROLES = ("gateway", "worker", "sync")
PATIENCE = 60.0
"""Seconds until a replica must be ready, or have ended."""


@dataclass(slots=True)
class One:
    """A replica that runs."""

    role: str
    pid: int
    port: int
    """Of its probes and metrics."""

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@dataclass(slots=True)
class Fleet:
    """All replicas."""

    settings: dict[str, Any]
    folder: Path
    zygote: Zygote
    replicas: list[One] = field(default_factory=list)
    drains: list[float] = field(default_factory=list)
    """Seconds from SIGTERM to the end of each that was told to stop."""
    _started: int = 0

    async def start(self, role: str) -> One:
        """Start one and wait until it is ready."""
        self._started += 1
        data = self.folder / f"{role}-{self._started}"
        data.mkdir()
        port = free_port()
        own = {"data_dir": str(data), "metrics.port": port}
        config = {"role": role, "settings": self.settings | own}
        one = One(role, await asyncio.to_thread(self.zygote.fork, config), port)
        self.replicas.append(one)
        await until_ready(one)
        return one

    async def stop(self, one: One, how: signal.Signals) -> None:
        """Stop one and wait until it has ended."""
        began = time.monotonic()
        os.kill(one.pid, how)
        while not gone(one.pid):
            assert time.monotonic() - began < PATIENCE, f"{one.role} does not end"
            await asyncio.sleep(0.02)
        self.replicas.remove(one)
        if how == signal.SIGTERM:
            self.drains.append(time.monotonic() - began)

    async def roll(self, role: str) -> None:
        """Replace all replicas of a role, one after the other; some are told to stop, others are killed."""
        for number, one in enumerate([one for one in self.replicas if one.role == role]):
            await self.stop(one, signal.SIGKILL if number % 2 else signal.SIGTERM)
            await self.start(role)

    def end(self) -> None:
        """Kill what is left."""
        for one in self.replicas:
            with suppress(ProcessLookupError):
                os.kill(one.pid, signal.SIGKILL)


async def until_ready(one: One) -> None:
    """Wait for its own word."""
    said, end = "", time.monotonic() + PATIENCE
    async with httpx.AsyncClient() as client:
        while time.monotonic() < end and not gone(one.pid):
            with suppress(httpx.HTTPError):
                answer = await client.get(f"{one.address}/readyz", timeout=5)
                if answer.status_code == 200:
                    return
                said = answer.text
            await asyncio.sleep(0.05)
    raise AssertionError(f"{one.role} is not ready: {said or 'it ended'}")


def free_port() -> int:
    """One that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def settings_for(place: Town, *, url: str, elasticsearch: str, **more: Any) -> dict[str, Any]:
    """What all replicas have in common."""
    tokens = {"bot_token": place.app.bot_token, "app_token": place.app.app_token, "base_url": place.slack.api_url}
    return {
        "plugins.enabled": ["slack", "elasticsearch", "local", "jsonl"],
        "database.url": url,
        "index.use": "elasticsearch",
        "index.elasticsearch.url": elasticsearch,
        "index.elasticsearch.name": f"fleet-{uuid.uuid4().hex[:8]}",
        "embedder.use": "none",
        "platform.use": "slack",
        "answering.threshold": 0.0,
        "delivery.lease": 3.0,
        "ingest.poll": 2.0,
        **{f"platform.slack.{name}": value for name, value in tokens.items()},
        **more,
    }


@contextmanager
def fleet(settings: dict[str, Any], folder: Path) -> Iterator[Fleet]:
    """None at first; their logs are in the folder."""
    with zygote_of(ZYGOTE, folder, OPENBLAS_NUM_THREADS="1") as zygote:
        made = Fleet(settings, folder, zygote)
        try:
            yield made
        finally:
            made.end()
