"""Sessions of the gateway: what a client has been sent, so that it can go on where its connection broke."""

from __future__ import annotations

import asyncio
import json
import zlib
from collections import deque
from dataclasses import dataclass, field

from aiohttp import web

from citebot.testing.discord.state import Json

KEPT = 10_000
"""Events that a session remembers for a RESUME."""


@dataclass(eq=False)
class Socket:
    """One connection; a deaf one stays open while nothing comes through any more."""

    ws: web.WebSocketResponse
    request: web.Request
    packed: bool
    """Whether the client asked for `zlib-stream`."""
    timer: asyncio.TimerHandle | None = None
    """Closes it when no heartbeat comes."""
    session: Session | None = None
    deaf: bool = False
    """Nothing is sent on it, and nothing that comes is heeded."""
    closing: bool = False
    """We close it, so that the client's code says nothing."""
    mute: bool = False
    """Heartbeats are not answered."""
    sends: deque[float] = field(default_factory=deque)
    """When the client sent something, for its limit of 120 a minute."""
    _frames: asyncio.Queue[Json | int] = field(default_factory=asyncio.Queue)
    _packer: zlib._Compress = field(default_factory=zlib.compressobj)

    def send(self, frame: Json) -> None:
        """Send a frame after all that were given before."""
        self._frames.put_nowait(frame)

    def close(self, code: int) -> None:
        """Close after all frames that were given before."""
        self.closing = True
        self._frames.put_nowait(code)

    def deafen(self, *, heartbeats: bool) -> None:
        """Let nothing pass; without `heartbeats` what comes is not even read, so that no farewell is answered."""
        self.deaf, self.mute = True, not heartbeats
        if self.mute and isinstance(self.request.transport, asyncio.ReadTransport):
            self.request.transport.pause_reading()

    def cut(self) -> None:
        """End the connection without a word."""
        if self.request.transport is not None:
            self.request.transport.abort()

    async def write(self) -> None:
        """Send frames until there is a code to close with."""
        while True:
            frame = await self._frames.get()
            if isinstance(frame, int):
                await self.ws.close(code=frame)
                return
            if self.deaf and (self.mute or frame["op"] != 11):
                continue
            text = json.dumps(frame, separators=(",", ":"))
            if self.packed:
                await self.ws.send_bytes(self._packer.compress(text.encode()) + self._packer.flush(zlib.Z_SYNC_FLUSH))
            else:
                await self.ws.send_str(text)


@dataclass(eq=False)
class Session:
    """What began with an IDENTIFY and lives as long as it can be resumed."""

    id: str
    app_id: str
    shard: tuple[int, int]
    intents: int
    socket: Socket | None
    seq: int = 0
    resumes: int = 0
    lost_at: float = 0.0
    """When its socket broke, by the clock's `now`."""
    told_ready: bool = False
    sent: deque[tuple[int, Json]] = field(default_factory=lambda: deque(maxlen=KEPT))

    def dispatch(self, name: str, body: object) -> None:
        """Send an event, or keep it for a RESUME."""
        self.seq += 1
        frame: Json = {"op": 0, "t": name, "s": self.seq, "d": body}
        self.sent.append((self.seq, frame))
        if self.socket:
            self.socket.send(frame)

    def missed(self, seq: int) -> list[Json] | None:
        """The events after one; None when they are not all remembered."""
        if seq > self.seq or (self.sent and seq < self.sent[0][0] - 1):
            return None
        return [frame for number, frame in self.sent if number > seq]
