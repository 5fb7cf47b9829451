"""A web application on a port of its own, inside the running event loop."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

from citebot.errors import CitebotError

GRACE_SECONDS = 1


async def serve_app(app: ASGIApp, host: str, port: int, *, announce: Callable[[str], None], what: str) -> None:
    """Serve until cancelled; `announce` gets the address. `what` is the section whose host and port these are."""
    name = host.strip("[]")
    listening = _listen(name, port, what)
    port = listening.getsockname()[1]
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
    )
    server = _Server(config)
    running = asyncio.create_task(server.serve(sockets=[listening]), name=f"{what} server")
    try:
        announce(f"http://{f'[{name}]' if ':' in name else name}:{port}")
        await asyncio.shield(running)
    finally:
        server.should_exit = True
        await running
        listening.close()


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture nothing: whoever started us decides when to stop."""
        yield


def _listen(host: str, port: int, what: str) -> socket.socket:
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address[:2], family=family)
    except OSError as error:
        raise CitebotError(
            f"Cannot listen on {host}:{port} for {what}: {error.strerror}. Change {what}.host or {what}.port."
        ) from error
