"""The gateway: hello, heartbeats, IDENTIFY and its limits, RESUME, and events to sessions."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import deque
from secrets import token_hex

from aiohttp import WSMsgType, web

from citebot.testing.discord.clock import DAY, HEARTBEAT, IDENTIFY, SESSION
from citebot.testing.discord.core import Core
from citebot.testing.discord.events import ALL_INTENTS, MEMBERS, PRIVILEGED, for_intents
from citebot.testing.discord.sessions import Session, Socket
from citebot.testing.discord.shapes import INTENT_FLAGS, guild_create_json, member_json, user_json
from citebot.testing.discord.state import App, Guild, Json, new_token

SENDS = 120
"""A client may send these in a minute."""
GUILDS_PER_SHARD = 2500
ENDED = (1000, 1001)
"""A client that closes with these ends its session."""


class Closed(Exception):
    """The connection is closed with a code."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Gateway:
    """All sessions of all apps."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self.sessions: dict[str, Session] = {}
        self.sockets: set[Socket] = set()
        self.identifies = 0
        self.resumes = 0
        self._begun: dict[tuple[str, int], deque[float]] = {}
        """When sessions began, by app and shard modulo `max_concurrency`."""

    @property
    def url(self) -> str:
        """Where clients connect."""
        return self._core.url.replace("http", "ws", 1) + "/gateway/"

    def of(self, app: App, *, connected: bool = True) -> list[Session]:
        """The sessions of an app that live; `connected` ones have a socket."""
        self._forget()
        return [s for s in self.sessions.values() if s.app_id == app.id and (s.socket or not connected)]

    def publish(self, app: App, name: str, body: Json, guild: str) -> None:
        """Give an event to the sessions of an app: of a guild's shard, direct messages of the first."""
        for session in self.of(app, connected=False):
            if _shard(guild, session.shard[1]) != session.shard[0]:
                continue
            told = for_intents(name, body, session.intents, app)
            if told is not None:
                session.dispatch(name, told)

    def add_guild(self, app: App, guild: Guild, *, joined: bool) -> None:
        """Tell of a guild that the bot has joined, or that is there again."""
        for session in self.of(app, connected=False):
            if _shard(guild.id, session.shard[1]) == session.shard[0]:
                self._tell_guild(session, app, guild, joined=joined)

    def _tell_guild(self, session: Session, app: App, guild: Guild, *, joined: bool = False) -> None:
        if not session.intents & 1:
            return
        if guild.unavailable:
            session.dispatch("GUILD_CREATE", {"id": guild.id, "unavailable": True})
            return
        everybody = bool(session.intents & MEMBERS)
        body = guild_create_json(self._core.world, guild, app.bot.id, members=everybody)
        if joined:  # clients tell the two apart by this field
            del body["unavailable"]
        session.dispatch("GUILD_CREATE", body)

    def _forget(self) -> None:
        now = self._core.clock.now()
        for key, session in list(self.sessions.items()):
            if session.socket is None and now > session.lost_at + SESSION:
                del self.sessions[key]

    # -- one connection -------------------------------------------------------------------------------------------

    async def accept(self, request: web.Request) -> web.WebSocketResponse:
        """Serve one socket from hello to its end."""
        ws = web.WebSocketResponse(compress=False, max_msg_size=4096)
        await ws.prepare(request)
        socket = Socket(ws, request, request.query.get("compress") == "zlib-stream")
        self.sockets.add(socket)
        self._expect(socket)
        writing = asyncio.create_task(self._write(socket))
        try:
            if request.query.get("v") not in ("9", "10"):
                raise Closed(4012)
            socket.send({"op": 10, "s": None, "t": None, "d": {"heartbeat_interval": int(self._interval * 1000)}})
            async for message in ws:
                if message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
                    self._take(socket, message.data)
        except Closed as closed:
            socket.close(closed.code)
            await asyncio.wait([writing], timeout=5)
        except ConnectionError:
            pass
        finally:
            writing.cancel()
            if socket.timer:
                socket.timer.cancel()
            self._lose(socket)
        return ws

    async def _write(self, socket: Socket) -> None:
        with contextlib.suppress(ConnectionError):
            await socket.write()

    @property
    def _interval(self) -> float:
        """Real seconds between heartbeats; short enough to be compressed, long enough for a busy machine."""
        return max(self._core.clock.real(HEARTBEAT), self._core.clock.least_patience)

    def _expect(self, socket: Socket) -> None:
        """Close the connection unless a heartbeat comes in time."""
        if socket.timer:
            socket.timer.cancel()
        socket.timer = asyncio.get_running_loop().call_later(2.5 * self._interval, socket.close, 4009)

    def _lose(self, socket: Socket) -> None:
        self.sockets.discard(socket)
        session = socket.session
        if session and session.socket is socket:
            session.socket = None
            session.lost_at = self._core.clock.now()
            if socket.ws.close_code in ENDED and not socket.closing:
                self.sessions.pop(session.id, None)
        self._core.touch()

    def _take(self, socket: Socket, text: str | bytes) -> None:
        if socket.deaf and socket.mute:
            return
        try:
            frame = json.loads(text)
            op, data = int(frame["op"]), frame.get("d")
        except (ValueError, KeyError, TypeError):
            raise Closed(4002) from None
        now = self._core.clock.steady()
        socket.sends.append(now)
        while socket.sends[0] < now - max(60 / self._core.clock.speed, 1):
            socket.sends.popleft()
        if len(socket.sends) > SENDS:
            raise Closed(4008)
        if op == 1:
            self._expect(socket)
            socket.send({"op": 11, "s": None, "t": None, "d": None})
        elif op in (2, 6):
            try:
                (self._identify if op == 2 else self._resume)(socket, data)
            except InvalidSession:
                socket.send({"op": 9, "s": None, "t": None, "d": False})
        elif socket.session is None:
            raise Closed(4003)
        elif op == 8:
            self._send_members(socket.session, data)
        elif op not in (3, 4, 31, 43):
            raise Closed(4001)

    # -- beginning ------------------------------------------------------------------------------------------------

    def _app(self, token: object) -> App:
        found = next((a for a in self._core.world.apps.values() if a.token == token), None)
        if found is None:
            raise Closed(4004)
        return found

    def _identify(self, socket: Socket, data: Json) -> None:
        if socket.session:
            raise Closed(4005)
        app = self._app(data.get("token"))
        number, count = data.get("shard") or (0, 1)
        if not 0 <= number < count:
            raise Closed(4010)
        guilds = [g for g in self._core.world.guilds.values() if app.bot.id in g.members]
        mine = [g for g in guilds if _shard(g.id, count) == number]
        if len(mine) > GUILDS_PER_SHARD:
            raise Closed(4011)
        intents = data.get("intents")
        if not isinstance(intents, int) or intents & ~ALL_INTENTS:
            raise Closed(4013)
        if any(intents & bit and name not in app.intents for name, bit in PRIVILEGED.items()):
            raise Closed(4014)
        self._count(app, number)
        session = Session(token_hex(16), app.id, (number, count), intents, socket)
        self.sessions[session.id] = session
        socket.session = session
        session.dispatch("READY", self._ready(app, session, mine))
        session.told_ready = True
        for guild in mine:
            self._tell_guild(session, app, guild)
        self._core.touch()

    def _count(self, app: App, number: int) -> None:
        """Take one identify; too many at once are told so, too many in a day cost the token."""
        core, now = self._core, self._core.clock.now()
        self.identifies += 1
        if now > app.day + DAY:
            app.day, app.identifies_left = now, core.settings.identifies
        most = core.settings.max_concurrency
        begun = self._begun.setdefault((app.id, number % most), deque())
        while begun and begun[0] < now - IDENTIFY:
            begun.popleft()
        if begun and core.settings.rates:
            raise InvalidSession
        begun.append(now)
        if app.identifies_left <= 0:
            app.token = new_token(app.id)
            for session in self.of(app, connected=False):
                self.end(session, 4004)
            raise Closed(4004)
        app.identifies_left -= 1

    def _ready(self, app: App, session: Session, guilds: list[Guild]) -> Json:
        return {
            "v": 10,
            "user": user_json(app.bot) | {"verified": True, "mfa_enabled": True, "email": None, "flags": 0},
            "guilds": [{"id": g.id, "unavailable": True} for g in guilds],
            "session_id": session.id,
            "resume_gateway_url": self.url,
            "session_type": "normal",
            "shard": list(session.shard),
            "application": {"id": app.id, "flags": sum(INTENT_FLAGS[name] for name in app.intents)},
            "private_channels": [],
            "geo_ordered_rtc_regions": [],
        }

    def _resume(self, socket: Socket, data: Json) -> None:
        if socket.session:
            raise Closed(4005)
        app = self._app(data.get("token"))
        self._forget()
        session = self.sessions.get(str(data.get("session_id")))
        missed = session.missed(int(data.get("seq") or 0)) if session else None
        if session is None or missed is None or session.app_id != app.id:
            raise InvalidSession
        if session.socket and session.socket is not socket:
            session.socket.session = None
            session.socket.close(4000)
        self.resumes += 1
        session.resumes += 1
        session.socket, socket.session = socket, session
        for frame in missed:
            socket.send(frame)
        session.dispatch("RESUMED", {})
        self._core.touch()

    def _send_members(self, session: Session, data: Json) -> None:
        world = self._core.world
        guild = world.guilds.get(str(data.get("guild_id")))
        query, most = str(data.get("query") or ""), int(data.get("limit") or 0)
        wanted = data.get("user_ids")
        everybody = not wanted and not query
        if guild is None or (everybody and not session.intents & MEMBERS):
            return
        ids = {str(w) for w in (wanted if isinstance(wanted, list) else [wanted])} if wanted else None
        found = [
            m
            for m in guild.members.values()
            if (ids is None or m.user in ids) and world.users[m.user].name.startswith(query.lower())
        ]
        found = found[:most] if most else found
        chunks = [found[at : at + 1000] for at in range(0, len(found), 1000)] or [[]]
        for index, chunk in enumerate(chunks):
            body = {"guild_id": guild.id, "chunk_index": index, "chunk_count": len(chunks), "not_found": []}
            body["members"] = [member_json(world, m) for m in chunk]
            session.dispatch("GUILD_MEMBERS_CHUNK", body | {"nonce": data.get("nonce")})

    # -- ending ---------------------------------------------------------------------------------------------------

    def end(self, session: Session, code: int) -> None:
        """End a session for good."""
        self.sessions.pop(session.id, None)
        if session.socket:
            session.socket.close(code)

    def invalidate(self, session: Session, *, resumable: bool) -> None:
        """Tell a client that its session is no more, or that it may try to resume."""
        if session.socket:
            session.socket.send({"op": 9, "s": None, "t": None, "d": resumable})
        if not resumable:
            self.sessions.pop(session.id, None)

    async def close(self) -> None:
        """End all connections."""
        for socket in list(self.sockets):
            socket.cut()


class InvalidSession(Exception):
    """The client must identify again."""


def _shard(guild: str, count: int) -> int:
    return (int(guild) >> 22) % count if guild else 0
