"""The connection by Socket Mode, and who watches over it: a socket can be deaf while it looks alive."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import structlog
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.app.async_app import AsyncApp
from slack_sdk.errors import SlackApiError

from citebot.errors import CitebotError, PluginError, Retry
from citebot_connectors.platforms.slack.calling import LATER, Refused, Web

log = structlog.get_logger("citebot.slack")

LOOKS = 3
"""So often nothing must have come in: Slack opens no new socket for a process that asks again and again."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How often the connection is looked at, in seconds."""

    ping: float = 5.0
    keepalive: float = 60.0
    patience: float = 10.0
    """For one attempt to connect."""

    @property
    def stale(self) -> float:
        """The age of the last answer to a ping after which the socket counts as deaf."""
        return LOOKS * self.ping


class Link:
    """One supervised socket. `missed` is told from when on something may not have come in."""

    def __init__(
        self,
        app: AsyncApp,
        web: Web,
        app_token: str,
        pace: Pace,
        *,
        missed: Callable[[float], None] = lambda since: None,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._app = app
        self._web = web
        self._app_token = app_token
        self._pace = pace
        self._missed = missed
        self._wall = wall
        self.heard = 0.0
        """The last sign of life on the socket, by the wall clock."""
        self._quiet = 0
        """Looks in a row without a sign of life; few after a time in which we stood still ourselves."""
        self._session: object = None
        self._handler: AsyncSocketModeHandler | None = None
        self.connected = asyncio.Event()
        self.trouble = "not connected to Slack yet"
        """Why questions do not come in; empty while they do."""

    async def run(self) -> None:
        """Keep connected until cancelled; raises `PluginError` for a token that Slack does not take."""
        try:
            while True:
                try:
                    await self._connect()
                    await self._watch()
                except Retry as error:
                    self._fail(str(error))
                    await asyncio.sleep(self._pace.ping)
                await self._disconnect()
        finally:
            self.connected.clear()
            self.trouble = "not connected to Slack any more"
            await self._disconnect()

    async def _connect(self) -> None:
        try:
            await self._web.write("auth.test")
        except Refused as error:
            # A token that was good at the start; whoever mends it need not start us again.
            raise Retry(str(error)) from error
        address = await self._address()
        handler = AsyncSocketModeHandler(
            self._app, self._app_token, web_client=self._web.client, ping_interval=self._pace.ping
        )
        self._handler = handler
        handler.client.wss_uri = address
        await handler.client.aiohttp_client_session.close()
        handler.client.aiohttp_client_session = self._web.names.session(timeout=self._pace.patience)
        try:
            async with asyncio.timeout(self._pace.patience):
                await handler.client.connect()  # type: ignore[no-untyped-call]
        except TimeoutError as error:
            raise Retry("Slack does not answer on the socket.") from error
        self._session = handler.client.current_session
        self._note(self._wall(), patience=0.0)
        self.trouble = ""
        self.connected.set()
        log.info("connected to Slack")

    async def _address(self) -> str:
        try:
            async with self._web.calling() as client:
                response = await client.apps_connections_open(app_token=self._app_token)
        except SlackApiError as error:
            code = str(error.response.get("error") or "") if error.response is not None else ""
            if not code or code in LATER or code == "ratelimited":
                raise Retry(f"Slack opens no socket now: {code or 'no answer'}.") from error
            raise PluginError(
                f"Slack opens no socket ({code}): check platform.slack.app_token, its scope connections:write, and "
                "that Socket Mode is on.",
                plugin="slack",
            ) from error
        except Exception as error:  # whatever the network does, we try again
            raise Retry(f"Slack cannot be reached: {type(error).__name__}.") from error
        return str(response["url"])

    async def _watch(self) -> None:
        """Return when a new socket is needed."""
        alive = asyncio.create_task(self._keep_alive())
        try:
            while True:
                await asyncio.wait({alive}, timeout=self._pace.ping)
                self._listen()
                if reason := self._deaf() or (alive.result() if alive.done() else ""):
                    self._fail(reason)
                    return
        finally:
            alive.cancel()

    def _listen(self) -> None:
        assert self._handler is not None, "watched only when connected"
        client = self._handler.client
        if client.last_ping_pong_time is None:
            self._quiet += 1
            return
        # The client opens a new socket by itself: when Slack asks for it, without a gap, or after a silence.
        renewed = client.current_session is not self._session
        self._session = client.current_session
        self._note(client.last_ping_pong_time, patience=self._pace.ping if renewed else self._pace.stale)

    def _note(self, sign: float, *, patience: float) -> None:
        if self.heard and sign - self.heard > patience:
            self._missed(self.heard)
        self._quiet = 0 if sign > self.heard else self._quiet + 1
        self.heard = max(self.heard, sign)

    def _deaf(self) -> str:
        silence = self._wall() - self.heard
        deaf = silence > self._pace.stale and self._quiet >= LOOKS
        return f"no answer on Slack's socket for {silence:.0f} seconds" if deaf else ""

    async def _keep_alive(self) -> str:
        """Ask Slack something now and then; the reason why that failed twice."""
        failed = 0
        while True:
            await asyncio.sleep(self._pace.keepalive if not failed else self._pace.ping)
            try:
                await self._web.write("auth.test")
                failed = 0
            except CitebotError as error:
                failed += 1
                if failed > 1:
                    return str(error)

    def _fail(self, reason: str) -> None:
        self.connected.clear()
        if reason != self.trouble:
            log.warning("no connection to Slack", why=reason)
        self.trouble = reason

    async def _disconnect(self) -> None:
        handler, self._handler = self._handler, None
        if handler is None:
            return
        client = handler.client
        try:
            with suppress(Exception):
                async with asyncio.timeout(self._pace.patience):
                    await client.close()  # type: ignore[no-untyped-call]
            tasks = [client.message_processor, client.current_session_monitor, client.message_receiver]
            ending = [task for task in tasks if task is not None]
            for task in ending:
                task.cancel()
            await asyncio.gather(*ending, return_exceptions=True)
        finally:  # also when we are cancelled meanwhile: nobody else knows of it any more
            await client.aiohttp_client_session.close()
