"""A web server on this machine."""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp import web


class Site:
    """Listens on 127.0.0.1; port 0 is any that is free."""

    def __init__(self, routes: list[web.RouteDef], *, port: int) -> None:
        self._app = web.Application(client_max_size=20 * 1024 * 1024)
        self._app.add_routes(routes)
        self._runner = web.AppRunner(self._app, access_log=None, shutdown_timeout=1.0)
        self._port = port

    async def start(self) -> str:
        """Listen; the address without a slash at the end."""
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port)
        await site.start()
        addresses: list[Any] = self._runner.addresses
        return f"http://127.0.0.1:{addresses[0][1]}"

    async def stop(self) -> None:
        """Stop listening."""
        await self._runner.cleanup()
        await asyncio.sleep(0)


def cut(request: web.Request) -> web.Response:
    """End a connection without an answer."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
