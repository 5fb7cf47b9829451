"""The web application: pages, JSON and event streams over the desk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp

from citebot.ports import Desk
from citebot_connectors.platforms.console.api import BEAT_SECONDS, Api
from citebot_connectors.platforms.console.assets import Assets
from citebot_connectors.platforms.console.auth import Doorkeeper
from citebot_connectors.platforms.console.guard import Guard, refuse
from citebot_connectors.platforms.console.login import Login
from citebot_connectors.platforms.console.settings import ConsoleSettings
from citebot_connectors.platforms.console.streams import Streams


@dataclass(frozen=True, slots=True)
class Clocks:
    """Time, so that tests may hold it."""

    wall: Callable[[], float]
    """Seconds since the epoch, for sign-ins."""
    monotonic: Callable[[], float]


def build_web(
    settings: ConsoleSettings, desk: Desk, streams: Streams, clocks: Clocks, *, beat: float = BEAT_SECONDS
) -> ASGIApp:
    """The whole web chat as one ASGI application."""
    doorkeeper = Doorkeeper(settings, clock=clocks.wall)
    assets = Assets()
    api = Api(settings, desk, streams, doorkeeper, beat=beat)
    login = Login(doorkeeper, assets)

    async def page(request: Request) -> Response:
        return assets.respond(request, "index.html")

    async def file(request: Request) -> Response:
        return assets.respond(request, request.path_params["name"])

    async def icon(request: Request) -> Response:
        return assets.respond(request, "icon.svg")

    async def livez(request: Request) -> Response:
        return JSONResponse({"live": True})

    async def readyz(request: Request) -> Response:
        problems = list(await desk.problems())
        known = request.state.person is not None
        shown = {"problems": problems} if known else {"problems": len(problems)}
        ready = await desk.ready()
        return JSONResponse({"ready": ready, **shown}, status_code=200 if ready else 503)

    routes: list[BaseRoute] = [
        Route("/", page),
        Route("/static/{name}", file),
        Route("/favicon.ico", icon),
        Route("/livez", livez),
        Route("/readyz", readyz),
        Route("/login", login.show, methods=["GET"]),
        Route("/login", login.enter, methods=["POST"]),
        Route("/logout", login.leave, methods=["POST"]),
        *api.routes(),
        *(route for route in desk.routes() if isinstance(route, BaseRoute)),
    ]
    app = Starlette(routes=routes, exception_handlers={HTTPException: _refused})
    return Guard(app, local=settings.local, who=doorkeeper.who, host=settings.host)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException), "registered for this class only"
    lines = {404: "There is nothing here.", 405: "This address does not take that method."}
    detail = lines.get(error.status_code, error.detail) if error.detail in _PHRASES else error.detail
    return refuse(error.status_code, detail, error.headers)


_PHRASES = frozenset({"Not Found", "Method Not Allowed"})
"""What starlette says by itself."""
