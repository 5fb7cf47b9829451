"""Socket Mode: up to ten sockets of an app, each envelope to one of them."""

from __future__ import annotations

import asyncio
import contextlib
import json
from dataclasses import dataclass, field
from itertools import count

from aiohttp import WSMsgType, web

from citebot.testing.slack.clock import ACK, CLOSING, PING
from citebot.testing.slack.core import Core
from citebot.testing.slack.state import App, Json

MOST = 10
LIFETIME = 18_060.0
"""Slack's seconds after which a socket is refreshed."""
HOST = "applink-fake-1"


@dataclass(slots=True)
class Reply:
    """How an app took one attempt."""

    ok: bool
    body: Json = field(default_factory=dict)
    reason: str = ""
    retry: bool = True


@dataclass(slots=True, eq=False)
class Socket:
    """One connection; a deaf one stays open while nothing comes through any more."""

    number: int
    app_id: str
    ws: web.WebSocketResponse
    request: web.Request
    born: float
    deaf: bool = False
    """Envelopes are lost on it, and acks."""
    mute: bool = False
    """Pings are neither sent nor answered."""
    delivered: int = 0


class Sockets:
    """All sockets of all apps."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._open: dict[str, list[Socket]] = {}
        self._turns: dict[str, int] = {}
        self._waiting: dict[str, asyncio.Future[Json]] = {}
        self._numbers = count(1)

    def of(self, app: App) -> list[Socket]:
        """The open sockets of an app, the oldest first."""
        return list(self._open.get(app.id, ()))

    async def accept(self, request: web.Request) -> web.WebSocketResponse:
        """Serve one socket from hello to its end."""
        app_id, until = self._core.tickets.pop(request.query.get("ticket", ""), ("", 0.0))
        if not app_id or self._core.clock.now() > until:
            raise web.HTTPUnauthorized(text="invalid ticket")
        ws = web.WebSocketResponse(autoping=False)
        await ws.prepare(request)
        socket = Socket(next(self._numbers), app_id, ws, request, self._core.clock.now())
        others = self._open.setdefault(app_id, [])
        if len(others) >= MOST:
            await self._announce_end(socket, "too_many_websockets")
            await ws.close()
            return ws
        others.append(socket)
        self._core.touch()
        pinging = asyncio.create_task(self._ping(socket))
        try:
            await ws.send_json(self._hello(socket, len(others)))
            await self._listen(socket)
        except ConnectionError:
            pass
        finally:
            pinging.cancel()
            others.remove(socket)
            self._core.touch()
        return ws

    def _hello(self, socket: Socket, connections: int) -> Json:
        return {
            "type": "hello",
            "num_connections": connections,
            "debug_info": {
                "host": HOST,
                "build_number": 1,
                "approximate_connection_time": int(self._core.clock.real(LIFETIME)),
            },
            "connection_info": {"app_id": socket.app_id},
        }

    async def _listen(self, socket: Socket) -> None:
        async for message in socket.ws:
            if message.type is WSMsgType.PING and not socket.mute:
                await socket.ws.pong(message.data)
            elif message.type is WSMsgType.TEXT and not socket.deaf:
                self._take_ack(socket, message.data)

    def _take_ack(self, socket: Socket, text: str) -> None:
        with contextlib.suppress(ValueError):
            ack = json.loads(text)
            waiting = self._waiting.get(str(ack.get("envelope_id")))
            if waiting and not waiting.done():
                waiting.set_result(ack)
                if payload := ack.get("payload"):
                    self._core.record("ack", payload, {}, socket.app_id)

    async def _ping(self, socket: Socket) -> None:
        with contextlib.suppress(ConnectionError):
            while not socket.ws.closed:
                await self._core.clock.sleep(PING)
                if not socket.mute:
                    await socket.ws.ping(b"Ping from " + HOST.encode())
                if self._core.clock.now() > socket.born + LIFETIME:
                    socket.born = self._core.clock.now()  # it is announced once
                    await self.refresh(socket)

    async def send(self, app: App, kind: str, body: Json, *, attempt: int = 0, reason: str = "") -> Reply:
        """Give an envelope to the next socket and wait for the ack."""
        sockets = [s for s in self._open.get(app.id, ()) if not s.ws.closed]
        if not sockets:
            return Reply(False, reason="no_connections")
        turn = self._turns[app.id] = self._turns.get(app.id, -1) + 1
        socket = sockets[turn % len(sockets)]
        envelope: Json = {"envelope_id": self._core.world.new_id("env-"), "type": kind, "payload": body}
        envelope["accepts_response_payload"] = kind != "events_api"
        if kind == "events_api":
            envelope |= {"retry_attempt": attempt, "retry_reason": reason}
        waiting = self._waiting[envelope["envelope_id"]] = asyncio.get_running_loop().create_future()
        try:
            socket.delivered += 1
            if not socket.deaf:
                await socket.ws.send_json(envelope)
            async with asyncio.timeout(self._core.clock.patience(ACK)):
                ack = await waiting
            return Reply(True, ack.get("payload") or {})
        except TimeoutError:
            return Reply(False, reason="timeout")
        except ConnectionError:
            return Reply(False, reason="connection_closed")
        finally:
            del self._waiting[envelope["envelope_id"]]

    async def refresh(self, socket: Socket, *, warn: bool = False) -> None:
        """Tell the app that the socket ends, or only that it will; after the announcement it is closed."""
        if warn:
            await self._announce_end(socket, "warning")
            return
        await self._announce_end(socket, "refresh_requested")
        asyncio.get_running_loop().call_later(self._core.clock.patience(CLOSING), self.drop, socket)

    def drop(self, socket: Socket) -> None:
        """End a socket without a word."""
        if socket.request.transport is not None:
            socket.request.transport.abort()

    async def close(self) -> None:
        """End them all."""
        for sockets in list(self._open.values()):
            for socket in list(sockets):
                await socket.ws.close()

    async def _announce_end(self, socket: Socket, reason: str) -> None:
        await socket.ws.send_json({"type": "disconnect", "reason": reason, "debug_info": {"host": HOST}})
