"""Showing without listening: nobody tells of changes here, so Discord is asked about a server, again and again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import discord
import structlog

from citebot.conversing.known import Known
from citebot.errors import PluginError
from citebot_connectors.platforms.discord.calling import CLIENT, FAILURES, Body, Refused, Wire
from citebot_connectors.platforms.discord.forums import Forums
from citebot_connectors.platforms.discord.places import DIRECT
from citebot_connectors.platforms.discord.rooms import Hall

log = structlog.get_logger("citebot.discord")

FRESH = 30.0
"""Seconds for which a server counts as it was, where the process that listens tells of no change."""
LONGEST = 60.0


class Apart:
    """Logged in, and not connected to the gateway."""

    def __init__(self, hall: Hall, *, clock: Callable[[], float], fresh: float = FRESH) -> None:
        self._hall = hall
        self._wire: Wire = hall.wire
        self._guilds: Known[str, discord.Guild] = Known(clock, fresh=fresh)

    async def run(self, token: str, *, connected: asyncio.Event) -> None:
        """Until cancelled; raises `PluginError` for a token that is not known."""
        self._hall.outlet.shown = Forums(self._hall).shown
        pause = 1.0
        while True:
            async with discord.Client(intents=discord.Intents(guilds=True), **CLIENT) as client:
                try:
                    await client.login(token)
                except discord.LoginFailure as error:
                    reason = "Discord does not know the token: check platform.discord.bot_token."
                    raise PluginError(reason, plugin="discord") from error
                except FAILURES as error:
                    log.warning("not logged in to Discord", why=type(error).__name__)
                else:
                    self._wire.client, self._wire.apart = client, True
                    connected.set()
                    await asyncio.Event().wait()
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST)

    async def look(self, tenant: str) -> None:
        """Know a server as it is now. Raises `Retry`, and `CannotShow` where we are not in it any more."""
        if tenant != DIRECT:
            await self._guilds.fetch(tenant, lambda: self._read(tenant))

    def forget(self, tenant: str) -> None:
        """Something about a server has changed."""
        self._guilds.drop(tenant)

    async def _read(self, tenant: str) -> discord.Guild:
        """The server with all that the gateway would tell of it."""
        where = "/guilds/{guild_id}"
        paths = (where, f"{where}/channels", f"{where}/threads/active", f"{where}/members/{{user_id}}")
        state = self._wire.at._connection
        ids: Body = {"guild_id": int(tenant), "user_id": state.self_id}
        calls = (self._wire.call("GET", path, **ids) for path in paths)
        try:
            guild, channels, threads, member = await asyncio.gather(*calls)
        except Refused:
            if (gone := state._get_guild(int(tenant))) is not None:
                state._remove_guild(gone)
            raise
        finally:
            self._hall.room(tenant).people.forget_places()
        parts = {"channels": channels, "threads": threads["threads"], "members": [member]}
        return state._add_guild_from_data(guild | parts)
