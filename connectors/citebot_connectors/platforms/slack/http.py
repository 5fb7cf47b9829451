"""Mode `http`: what Slack posts to us, given to the same handlers as what comes in by a socket."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any

import structlog
from slack_bolt.app.async_app import AsyncApp
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from citebot.admin.serving import serve_app
from citebot.conversing.chat import Spawn
from citebot.ports import Desk, PartContext
from citebot_connectors.platforms.slack.app import status_for
from citebot_connectors.platforms.slack.front import LARGEST, Body, Front, Unfit
from citebot_connectors.platforms.slack.installations import Installations
from citebot_connectors.platforms.slack.manifest import PATH
from citebot_connectors.platforms.slack.oauth import Installing
from citebot_connectors.platforms.slack.parts import Parts
from citebot_connectors.platforms.slack.settings import SlackSettings
from citebot_connectors.platforms.slack.workspaces import Workspaces

log = structlog.get_logger("citebot.slack")

Dispatch = Callable[[AsyncBoltRequest], Awaitable[BoltResponse]]
PASSED_ON = ("x-slack-retry-num", "x-slack-retry-reason")


def web_app(front: Front, dispatch: Dispatch, routes: Sequence[Any] = ()) -> Starlette:
    """The web server's part for Slack, with further routes."""

    async def taken(request: Request) -> Response:
        try:
            letter = front.check(request.headers, await body_of(request))
        except Unfit as error:
            log.info("request refused", status=error.status, why=str(error))
            return JSONResponse({"error": str(error)}, status_code=error.status)
        if letter is None:
            return Response()
        if letter.body.get("type") == "url_verification":
            return JSONResponse({"challenge": str(letter.body.get("challenge") or "")})
        headers = {name: request.headers[name] for name in PASSED_ON if name in request.headers}
        response = await given(dispatch, letter.body, headers)
        if response.status_code >= 400:
            front.failed(letter)
        return response

    return Starlette(routes=[Route(PATH, taken, methods=["POST"]), *routes])


async def body_of(request: Request) -> bytes:
    """The whole body, unless it is too large. Raises `Unfit`."""
    body = b""
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > LARGEST:
                raise Unfit(413, "too large")
    except ClientDisconnect as error:
        raise Unfit(400, "broken off") from error
    return body


async def given(dispatch: Dispatch, body: Body, headers: dict[str, str]) -> Response:
    """What the app says to a payload, whatever is in it."""
    try:
        # As from a socket: the signature was checked already.
        answer = await dispatch(AsyncBoltRequest(body=body, mode="socket_mode", headers=dict(headers)))
    except Exception as error:  # noqa: BLE001 - Slack's framework trusts the shape of what is signed
        log.warning("not taken from Slack", type=str(body.get("type"))[:40], why=f"{type(error).__name__}: {error}")
        return Response(status_code=status_for(error))
    kind = answer.first_headers().get("content-type", "text/plain").partition(";")[0]
    text = answer.body if isinstance(answer.body, str) else json.dumps(answer.body)
    status = 400 if answer.status == 500 else answer.status
    return Response(text.encode(errors="replace"), status_code=status, media_type=kind)


class Serving:
    """Listens for Slack, with the routes of the desk beside it."""

    def __init__(
        self, settings: SlackSettings, context: PartContext, desk: Desk, *, spawn: Spawn, wall: Callable[[], float]
    ) -> None:
        self._settings = settings
        self._vault = context.vault
        self._desk = desk
        self._spawn = spawn
        self._wall = wall
        self._up = False

    async def one(self, parts: Parts, *, announce: Callable[[str], None]) -> None:
        """Serve one workspace until cancelled."""
        app, work = self._begin(parts)
        self._spawn(work)
        await self._serve(app.async_dispatch, (), announce)

    async def several(self, workspaces: Workspaces, *, announce: Callable[[str], None]) -> None:
        """Serve all that installed the app, and let others install it, until cancelled."""
        await workspaces.begin(self._begin)
        self._spawn(workspaces.watch())
        installations = Installations(self._settings, self._vault, now=self._wall)
        installing = Installing(self._settings, installations, added=workspaces.added, now=self._wall)
        await self._serve(workspaces.dispatch, installing.routes(), announce)

    def _begin(self, parts: Parts) -> tuple[AsyncApp, Coroutine[Any, Any, None]]:
        app = parts.app(self._desk, spawn=self._spawn)
        return app, parts.catch_up(self._vault, heard=lambda: self._wall() if self._up else 0.0).run()

    async def _serve(self, dispatch: Dispatch, routes: Sequence[Any], announce: Callable[[str], None]) -> None:
        def listening(address: str) -> None:
            self._up = True
            log.info("listening for Slack", address=f"{address}{PATH}")
            announce(address)

        front = Front(self._settings.signing_secret.get_secret_value(), now=self._wall)
        app = web_app(front, dispatch, [*routes, *self._desk.routes()])
        try:
            await serve_app(app, self._settings.host, self._settings.port, announce=listening, what="platform.slack")
        finally:
            self._up = False
