"""Which address is answered by what."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from citebot.testing.slack.browsing import SlackBrowsing
from citebot.testing.slack.interactions import respond
from citebot.testing.slack.refusing import Refused
from citebot.testing.slack.server import Api
from citebot.testing.slack.socket_mode import Sockets

if TYPE_CHECKING:
    from citebot.testing.slack.control import FakeSlack


def routes(slack: FakeSlack, api: Api, sockets: Sockets) -> list[web.RouteDef]:
    """All addresses of the fake."""

    async def response_url(request: web.Request) -> web.Response:
        body = await request.json() if request.content_type == "application/json" else dict(await request.post())
        key = request.match_info["key"]
        try:
            respond(slack.core, key, body)
            result = {"ok": True}
        except Refused as refused:
            result = refused.body
        found = slack.core.responses.get(key)
        place = (found.channel.id, found.user) if found else ("", "")
        slack.core.record("response_url", body, result, found.app_id if found else "", place=place)
        return web.json_response(result, status=200 if result["ok"] else 404)

    async def download(request: web.Request) -> web.Response:
        kind, _, token = request.headers.get("Authorization", "").partition(" ")
        grant = slack.world.grants.get(token) if kind == "Bearer" else None
        file = slack.world.files.get(request.match_info["file"].rpartition("-")[2])
        channels = [slack.world.channels[c] for c in file.channels] if file else []
        allowed = grant and not grant.refused and "files:read" in grant.scopes
        if not file or not allowed or not any(grant and grant.user in c.members for c in channels):
            return web.Response(text="<!DOCTYPE html><title>Sign in | Slack</title>", content_type="text/html")
        return web.Response(body=file.content, content_type=file.mimetype)

    async def consent(request: web.Request) -> web.Response:
        query = request.query
        app = next((a for a in slack.world.apps.values() if a.client_id == query.get("client_id")), None)
        users = [u for u in slack.world.users.values() if not u.app_id]
        user = slack.world.users.get(query.get("user", "")) or (users[0] if users else None)
        if app is None or user is None:
            return web.Response(status=400, text="invalid_client_id")
        target = query.get("redirect_uri") or app.redirect_url
        scopes = query.get("scope", "").split(",") if query.get("scope") else None
        code = slack.authorize(app, user, redirect_uri=query.get("redirect_uri", ""), scopes=scopes)
        joiner = "&" if "?" in target else "?"
        raise web.HTTPFound(f"{target}{joiner}code={code}&state={query.get('state', '')}")

    return [
        web.get("/api/{method}", api.answer),
        web.post("/api/{method}", api.answer),
        web.get("/link/", sockets.accept),
        web.post("/actions/{team}/{key}", response_url),
        web.get("/files-pri/{file}/{name}", download),
        web.get("/files-pri/{file}/download/{name}", download),
        web.get("/oauth/v2/authorize", consent),
        *SlackBrowsing(slack).routes(),
    ]
