"""Deliveries to apps: events come again until they are acknowledged, interactions do not."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from citebot.testing.slack.clock import RETRIES
from citebot.testing.slack.core import Core, Delivery
from citebot.testing.slack.http_mode import Poster
from citebot.testing.slack.socket_mode import Reply, Sockets
from citebot.testing.slack.state import App, Json


class Courier:
    """Carries what happens to apps, over sockets or HTTP."""

    def __init__(self, core: Core, sockets: Sockets, poster: Poster) -> None:
        self._core = core
        self._sockets = sockets
        self._poster = poster
        self._tasks: set[asyncio.Task[None]] = set()

    def publish(self, app: App, body: Json) -> None:
        """Deliver an event, as often as `settings.copies` says."""
        for _ in range(self._core.settings.copies):
            self._start(self._deliver(app, self._record(app, "events_api", body)))

    def redeliver(self, app: App, body: Json) -> None:
        """Deliver an event once more."""
        self._start(self._deliver(app, self._record(app, "events_api", body)))

    async def interact(self, app: App, kind: str, body: Json) -> Reply:
        """Deliver a command or an interaction, once."""
        delivery = self._record(app, kind, body)
        try:
            return await self._attempt(app, delivery)
        finally:
            self._end(delivery)

    async def close(self) -> None:
        """Give up what is under way."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _record(self, app: App, kind: str, body: Json) -> Delivery:
        delivery = Delivery(app.id, kind, body, self._core.clock.steady())
        self._core.deliveries.append(delivery)
        self._core.under_way += 1
        return delivery

    async def _deliver(self, app: App, delivery: Delivery) -> None:
        try:
            for pause in (0.0, *RETRIES):
                if pause:
                    await self._core.clock.sleep(pause)
                reply = await self._attempt(app, delivery)
                if reply.ok or not reply.retry:
                    return
        finally:
            self._end(delivery)

    async def _attempt(self, app: App, delivery: Delivery) -> Reply:
        carrier = self._poster if app.request_url else self._sockets
        began = self._core.clock.steady()
        attempt, delivery.attempts = delivery.attempts, delivery.attempts + 1
        reply = await carrier.send(app, delivery.kind, delivery.body, attempt=attempt, reason=delivery.reason)
        delivery.reason = reply.reason
        if reply.ok:
            delivery.ack_seconds = self._core.clock.steady() - began
        return reply

    def _end(self, delivery: Delivery) -> None:
        delivery.over = True
        self._core.under_way -= 1
        self._core.touch()
