"""What can be read back after an outage: `citebot.conversing.catching_up.Archive`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import discord
from discord.utils import time_snowflake

from citebot.conversing.chat import Said
from citebot.errors import CannotShow
from citebot.ports import Vault
from citebot_connectors.platforms.discord.calling import Wire
from citebot_connectors.platforms.discord.people import Guildish, age_restricted
from citebot_connectors.platforms.discord.places import DIRECT
from citebot_connectors.platforms.discord.reading import Threads, said_of

if TYPE_CHECKING:
    from citebot_connectors.platforms.discord.rooms import Room

PAGE = 100
KNOWN = "direct-"
"""In the vault: Discord does not list the direct messages of a bot."""


class History:
    """One server, or all direct messages."""

    def __init__(self, room: Room, wire: Wire, threads: Threads, known: Vault) -> None:
        self._room = room
        self._wire = wire
        self._threads = threads
        self._known = known

    @property
    def kinds(self) -> Sequence[str]:
        return (DIRECT,) if self._room.tenant == DIRECT else ("channel", "thread")

    async def places(self, kind: str, cursor: str) -> tuple[Sequence[str], str]:
        if kind == DIRECT:
            return [name.removeprefix(KNOWN) for name in await self._known.names(KNOWN)], ""
        guild = self._wire.at.get_guild(int(self._room.tenant))
        if guild is None:
            raise CannotShow("The app is not in this server any more.")
        found: list[Guildish] = [*(guild.threads if kind == "thread" else guild.text_channels)]
        return [str(one.id) for one in found if _readable(one, guild.me)], ""

    async def said(self, channel: str, kind: str, *, since: float, cursor: str) -> tuple[Sequence[Said], str]:
        us = (await self._room.us()).account
        found = await self._threads.messages(channel, most=PAGE, before=int(cursor) if cursor else None)
        oldest = time_snowflake(datetime.fromtimestamp(since, UTC))
        new = [said_of(one, us) for one in found if one.id > oldest]
        more = str(found[0].id) if len(found) == PAGE and len(new) == PAGE else ""
        return [one for one in reversed(new) if one.text or one.files], more


def _readable(channel: Guildish, us: discord.Member) -> bool:
    rights = channel.permissions_for(us)
    return rights.view_channel and rights.read_message_history and not age_restricted(channel)
