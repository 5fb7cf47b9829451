"""Listening: a free port, and uvicorn inside the running event loop."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from collections.abc import AsyncIterator, Callable, Iterator

import uvicorn
from starlette.types import ASGIApp

from citebot.errors import CitebotError

GRACE_SECONDS = 3


class Server(uvicorn.Server):
    """A uvicorn server that leaves the signals of the process alone."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture nothing: whoever started us decides when to stop."""
        yield


def listen(host: str, port: int, tries: int) -> socket.socket:
    """A listening socket on `port` or the next free one above it."""
    name = host.strip("[]")
    last = 0 if port == 0 else min(port + tries - 1, 65535)
    for candidate in range(port, last + 1):
        try:
            return _bound(name, candidate)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise CitebotError(_why(error, host, candidate)) from error
    raise CitebotError(
        f"The ports {port} to {last} on {host} are all taken. Stop another server, or choose one with --port."
    )


def address_of(listening: socket.socket, host: str) -> str:
    """The address to open in a browser."""
    name = host.strip("[]")
    if name in ("0.0.0.0", "::"):  # noqa: S104 - shown to people, not listened on
        name = socket.gethostname()
    return f"http://{f'[{name}]' if ':' in name else name}:{listening.getsockname()[1]}"


@contextlib.asynccontextmanager
async def serving(
    app: ASGIApp, listening: socket.socket, *, release: Callable[[], None]
) -> AsyncIterator[asyncio.Task[None]]:
    """Serve until the block is left; `release` lets open streams go first."""
    config = uvicorn.Config(
        app,
        http="h11",
        ws="none",
        lifespan="off",
        loop="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
        timeout_keep_alive=30,
        h11_max_incomplete_event_size=32 * 1024,
    )
    server = Server(config)
    task = asyncio.create_task(server.serve(sockets=[listening]), name="console web server")
    try:
        yield task
    finally:
        server.should_exit = True
        release()
        await task


def _bound(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listening = socket.socket(family, kind, protocol)
    try:
        if socket.has_dualstack_ipv6() and family == socket.AF_INET6:
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(256)
        listening.setblocking(False)
    except OSError:
        listening.close()
        raise
    return listening


def _why(error: OSError, host: str, port: int) -> str:
    if isinstance(error, socket.gaierror):
        return f"There is no address called {host}. Set platform.console.host to one of this machine."
    if error.errno == errno.EACCES:
        return f"Port {port} needs special rights. Choose one above 1023 with --port."
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{host} is not an address of this machine. Set platform.console.host to one that is."
    return f"Cannot listen on {host}:{port}: {error.strerror}."
