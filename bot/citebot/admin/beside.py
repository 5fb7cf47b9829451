"""What a server has for those who run it, joined to its platform's web server and to a port of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from citebot.app import Citebot
from citebot.app.readiness import Readiness
from citebot.errors import CitebotError

if TYPE_CHECKING:
    from citebot.admin.metrics import Metrics


class Admin:
    """`citebot.app.serving.Beside`."""

    def __init__(self, bot: Citebot, readiness: Readiness) -> None:
        self._settings = bot.settings.metrics
        self._readiness = readiness
        self._metrics: Metrics | None = None
        try:
            from citebot.admin.metrics import Metrics
        except ImportError as error:
            # A platform without a web server runs without the extra, unless it is told to serve metrics.
            if self._settings.port is not None:
                raise CitebotError(f"metrics.port needs {error.name}: pip install 'citebot[web]'.") from error
        else:
            self._metrics = Metrics(bot, readiness.platform)

    def routes(self) -> Sequence[object]:
        return [self._metrics.route()] if self._metrics else []

    async def run(self) -> None:
        if self._metrics is None or self._settings.port is None:
            await asyncio.Event().wait()
        else:
            from citebot.admin.listening import serve_metrics

            await serve_metrics(self._metrics, self._readiness, self._settings)
