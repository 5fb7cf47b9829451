"""Whom to ask in a channel."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from citebot.conversing.people import People
from citebot.model import Helper
from citebot_connectors.platforms.slack.calling import Refused, Web

log = structlog.get_logger("citebot.slack")


class Experts:
    """Knows who looks after a channel."""

    def __init__(self, web: Web, people: People, experts: Sequence[str]) -> None:
        self._web = web
        self._people = people
        self._experts = experts

    async def in_channel(self, channel: str, authors: Sequence[str]) -> list[Helper]:
        """Those of the authors and of the setting `experts` who are in the channel, else whoever made it."""
        if found := await self._people.helpers(channel, authors=authors, named=await self._named()):
            return found
        body = (await self._web.read("conversations.info", channel=channel))["channel"]
        return await self._people.helpers(channel, authors=(), named=[str(body.get("creator"))])

    async def _named(self) -> list[str]:
        """The users of the setting; of a user group its members."""
        found: list[str] = []
        for one in self._experts:
            if not one.startswith("S"):
                found.append(one)
                continue
            try:
                found += (await self._web.read("usergroups.users.list", usergroup=one))["users"]
            except Refused as error:
                log.warning("user group not read", group=one, why=str(error))
        return found
