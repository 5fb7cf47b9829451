"""Servers that the app was put out of: what is kept of them goes, also when that happened while we were away."""

from __future__ import annotations

import discord
import structlog

from citebot.errors import CitebotError
from citebot_connectors.platforms.discord.rooms import Hall

log = structlog.get_logger("citebot.discord")


class Departures:
    """Knows which servers we are in."""

    def __init__(self, hall: Hall) -> None:
        self._hall = hall

    async def settle(self, client: discord.Client) -> None:
        """Compare with what was known; of another app nothing is."""
        try:
            prefix = _prefix(client)
            known = {name.removeprefix(prefix) for name in await self._hall.marks.names(prefix)}
            here = {str(guild.id) for guild in client.guilds}
            for guild in here - known:
                await self._hall.marks.put(f"{prefix}{guild}", "")
            for guild in known - here:
                await self.left(client, guild)
        except CitebotError as error:
            log.warning("servers not noted", why=str(error))

    async def joined(self, client: discord.Client, guild: discord.Guild) -> None:
        """One more."""
        try:
            await self._hall.marks.put(f"{_prefix(client)}{guild.id}", "")
        except CitebotError as error:
            log.warning("server not noted", why=str(error))

    async def left(self, client: discord.Client, guild: str) -> None:
        """One less: its settings, questions and answers go, and then the note that it was there."""
        await self._hall.close(guild)
        try:
            forgotten = await self._hall.desk.forget_tenant(guild)
            await self._hall.marks.delete(f"heard-{guild}")
            await self._hall.marks.delete(f"{_prefix(client)}{guild}")
        except CitebotError as error:
            log.warning("not forgotten yet, it is tried again at the next start", guild=guild, why=str(error))
            return
        log.warning("the app was removed from a server; what was kept of it is gone", guild=guild, rows=forgotten)


def _prefix(client: discord.Client) -> str:
    return f"guild-{client.application_id}-"
