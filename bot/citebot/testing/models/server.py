"""What the fakes of all providers share: a real HTTP server that streams, and the faults that a test arranges."""

from __future__ import annotations

import select
import socket
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler
from types import TracebackType
from typing import Self

from citebot.testing.local_server import LocalServer, Received, Sent
from citebot.testing.models.faults import Fault, Faults

_LOOK = 0.02  # seconds between two looks whether a client that is kept waiting has left


@dataclass(frozen=True, slots=True)
class Streamed:
    """One answer that comes in pieces."""

    events: Iterable[bytes]
    """As they stand on the wire."""
    text_at: int = 1
    """Which of them, from 0, has the first piece of text."""
    headers: Mapping[str, str] = field(default_factory=lambda: {"content-type": "text/event-stream"})


class Rate:
    """So many requests in so many seconds."""

    def __init__(self, calls: int, *, seconds: float = 60.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._calls, self._seconds, self._clock = calls, seconds, clock
        self._made: list[float] = []
        self._turn = threading.Lock()

    def wait(self) -> float:
        """Seconds until there is room again; 0 where there was room, which is then taken."""
        with self._turn:
            now = self._clock()
            self._made = [at for at in self._made if at > now - self._seconds]
            if len(self._made) >= self._calls:
                return self._made[0] + self._seconds - now
            self._made.append(now)
            return 0.0


class ModelServer(LocalServer, ABC):
    """A provider on 127.0.0.1: `with FakeProvider() as server`, then `server.url`.

    A provider says how it answers and how it refuses; faults that a test adds to `faults` come before either.
    """

    def __init__(self) -> None:
        self.faults = Faults()
        self.pace = 0.0
        """Seconds before each event of a stream."""
        self.left = 0
        """Clients that hung up before they had all."""
        self.connections: set[int] = set()
        """The clients' ports: one for each connection."""
        self._closing = threading.Event()
        super().__init__(lambda _: None)  # `_handle` answers

    @abstractmethod
    def answer(self, received: Received) -> Sent | Streamed:
        """What the provider says to a request."""

    @abstractmethod
    def refuse(self, fault: Fault) -> Sent:
        """The provider's own error for `fault.status` and `fault.code`, without its `retry_after`."""

    def close(self) -> None:
        """Stop listening, and let go of who is kept waiting."""
        self._closing.set()
        super().close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _handle(self, handler: BaseHTTPRequestHandler) -> None:
        received = self._read(handler)
        self.connections.add(int(handler.client_address[1]))
        fault = self.faults.take(received.path) or Fault()
        try:
            if fault.stall == "headers":
                self._wait(handler, fault.seconds)
            answer = self._refused(fault) if fault.status else self.answer(received)
            if isinstance(answer, Streamed):
                self._stream(handler, answer, fault)
            else:
                self._send(handler, _spoilt(answer, fault))
        except ConnectionError:
            self.left += 1
            handler.close_connection = True

    def _refused(self, fault: Fault) -> Sent:
        refused = self.refuse(fault)
        if not fault.retry_after:
            return refused
        return replace(refused, headers={**refused.headers, "retry-after": fault.retry_after})

    def _stream(self, handler: BaseHTTPRequestHandler, answer: Streamed, fault: Fault) -> None:
        handler.send_response_only(200)
        for name, value in {**answer.headers, "transfer-encoding": "chunked"}.items():
            handler.send_header(name, value)
        handler.end_headers()
        spoilt = fault.cut_after if fault.cut_after is not None else answer.text_at
        for number, event in enumerate(answer.events):
            if number == 0 and fault.stall == "first_event":
                self._wait(handler, fault.seconds)
            if number == answer.text_at + 1 and fault.stall == "mid_stream":
                self._wait(handler, fault.seconds)
            if self.pace:
                self._wait(handler, self.pace)
            if number == spoilt and fault.malformed:
                _write(handler, fault.malformed)
            elif number != fault.cut_after:
                _write(handler, event)
            if number == fault.cut_after:
                handler.close_connection = True  # without the last chunk: the client knows that there was more
                return
        handler.wfile.write(b"0\r\n\r\n")

    def _wait(self, handler: BaseHTTPRequestHandler, seconds: float) -> None:
        """Do nothing so long (0: for good), unless the client hangs up or the server is closed."""
        until = time.monotonic() + seconds
        while not seconds or time.monotonic() < until:
            look = min(_LOOK, until - time.monotonic()) if seconds else _LOOK
            if self._closing.wait(max(look, 0.0)) or _gone(handler.connection):
                raise ConnectionAbortedError


def _gone(connection: socket.socket) -> bool:
    readable, _, _ = select.select([connection], [], [], 0)
    return bool(readable) and connection.recv(1, socket.MSG_PEEK) == b""


def _write(handler: BaseHTTPRequestHandler, data: bytes) -> None:
    handler.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))


def _spoilt(sent: Sent, fault: Fault) -> Sent:
    body = sent.body.encode() if isinstance(sent.body, str) else sent.body
    if fault.malformed:
        body = fault.malformed
    return replace(sent, body=body, cut=len(body) // 2 if fault.cut_after is not None else sent.cut)
