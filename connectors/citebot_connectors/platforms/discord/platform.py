"""Discord as a platform."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, ClassVar

from pydantic import BaseModel

from citebot.errors import CannotShow, PluginError
from citebot.model import Conversation, Finding, Helper, Person
from citebot.ports import Actor, CallFigures, Capabilities, Desk, Message, News, Outbound, PartContext, Playground, Role
from citebot_connectors.platforms.discord.settings import DiscordSettings

if TYPE_CHECKING:
    from citebot_connectors.platforms.discord.link import Link, Pace
    from citebot_connectors.platforms.discord.outlet import Outlet
    from citebot_connectors.platforms.discord.rooms import Hall

MISSING = "Discord needs {name}: pip install 'citebot[discord]'."


class DiscordPlatform:
    """A Discord app: commands, mentions, threads, forums and direct messages."""

    name: ClassVar[str] = "discord"
    summary: ClassVar[str] = "Commands, mentions, threads and direct messages in Discord servers."
    Settings: ClassVar[type[BaseModel]] = DiscordSettings
    capabilities: ClassVar[Capabilities] = Capabilities(
        edit=True, threads=True, buttons=True, private_answers=True, text_limit=2_600, edits_per_second=0.8
    )

    def __init__(self, settings: DiscordSettings, context: PartContext) -> None:
        self.settings = settings
        self._context = context
        self.pace: Pace | None = None
        """Set before `run` to be less patient with the connection."""
        self.edit_gap: float | None = None
        """Set before `run` to edit more often."""
        self.patience = 15.0
        """Seconds that an answer waits for the connection before it is put off."""
        self.wall: Callable[[], float] = time.time
        self.clock: Callable[[], float] = time.monotonic
        self._built: Hall | None = None
        self.link: Link | None = None
        self.connected = asyncio.Event()
        """Set while everything comes in."""

    async def run(self, desk: Desk) -> None:
        hall = self._hall
        hall.apart, hall.wire.apart = None, False
        from citebot_connectors.platforms.discord.client import Events, Sharded
        from citebot_connectors.platforms.discord.link import Link, Pace

        kind = Sharded if self.settings.sharded else Events
        self._redirect()

        def missed(since: float) -> None:
            for room in hall.rooms:
                room.catch_up.missed(since)

        self.link = link = Link(
            lambda made: kind(hall, made),
            hall.wire,
            self.settings.token,
            self.pace or Pace(),
            connected=self.connected,
            missed=missed,
            wall=lambda: self.wall(),
        )
        hall.open(desk, connected=self.connected, heard=link.heard)
        try:
            await link.run()
        finally:
            await hall.close()

    async def run_apart(self) -> None:
        hall = self._hall
        from citebot_connectors.platforms.discord.apart import Apart

        self._redirect()
        hall.apart = Apart(hall, clock=time.monotonic)
        try:
            await hall.apart.run(self.settings.token, connected=self.connected)
        finally:
            self.connected.clear()
            await hall.close()

    def heed(self, news: News) -> None:
        if self._built is not None:
            self._built.heed(news)

    @property
    def called(self) -> CallFigures:
        if self._built is None:
            return CallFigures(0, 0, 0.0)
        wire = self._built.wire
        return CallFigures(wire.calls, wire.limited, wire.waited)

    @property
    def listens_as(self) -> str:
        return self.settings.application_id

    @property
    def trouble(self) -> str:
        """Why questions do not come in; empty while they do."""
        if self.link is None:
            return "not connected to Discord yet"
        refused = getattr(self._hall.wire.client, "refused", "")
        return self.link.trouble or refused

    async def seen_by(self, conversation: Conversation, asker: Person) -> frozenset[Person] | None:
        if conversation.platform != self.name:
            return None
        from citebot_connectors.platforms.discord.places import is_alone

        if is_alone(conversation):
            return frozenset({asker})
        await self._hall.come_in(self.connected, patience=self.patience)
        try:
            return await (await self._hall.looked(conversation)).people.readers(conversation, asker)
        except CannotShow:
            return None

    # -- messages -------------------------------------------------------------------------------------------------

    async def post(self, to: Outbound, message: Message, *, key: str) -> str:
        return await (await self._outlet(to)).post(to, message, key=key)

    async def edit(self, to: Outbound, message_id: str, message: Message) -> None:
        await (await self._outlet(to)).edit(to, message_id, message)

    async def remove(self, to: Outbound, message_id: str) -> None:
        await (await self._outlet(to)).remove(to, message_id)

    async def find(self, to: Outbound, *, key: str) -> str | None:
        return await (await self._outlet(to)).find(to, key=key)

    async def offer_alone(self, to: Outbound, answer_id: str) -> None:
        await (await self._outlet(to)).offer_alone(to, answer_id)

    async def people_for(self, conversation: Conversation, authors: Sequence[str]) -> Sequence[Helper]:
        return await self._hall.room(conversation.tenant).directory.helpers(conversation, authors)

    async def role_of(self, actor: Actor) -> Role:
        try:
            return await self._hall.room(actor.conversation.tenant).directory.role_of(actor)
        except CannotShow:
            return ""

    async def examine(self) -> AsyncIterator[Finding]:
        try:
            from citebot_connectors.platforms.discord.doctor import Doctor
        except ImportError as error:
            yield Finding(ok=False, what=f"Discord needs {error.name}", fix="pip install 'citebot[discord]'")
            return
        async for finding in Doctor(self.settings).examine():
            yield finding

    @staticmethod
    def playground(people: Sequence[Person], *, port: int) -> AbstractAsyncContextManager[Playground]:
        try:
            from citebot_connectors.platforms.discord.playground import playground
        except ImportError as error:
            raise PluginError(MISSING.format(name=error.name), plugin="discord") from error
        return playground(people, port=port)

    # -- inside ---------------------------------------------------------------------------------------------------

    async def _outlet(self, to: Outbound) -> Outlet:
        await self._hall.looked(to.conversation)
        return self._hall.outlet

    @property
    def _hall(self) -> Hall:
        if self._built is None:
            if not self.settings.token:
                raise PluginError("Discord needs platform.discord.bot_token.", plugin="discord")
            if not self.settings.application_id:
                raise PluginError(
                    "platform.discord.bot_token is no token of a Discord bot: see citebot doctor discord.",
                    plugin="discord",
                )
            try:
                from citebot_connectors.platforms.discord.calling import EDIT_GAP, Wire
                from citebot_connectors.platforms.discord.rooms import Hall
            except ImportError as error:
                raise PluginError(MISSING.format(name=error.name), plugin="discord") from error
            self._built = Hall(
                Wire(edit_gap=EDIT_GAP if self.edit_gap is None else self.edit_gap),
                self.settings,
                marks=self._context.vault,
                now=lambda: datetime.fromtimestamp(self.wall(), UTC),
                clock=lambda: self.clock(),
            )
        return self._built

    def _redirect(self) -> None:
        """discord.py has no setting for where Discord is."""
        import discord
        import yarl

        discord.http.Route.BASE = self.settings.base_url.rstrip("/")
        if self.settings.gateway_url:
            discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(self.settings.gateway_url)
