"""A real HTTP server on this machine whose answers a test scripts: what sources are tested against."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True, slots=True)
class Received:
    """One request."""

    method: str
    path: str
    """Without the query."""
    query: Mapping[str, str]
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes


@dataclass(frozen=True, slots=True)
class Sent:
    """One answer."""

    body: bytes | str = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: int | None = None
    """Close the connection after so many bytes of the body."""


class LocalServer:
    """Answers every request with `answer`; keeps all it received."""

    def __init__(self, answer: Callable[[Received], Sent | None], *, tls: ssl.SSLContext | None = None) -> None:
        self.received: list[Received] = []
        self._scheme = "https" if tls else "http"
        self._answer = answer
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # head and body are two writes; the second would wait for an answer

            def do_GET(self) -> None:
                server._handle(self)

            do_POST = do_GET  # noqa: N815 - names of the standard library
            do_HEAD = do_GET  # noqa: N815
            do_PUT = do_GET  # noqa: N815
            do_DELETE = do_GET  # noqa: N815

            def log_message(self, *_: object) -> None:
                """Tests read `received`."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    @property
    def port(self) -> int:
        """Where it listens on 127.0.0.1."""
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        """Its address without a slash at the end."""
        return f"{self._scheme}://127.0.0.1:{self.port}"

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()

    def _handle(self, handler: BaseHTTPRequestHandler) -> None:
        sent = self._answer(self._read(handler))
        if sent is None:  # a reset: no answer at all
            handler.close_connection = True
            return
        self._send(handler, sent)

    def _read(self, handler: BaseHTTPRequestHandler) -> Received:
        parts = urlsplit(handler.path)
        received = Received(
            handler.command,
            parts.path,
            {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()},
            {name.lower(): value for name, value in handler.headers.items()},
            handler.rfile.read(int(handler.headers.get("content-length") or 0)),
        )
        self.received.append(received)
        return received

    @staticmethod
    def _send(handler: BaseHTTPRequestHandler, sent: Sent) -> None:
        body = sent.body.encode() if isinstance(sent.body, str) else sent.body
        handler.send_response_only(sent.status)
        usual = {"date": handler.date_time_string(), "content-length": str(len(body))}
        for name, value in (usual | {name.lower(): value for name, value in sent.headers.items()}).items():
            handler.send_header(name, value)
        handler.end_headers()
        if handler.command != "HEAD" and sent.status != 304:
            handler.wfile.write(body if sent.cut is None else body[: sent.cut])
        if sent.cut is not None:
            handler.close_connection = True


@contextmanager
def local_server(answer: Callable[[Received], Sent | None]) -> Iterator[LocalServer]:
    """A `LocalServer` that is closed at the end."""
    server = LocalServer(answer)
    try:
        yield server
    finally:
        server.close()
