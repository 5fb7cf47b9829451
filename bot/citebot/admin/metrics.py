"""`GET /metrics`: what Prometheus asks for, told to whoever has the token or is signed in."""

from __future__ import annotations

import asyncio
import hmac
import time
from collections.abc import Callable

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, ProcessCollector
from prometheus_client.exposition import choose_encoder
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from citebot.admin.counting import SyncCounters
from citebot.admin.figures import QUEUES, Figures, index_stats, read_figures
from citebot.admin.gauges import Gauges
from citebot.admin.models import CallCounters
from citebot.admin.platforms import PlatformCalls
from citebot.admin.sparing import Sparing
from citebot.app import Citebot
from citebot.ports import CountsCalls, IndexStats, Platform

REFUSED = "Send the token of metrics.token as a Bearer token."


class Metrics:
    """The metrics of one running Citebot."""

    def __init__(
        self, bot: Citebot, platform: Platform | None = None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        # They would be a second series for each counter, which nobody asks for.
        prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]
        self._bot = bot
        self._index: IndexStats | None = None
        self._figures = Sparing(self._read, clock=clock)
        self._turn = asyncio.Lock()
        self._registry = CollectorRegistry()
        # First: it makes the counters' zeros.
        self._registry.register(Gauges(self._figures, searched=bot.searches))
        if isinstance(platform, CountsCalls):
            self._registry.register(PlatformCalls(platform.name, platform))
        self._counters = SyncCounters(self._registry)
        bot.calls.counters.append(CallCounters(self._registry, bot.calls))
        ProcessCollector(registry=self._registry)
        bot.meter.counters.append(self._counters)
        steals = Counter(
            "citebot_lease_steals",
            "Questions and posts taken over from a process that let its lease run out.",
            ["queue"],
            registry=self._registry,
        )
        for queue in QUEUES:
            steals.labels(queue)
        bot.taken_over.append(lambda queue: steals.labels(queue).inc())

    async def scrape(self, accept: str = "") -> tuple[bytes, str]:
        """The metrics as the asker wants them, and the media type."""
        encode, media_type = choose_encoder(accept)
        async with self._turn:
            self._index = await index_stats(self._bot)
            return await asyncio.to_thread(encode, self._registry), media_type

    def route(self, *, open_to_all: bool = False) -> Route:
        """The route; `open_to_all` where only this machine can reach it and no token is set."""
        token = self._bot.settings.metrics.token.get_secret_value()

        async def metrics(request: Request) -> Response:
            if not (open_to_all or may_read(request, token)):
                return JSONResponse({"error": REFUSED}, status_code=401, headers={"www-authenticate": "Bearer"})
            body, media_type = await self.scrape(request.headers.get("accept", ""))
            return Response(body, headers={"content-type": media_type})

        return Route("/metrics", metrics, methods=["GET"])

    def _read(self) -> Figures:
        figures = read_figures(self._bot, self._index)
        self._counters.know(source.status.name for source in figures.sources)
        return figures


def may_read(request: Request, token: str) -> bool:
    """Whether the asker is known to the platform, or holds the token of the metrics."""
    if getattr(request.state, "person", None) is not None:
        return True
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    fits = hmac.compare_digest(given.strip().encode("utf-8", "replace"), token.encode())
    return bool(token) and scheme.lower() == "bearer" and fits
