"""The HTTP side: who calls, how often, what is recorded, and the exact answers clients look for."""

from __future__ import annotations

import json
from typing import Any

from aiohttp import web

from citebot.testing.chat.faults import Fault
from citebot.testing.chat.site import cut
from citebot.testing.discord.api import OPERATIONS, Call, Operation
from citebot.testing.discord.api.calling import Result
from citebot.testing.discord.buckets import Buckets, Taken
from citebot.testing.discord.core import Core, Sent
from citebot.testing.discord.refusing import Refused
from citebot.testing.discord.state import App, Json
from citebot.testing.discord.writing import Files

BASE = "/api/v10"
INVALID = (401, 403, 429)
"""Answers that count towards the ban."""
VIA = "1.1 google"
"""Without it clients take a 429 for a ban."""
BANNED = "<!DOCTYPE html><title>Access denied | discord.com used Cloudflare to restrict access</title>"


class Rest:
    """Answers all operations."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self.buckets = Buckets(core.clock)

    def routes(self) -> list[web.RouteDef]:
        """All addresses of the API."""
        # Fixed paths come before those with a name in the same place.
        ordered = sorted(OPERATIONS.values(), key=lambda o: [part.startswith("{") for part in o.path.split("/")])
        return [
            *(web.route(o.verb, BASE + o.path, self._handler(o)) for o in ordered),
            web.route("*", "/api/{rest:.*}", self._unknown),
        ]

    async def _unknown(self, request: web.Request) -> web.Response:
        return _json(404, Refused(0).body)

    def _handler(self, operation: Operation) -> Any:
        async def handle(request: web.Request) -> web.StreamResponse:
            core = self._core
            core.under_way += 1
            try:
                return await self._meet(operation, request)
            finally:
                core.under_way -= 1
                core.touch()

        return handle

    async def _meet(self, operation: Operation, request: web.Request) -> web.StreamResponse:
        """One call, with whatever fault a test has arranged for it."""
        core, name = self._core, operation.name
        if request.match_info.get("message_id") == "@original":
            name = name.replace("followup", "original_response")
        if core.settings.bans and self.buckets.banned:
            seconds = str(int(self.buckets.banned) + 1)
            return web.Response(status=429, text=BANNED, content_type="text/html", headers={"Retry-After": seconds})
        fault = core.faults.next(name)
        if fault and fault.kind == "refuse":
            return cut(request)
        if fault and fault.kind == "stall":
            await fault.gate.wait()
        if fault and fault.kind == "status":
            return web.Response(status=fault.status, text="upstream error")
        response = await self._answer(operation, name, request, fault)
        if fault and fault.kind == "drop":
            return cut(request)
        if fault and fault.kind == "stall_after":
            await fault.gate.wait()
        return response

    async def _answer(
        self, operation: Operation, name: str, request: web.Request, fault: Fault | None
    ) -> web.StreamResponse:
        headers: dict[str, str] = {}
        caller: App | None = None
        body: Any = None
        result: Result
        try:
            body, files = await _read(request)
            caller = self._caller(request)
            if operation.bot and caller is None:
                raise Refused(40001)
            limited = self._limit(operation, request, caller, fault, headers)
            if limited is not None:
                status, result = 429, limited
            else:
                if fault and fault.kind == "error":
                    raise Refused(int(fault.error))
                call = Call(self._core, dict(request.match_info), dict(request.query), body, files, caller)
                answer = operation.handle(call)
                status, result = (204 if answer is None else 200), answer
        except Refused as refused:
            status, result = refused.status, refused.body
        if status in INVALID and headers.get("X-RateLimit-Scope") != "shared":
            self.buckets.strike()
        app = caller.id if caller else request.match_info.get("application_id", "") or self._by_token(request)
        self._record(name, request, body, status, result, app)
        return _json(status, result, headers)

    def _by_token(self, request: web.Request) -> str:
        found = self._core.world.interactions.get(request.match_info.get("token", ""))
        return found.app_id if found else ""

    def _caller(self, request: web.Request) -> App | None:
        kind, _, token = request.headers.get("Authorization", "").partition(" ")
        found = [a for a in self._core.world.apps.values() if a.token == token]
        if kind != "Bot" or not found:
            if kind:
                raise Refused(40001)
            return None
        return found[0]

    def _limit(
        self,
        operation: Operation,
        request: web.Request,
        caller: App | None,
        fault: Fault | None,
        headers: dict[str, str],
    ) -> Json | None:
        """Take the call from its bucket and from the limit over all; the answer when there are too many."""
        if fault and fault.kind == "limit":
            return _slow_down(headers, fault.retry_after, scope="user")
        if not self._core.settings.rates:
            return None
        who = caller.id if caller else ""
        if operation.bot and (wait := self.buckets.take_global(who)):
            return _slow_down(headers, wait, scope="global")
        info = request.match_info
        major = ":".join(info[k] for k in ("channel_id", "guild_id", "token") if k in info)
        taken = self.buckets.take(operation.bucket, major, who, operation.rate)
        _tell(headers, taken, self._core.clock.wall())
        return None if taken.allowed else _slow_down(headers, taken.reset_after, scope="user")

    def _record(self, name: str, request: web.Request, body: Any, status: int, result: Result, app: str) -> None:
        args: Json = dict(body) if isinstance(body, dict) else {"list": body} if body is not None else {}
        args = json.loads(json.dumps(args, default=str))
        if request.query:
            args["query"] = dict(request.query)
        kept: Json = json.loads(json.dumps(result if isinstance(result, dict) else {"list": result}, default=str))
        self._core.sent.append(
            Sent(name, request.path.removeprefix(BASE), args, status, kept, app, self._core.clock.wall())
        )


async def _read(request: web.Request) -> tuple[Any, Files]:
    """The JSON body, of a form in the field `payload_json`, and the files."""
    if request.content_type == "multipart/form-data":
        form = await request.post()
        files: Files = []
        for key, part in form.items():
            if key.startswith("files[") and isinstance(part, web.FileField):
                files.append((part.filename, part.file.read()))
        return _parse(str(form.get("payload_json") or "{}")), files
    text = await request.text()
    return (_parse(text) if text else None), []


def _parse(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        raise Refused(50109) from None


def _tell(headers: dict[str, str], taken: Taken, now: float) -> None:
    headers["X-RateLimit-Limit"] = str(taken.limit)
    headers["X-RateLimit-Remaining"] = str(taken.remaining)
    headers["X-RateLimit-Reset"] = f"{now + taken.reset_after:.3f}"
    headers["X-RateLimit-Reset-After"] = f"{taken.reset_after:.3f}"
    headers["X-RateLimit-Bucket"] = taken.key


def _slow_down(headers: dict[str, str], seconds: float, *, scope: str) -> Json:
    headers["Via"] = VIA
    headers["Retry-After"] = str(int(seconds) + 1)
    headers["X-RateLimit-Scope"] = scope
    if scope == "global":
        headers["X-RateLimit-Global"] = "true"
    return {"message": "You are being rate limited.", "retry_after": round(seconds, 3), "global": scope == "global"}


def _json(status: int, body: Result, headers: dict[str, str] | None = None) -> web.Response:
    """JSON without a charset: clients compare the header as a whole."""
    response = web.Response(status=status, headers=headers)
    if status != 204:
        response.body = json.dumps(body).encode()
        response.headers["Content-Type"] = "application/json"
    return response
