"""The HTTP side: the Web API, sockets, response_urls, downloads."""

from __future__ import annotations

import json
from dataclasses import replace

from aiohttp import web

from citebot.testing.chat.faults import Fault
from citebot.testing.chat.site import cut
from citebot.testing.slack.api import METHODS, Call
from citebot.testing.slack.api.calling import Method
from citebot.testing.slack.core import Core
from citebot.testing.slack.refusing import Refused
from citebot.testing.slack.state import App, Grant, Json


class Api:
    """Answers `/api/METHOD`."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """One call, with whatever fault a test has arranged for it."""
        core, name = self._core, request.match_info["method"]
        core.under_way += 1
        try:
            fault = core.faults.next(name)
            if fault and fault.kind == "refuse":
                return cut(request)
            if fault and fault.kind == "stall":
                await fault.gate.wait()
            response = await self._answer(request, name, fault)
            if fault and fault.kind == "drop":
                return cut(request)
            if fault and fault.kind == "stall_after":
                await fault.gate.wait()
            return response
        finally:
            core.under_way -= 1
            core.touch()

    async def _answer(self, request: web.Request, name: str, fault: Fault | None) -> web.Response:
        if fault and fault.kind == "status":
            return web.Response(status=fault.status, text="upstream error")
        try:
            call = await read_call(self._core, name, request)
        except Refused as refused:
            return web.json_response(refused.body)
        sent = json.loads(json.dumps(call.args, default=str))
        headers: dict[str, str] = {}
        try:
            if fault and fault.kind == "limit":
                raise Refused("ratelimited", seconds=fault.retry_after)
            if fault and fault.kind == "error":
                raise Refused(fault.error)
            result = {"ok": True, **self._perform(call, headers)}
        except Refused as refused:
            result = refused.body
        status = self._limited(result, headers)
        self._core.record(name, sent, result, call.app.id if call.app else "")
        return web.json_response(result, status=status, headers=headers)

    def _perform(self, call: Call, headers: dict[str, str]) -> Json:
        method = METHODS.get(call.method)
        if method is None:
            raise Refused("unknown_method", req_method=call.method)
        call.app, call.grant = self._authenticate(method, call.token)
        if call.grant:
            headers["x-oauth-scopes"] = ",".join(sorted(call.grant.scopes))
            headers["x-accepted-oauth-scopes"] = ",".join(method.scopes)
        caller = call.app.id if call.app else ""
        wait = self._core.meter.wait((caller, call.grant.team if call.grant else "", method.name), method.rate)
        if wait and self._core.settings.rates:
            raise Refused("ratelimited", wait=wait)
        if call.grant:
            call.need(*method.scopes)
        body = method.handle(call)
        if call.warnings:
            metadata = body.setdefault("response_metadata", {})
            metadata["warnings"] = call.warnings
            body["warning"] = ",".join(call.warnings)
        return body

    def _authenticate(self, method: Method, token: str) -> tuple[App | None, Grant | None]:
        world = self._core.world
        if method.kind == "none":
            return None, None
        if not token:
            raise Refused("not_authed")
        grant = world.grants.get(token)
        if grant is None:
            raise Refused("invalid_auth")
        if grant.refused:
            raise Refused(grant.refused)
        if grant.expires is not None and self._core.clock.now() > grant.expires:
            raise Refused("token_expired")
        if grant.user in world.users and world.users[grant.user].deleted:
            raise Refused("account_inactive")
        if (grant.kind == "app") != (method.kind == "app"):
            raise Refused("not_allowed_token_type")
        return world.apps[grant.app_id], grant

    def _limited(self, result: Json, headers: dict[str, str]) -> int:
        if result.get("error") != "ratelimited":
            return 200
        wait = result.pop("wait", None)
        seconds = result.pop("seconds", None) or self._core.clock.whole(wait or 1)
        headers["Retry-After"] = str(seconds)
        return 429


async def read_call(core: Core, name: str, request: web.Request) -> Call:
    """The arguments of the query, a form or JSON, and the token wherever it was put."""
    args: Json = dict(request.query)
    if request.content_type == "application/json":
        try:
            body = await request.json()
        except ValueError:
            raise Refused("invalid_json") from None
        if not isinstance(body, dict):
            raise Refused("json_not_object")
        args |= body
    elif request.method == "POST":
        args |= dict(await request.post())
    kind, _, secret = request.headers.get("Authorization", "").partition(" ")
    given = str(args.pop("token", "") or "")
    call = Call(core, name, args, secret if kind == "Bearer" and secret else given)
    return replace(call, basic=secret) if kind == "Basic" else call
