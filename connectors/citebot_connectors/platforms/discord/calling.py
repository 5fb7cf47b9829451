"""Calls of Discord's REST API: one place for errors and pace. discord.py keeps the buckets; we try nothing again.

Calls go through the client's own `http.request`, with bodies that we make: so each carries the nonce, the flags and the
empty `allowed_mentions`, also those for which discord.py has no method after a restart.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import aiohttp
import discord
from discord.http import Route

from citebot.conversing.known import Lately
from citebot.errors import CannotShow, CitebotError, Retry

Body = dict[str, Any]
TIMEOUT = 60.0
"""Seconds for one call, with the time it waits for its bucket."""
FAILURES = (discord.DiscordException, aiohttp.ClientError, TimeoutError, OSError, RuntimeError)
"""What discord.py raises when a call fails; a RuntimeError for a session that was closed meanwhile."""
EDIT_GAP = 1.2
"""Seconds between two edits of one message."""
BANNED_AFTER = 60.0
KEPT = 10_000
CLIENT: dict[str, Any] = {
    "max_messages": None,
    "member_cache_flags": discord.MemberCacheFlags.none(),
    "chunk_guilds_at_startup": False,
    "allowed_mentions": discord.AllowedMentions.none(),
    "max_ratelimit_timeout": 30.0,  # seconds for which a call waits for its bucket; longer waits are ours
}
"""How every client is made."""
EPHEMERAL, SUPPRESS_EMBEDS, COMPONENTS = 1 << 6, 1 << 2, 1 << 15
UNKNOWN_WEBHOOK, UNKNOWN_MESSAGE, BAD_TOKEN, ARCHIVED = 10015, 10008, 50027, 50083
UNKNOWN_INTERACTION, ACKNOWLEDGED = 10062, 40060
EXPIRED = frozenset({UNKNOWN_WEBHOOK, UNKNOWN_INTERACTION, BAD_TOKEN})
MEANT = {
    10003: "The channel is gone.",
    10004: "The server is gone, or the app was put out of it.",
    10008: "The message is gone.",
    40333: "Discord does not let this address in for now.",
    50001: "The app cannot see the channel: let it view it.",
    50007: "They take no direct messages from the app.",
    50013: "The app may not do that there: give it the rights that `citebot discord invite` names.",
    50083: "The thread is archived or locked.",
    160002: "The app may not answer there: let it read the message history.",
}


class Refused(CannotShow):
    """Discord said no; `code` is its own word for why."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class Unsure(Retry):
    """The call got no answer: whether Discord did what was asked is not known."""


class Wire:
    """The REST API, under whichever client is connected now. Raises `Retry` (`Unsure`) and `Refused`."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic, edit_gap: float = EDIT_GAP) -> None:
        self._clock = clock
        self._edit_gap = edit_gap
        self._edited: Lately[str, float] = Lately(KEPT)
        self.client: discord.Client | None = None
        self.apart = False
        """The client is only logged in: another process listens."""
        self.calls = 0
        self.limited = 0
        """Those that Discord wanted later."""
        self.waited = 0.0
        """Seconds that calls have taken in all; most of a slow one is the wait for its bucket."""

    @property
    def at(self) -> discord.Client:
        """The client that is connected; raises `Retry` while there is none."""
        if self.client is None or self.client.is_closed() or not (self.apart or self.client.is_ready()):
            raise Retry("Discord is not connected.", after=1.0)
        return self.client

    async def call(self, method: str, path: str, *, body: Body | None = None, **ids: Any) -> Any:
        """One call; `ids` are those in the path, by discord.py's names."""
        http = self.at.http
        kept: Any = {} if body is None else {"json": body}
        began = self._clock()
        try:
            async with asyncio.timeout(TIMEOUT):
                return await http.request(Route(method, path, **ids), **kept)
        except FAILURES as error:
            raise self.translated(error) from error
        finally:
            self.calls += 1
            self.waited += self._clock() - began

    def translated(self, error: Exception) -> CitebotError:
        """What a failure of discord.py's means to us."""
        if isinstance(error, discord.RateLimited):
            self.limited += 1
            return Retry("Discord wants fewer calls.", after=error.retry_after)
        if not isinstance(error, discord.HTTPException):
            return Unsure(f"Discord did not answer: {type(error).__name__}.")
        if error.status == 429:  # without `Via`, which discord.py takes for a ban, or again and again
            self.limited += 1
            return Retry("Discord wants fewer calls.", after=_after(error))
        if error.status >= 500:
            return Unsure(f"Discord could not do it: {error.status}.")
        said = MEANT.get(error.code, f"Discord refused it: {error.code} {error.text[:200]}")
        return Refused(error.code, said)

    async def send(self, channel: str, body: Body, *, nonce: str) -> str:
        """A new message; a second one with its nonce within minutes is the first."""
        once = {"nonce": nonce, "enforce_nonce": True}
        made = await self.call("POST", "/channels/{channel_id}/messages", channel_id=channel, body=body | once)
        return str(made["id"])

    async def edit(self, channel: str, message: str, body: Body) -> None:
        """Make a message show something else."""
        await self.take_turn(message)
        where: Body = {"channel_id": channel, "message_id": message}
        await self.call("PATCH", "/channels/{channel_id}/messages/{message_id}", body=body, **where)

    async def delete(self, channel: str, message: str) -> None:
        """Take a message back; one that is gone is fine."""
        try:
            where: Body = {"channel_id": channel, "message_id": message}
            await self.call("DELETE", "/channels/{channel_id}/messages/{message_id}", **where)
        except Refused as error:
            if error.code != UNKNOWN_MESSAGE:
                raise

    async def direct(self, account: str) -> str:
        """The id of the direct message with somebody."""
        return str((await self.call("POST", "/users/@me/channels", body={"recipient_id": account}))["id"])

    async def hook(self, method: str, token: str, message: str = "", body: Body | None = None) -> Body:
        """A message by the token of an interaction: a new one, or one that is there (`@original` is its first)."""
        ids: Body = {"webhook_id": self.at.application_id, "webhook_token": token}
        if not message:
            return dict(await self.call(method, "/webhooks/{webhook_id}/{webhook_token}?wait=true", body=body, **ids))
        path = "/webhooks/{webhook_id}/{webhook_token}/messages/{message_id}"
        return dict(await self.call(method, path, body=body, message_id=message, **ids) or {})

    async def take_turn(self, message: str) -> None:
        """Wait until a message may be edited again."""
        now = self._clock()
        turn = max(now, self._edited.get(message, float("-inf")) + self._edit_gap)
        self._edited[message] = turn
        if turn > now:
            await asyncio.sleep(turn - now)


def _after(error: discord.HTTPException) -> float:
    try:
        return float(error.response.headers.get("Retry-After", BANNED_AFTER))
    except (TypeError, ValueError):
        return BANNED_AFTER
