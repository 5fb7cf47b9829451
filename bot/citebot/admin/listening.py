"""`/metrics` and the probes on a port of their own, which every role has."""

from __future__ import annotations

from collections.abc import Callable

import structlog
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware

from citebot.admin.metrics import Metrics
from citebot.admin.probes import probes
from citebot.admin.serving import serve_app
from citebot.app.readiness import Readiness
from citebot.settings import MetricsSettings

log = structlog.get_logger("citebot.metrics")

OWN_NAMES = ["localhost", "127.0.0.1", "[::1]", "::1"]


def announced(address: str) -> None:
    """Log where the metrics are."""
    log.info("metrics are served", address=address)


async def serve_metrics(
    metrics: Metrics, readiness: Readiness, settings: MetricsSettings, *, announce: Callable[[str], None] = announced
) -> None:
    """Serve until cancelled. Without a token the settings allow only an address of this machine."""
    name = settings.host.strip("[]")
    token = settings.token.get_secret_value()
    open_here = not token
    # A page elsewhere may point its own name at 127.0.0.1; the browser then sends that name here.
    checks = [Middleware(TrustedHostMiddleware, allowed_hosts=[*OWN_NAMES, name])] if open_here else []
    routes = [metrics.route(open_to_all=open_here), *probes(readiness, token=token)]
    app = Starlette(routes=routes, middleware=checks)
    await serve_app(
        app,
        settings.host,
        settings.port or 0,
        announce=lambda address: announce(f"{address}/metrics"),
        what="metrics",
    )
