"""Calls of Slack's Web API: one place for time limits, errors and pace. Nothing is tried again here."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web.async_client import AsyncWebClient

from citebot.conversing.pacing import Lane
from citebot.errors import CannotShow, CitebotError, Retry
from citebot_connectors.platforms.slack.names import Names

Body = dict[str, Any]
TIMEOUT = 10
POST_GAP = 1.0
"""Seconds between two messages in one channel; Slack lets about one a second through."""
GAPS_KEPT = 1_000

LATER = frozenset({"internal_error", "fatal_error", "service_unavailable", "request_timeout", "team_added_to_org"})
MISSING = {
    "channel_not_found": "The channel is gone, or the Slack app is not in it: /invite it.",
    "not_in_channel": "The Slack app is not in the channel: /invite it.",
    "is_archived": "The channel is archived.",
    "account_inactive": "The Slack app was removed from the workspace: install it again.",
    "token_revoked": "The bot token was revoked: install the Slack app again and set platform.slack.bot_token.",
    "token_expired": "The bot token has expired: set platform.slack.bot_token again.",
    "invalid_auth": "Slack does not know the bot token: check platform.slack.bot_token.",
    "not_authed": "Slack got no token: set platform.slack.bot_token.",
    "thread_not_found": "The message that was to be answered is gone.",
    "message_not_found": "The message is gone.",
    "restricted_action": "The workspace does not let the Slack app post there.",
}


class Refused(CannotShow):
    """Slack said no; `code` is its own word for why."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Unsure(Retry):
    """The call got no answer: whether Slack did what was asked is not known."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who we are in the workspace."""

    team: str
    user: str
    bot: str


class Web:
    """The Web API under one bot token. Raises `Retry` (`Unsure`) and `Refused`.

    What Slack wants fewer calls of is not called before the time it named: who waits does not come all at once.
    """

    def __init__(self, token: str, base_url: str, *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self._token = token
        self.base_url = base_url
        self._sleep = sleep
        self.names = Names()
        self._client: AsyncWebClient | None = None
        self._calls = 0
        self._closed = False
        self._identity: Identity | None = None
        self._next: dict[str, float] = {}
        self._lanes: dict[tuple[str, str], Lane] = {}

    @property
    def client(self) -> AsyncWebClient:
        """Slack's own client, on one connection pool; it tries nothing again by itself."""
        if self._client is None or self._client.session is None or self._client.session.closed:
            session = self.names.session(timeout=TIMEOUT)
            self._client = AsyncWebClient(
                token=self._token or None, base_url=self.base_url, timeout=TIMEOUT, session=session, retry_handlers=[]
            )
        return self._client

    def use(self, token: str) -> None:
        """Go on with another token of the same bot."""
        self._token = token
        if self._client is not None:
            self._client.token = token

    async def close(self) -> None:
        """End the connections; a call that comes later, such as of an answer that is still sent, ends its own."""
        self._closed = True
        await self._disconnect()

    async def _disconnect(self) -> None:
        # Put aside first: a call that begins while these end must not get them.
        client, self._client = self._client, None
        names, self.names = self.names, Names()
        if client is not None and client.session is not None:
            await client.session.close()
        await names.close()

    @asynccontextmanager
    async def calling(self) -> AsyncIterator[AsyncWebClient]:
        """The client for one call; the last call after `close` ends the connections."""
        self._calls += 1
        try:
            yield self.client
        finally:
            self._calls -= 1
            if self._closed and not self._calls:
                await self._disconnect()

    async def identity(self) -> Identity:
        """Who the token is, asked once."""
        if self._identity is None:
            found = await self.write("auth.test")
            self._identity = Identity(found["team_id"], found["user_id"], found.get("bot_id", ""))
        return self._identity

    def spare(self, method: str) -> bool:
        """Whether Slack lets us call a method that we can do without, of which it may have wanted fewer calls."""
        return self._lane(method).spare()

    async def read(self, method: str, **arguments: Any) -> Body:
        """A method that changes nothing; these do not take JSON."""
        params = {name: _plain(value) for name, value in arguments.items() if value is not None}
        return await self._call(method, http_verb="GET", params=params)

    async def write(self, method: str, **arguments: Any) -> Body:
        """A method that changes something."""
        return await self._call(method, json={name: value for name, value in arguments.items() if value is not None})

    async def form(self, method: str, **arguments: str) -> Body:
        """A method that takes a form: what is secret in it stands in no address."""
        return await self._call(method, data=arguments)

    async def post(self, method: str, *, channel: str, **arguments: Any) -> Body:
        """A method that makes a new message: in turn, and not faster than the channel bears."""
        await self._take_turn(channel)
        return await self.write(method, channel=channel, **arguments)

    async def _take_turn(self, channel: str) -> None:
        now = asyncio.get_running_loop().time()
        turn = max(now, self._next.pop(channel, 0.0))
        self._next[channel] = turn + POST_GAP
        while len(self._next) > GAPS_KEPT:
            self._next.pop(next(iter(self._next)))
        if turn > now:
            await self._sleep(turn - now)

    async def _call(self, method: str, **how: Any) -> Body:
        # A limit of posts may be the channel's; any other is that of the method.
        what = (method, str(how["json"].get("channel")) if method == "chat.postMessage" else "")
        lane = self._lane(*what)
        async with lane.turn:
            if left := lane.left:
                raise Retry(f"Slack wants fewer calls of {method}.", after=left)
            try:
                async with self.calling() as client:
                    response = await client.api_call(method, **how)
            except SlackApiError as error:
                refusal = translated(method, error)
                if isinstance(refusal, Retry) and refusal.after:
                    lane.refused(refusal.after)
                raise refusal from error
            except (aiohttp.ClientError, TimeoutError, OSError, SlackClientError) as error:
                raise Unsure(f"Slack did not answer {method}: {type(error).__name__}.") from error
        return dict(response.data) if isinstance(response.data, dict) else {}

    def _lane(self, method: str, channel: str = "") -> Lane:
        lane = self._lanes.get((method, channel))
        if lane is None:
            if len(self._lanes) >= GAPS_KEPT:
                self._lanes = {key: lane for key, lane in self._lanes.items() if not lane.idle}
            lane = self._lanes[method, channel] = Lane(asyncio.get_running_loop().time)
        return lane


def translated(method: str, error: SlackApiError) -> CitebotError:
    """What a refusal of Slack's means to us."""
    response = error.response
    status = int(getattr(response, "status_code", 0) or 0)
    data = response if isinstance(response, dict) else getattr(response, "data", None)
    body: Body = data if isinstance(data, dict) else {}
    code = str(body.get("error") or "")
    if status == 429 or code in ("ratelimited", "rate_limited"):
        headers = {str(k).lower(): v for k, v in (getattr(response, "headers", None) or {}).items()}
        return Retry(f"Slack wants fewer calls of {method}.", after=float(headers.get("retry-after", 1)))
    if status >= 500 or code in LATER or not code:
        return Unsure(f"Slack could not do {method}: {code or status}.")
    if code == "missing_scope":
        scope = body.get("needed", "?")
        return Refused(code, f"The Slack app lacks the scope {scope}, needed for {method}: add it and install again.")
    return Refused(code, MISSING.get(code, f"Slack refused {method}: {code}{_detail(body)}."))


def _detail(body: Body) -> str:
    messages = (body.get("response_metadata") or {}).get("messages") or []
    return f" ({messages[0]})" if messages else ""


def _plain(value: Any) -> Any:
    return int(value) if isinstance(value, bool) else value
