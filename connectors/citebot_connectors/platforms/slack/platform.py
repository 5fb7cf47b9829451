"""Slack as a platform."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, ClassVar

from pydantic import BaseModel

from citebot.conversing.tasks import Tasks
from citebot.errors import CannotShow, PluginError
from citebot.model import Conversation, Finding, Helper, Person, Status
from citebot.ports import (
    Actor,
    Capabilities,
    Desk,
    LivePassage,
    Message,
    News,
    Outbound,
    PartContext,
    Playground,
    Role,
)
from citebot_connectors.platforms.slack.settings import SlackSettings

if TYPE_CHECKING:
    from citebot_connectors.platforms.slack.link import Link, Pace
    from citebot_connectors.platforms.slack.parts import Parts
    from citebot_connectors.platforms.slack.workspaces import Workspaces


class SlackPlatform:
    """A workspace's Slack app: mentions and their threads, and direct messages."""

    name: ClassVar[str] = "slack"
    summary: ClassVar[str] = "Mentions, threads and direct messages in a Slack workspace."
    Settings: ClassVar[type[BaseModel]] = SlackSettings
    capabilities: ClassVar[Capabilities] = Capabilities(
        stream=True,
        edit=True,
        threads=True,
        buttons=True,
        private_answers=True,
        text_limit=11_000,
        edits_per_second=1.0,
    )

    def __init__(self, settings: SlackSettings, context: PartContext) -> None:
        self.settings = settings
        self._context = context
        self.pace: Pace | None = None
        """Set before `run` to watch the connection more closely."""
        self.connected = asyncio.Event()
        self.address = ""
        """Where we listen in mode `http`, once `connected` is set."""
        self.wall: Callable[[], float] = time.time
        self._listening = False
        self._built: Parts | None = None
        self._several: Workspaces | None = None
        self._link: Link | None = None
        self._tasks = Tasks()

    async def run(self, desk: Desk) -> None:
        if self.settings.mode == "http":
            await self._listen(desk)
            return
        parts = self._parts
        from citebot_connectors.platforms.slack.link import Link, Pace

        app = parts.app(desk, spawn=self._tasks.spawn)
        catch_up = parts.catch_up(self._context.vault, heard=lambda: self._link.heard if self._link else 0.0)
        token = self.settings.app_token.get_secret_value()
        self._link = Link(app, parts.web, token, self.pace or Pace(), missed=catch_up.missed)
        self._tasks.spawn(catch_up.run())
        self.connected = self._link.connected
        try:
            await parts.introduce()
            await self._link.run()
        finally:
            await self._end()

    async def run_apart(self) -> None:
        try:
            if self.settings.several:
                await self._workspaces.watch()
            else:
                await self._parts.introduce()
                await asyncio.Event().wait()
        finally:
            await self._end()

    def heed(self, news: News) -> None:
        parts = self._several.open(news.tenant) if self._several is not None else self._built
        if parts is not None:
            parts.heed(news)

    @property
    def trouble(self) -> str:
        """Why questions do not come in; empty while they do."""
        if self._listening:
            return ""
        return self._link.trouble if self._link else "not connected to Slack yet"

    async def seen_by(self, conversation: Conversation, asker: Person) -> frozenset[Person] | None:
        if conversation.platform != self.name:
            return None
        try:
            parts = await self._at(conversation)
        except CannotShow:
            return None
        if conversation.tenant != (await parts.web.identity()).team:
            return None
        return await parts.people.readers(conversation, asker)

    # -- messages, by the outlet ----------------------------------------------------------------------------------

    async def post(self, to: Outbound, message: Message, *, key: str) -> str:
        return await (await self._at(to.conversation)).shows(to).post(to, message, key=key)

    async def edit(self, to: Outbound, message_id: str, message: Message) -> None:
        await (await self._at(to.conversation)).shows(to).edit(to, message_id, message)

    async def remove(self, to: Outbound, message_id: str) -> None:
        await (await self._at(to.conversation)).shows(to).remove(to, message_id)

    async def find(self, to: Outbound, *, key: str) -> str | None:
        return await (await self._at(to.conversation)).shows(to).find(to, key=key)

    async def begin_stream(self, to: Outbound, *, key: str) -> str:
        return await (await self._at(to.conversation)).shows(to).begin_stream(to, key=key)

    async def extend_stream(self, to: Outbound, message_id: str, text: str) -> None:
        await (await self._at(to.conversation)).shows(to).extend_stream(to, message_id, text)

    async def end_stream(self, to: Outbound, message_id: str, message: Message) -> None:
        await (await self._at(to.conversation)).shows(to).end_stream(to, message_id, message)

    async def show_status(self, to: Outbound, status: Status) -> None:
        await (await self._at(to.conversation)).shows(to).show_status(to, status)

    def may_edit(self, to: Outbound) -> bool:
        from citebot_connectors.platforms.slack.private import is_private

        return not is_private(to.conversation)

    async def offer_alone(self, to: Outbound, answer_id: str) -> None:
        await (await self._at(to.conversation)).outlet.offer_alone(to, answer_id)

    async def search_live(self, to: Outbound, asker: Person, text: str) -> Sequence[LivePassage] | None:
        if not self.settings.live_search:
            return None
        live = (await self._at(to.conversation)).live
        return await live.search(to, text) if live is not None else None

    async def people_for(self, conversation: Conversation, authors: Sequence[str]) -> Sequence[Helper]:
        return await (await self._at(conversation)).people_for(conversation, authors)

    async def role_of(self, actor: Actor) -> Role:
        return await (await self._at(actor.conversation)).role_of(actor)

    async def examine(self) -> AsyncIterator[Finding]:
        try:
            from citebot_connectors.platforms.slack.doctor import Doctor
            from citebot_connectors.platforms.slack.manifest import chosen
        except ImportError as error:
            yield Finding(ok=False, what=f"Slack needs {error.name}", fix="pip install 'citebot[slack]'")
            return
        async for finding in Doctor(self.settings, chosen([], search=self.settings.live_search)).examine():
            yield finding

    @staticmethod
    def playground(people: Sequence[Person], *, port: int) -> AbstractAsyncContextManager[Playground]:
        try:
            from citebot_connectors.platforms.slack.playground import playground
        except ImportError as error:
            raise PluginError(f"Slack needs {error.name}: pip install 'citebot[slack]'.", plugin="slack") from error
        return playground(people, port=port)

    # -- inside ---------------------------------------------------------------------------------------------------

    async def _at(self, conversation: Conversation) -> Parts:
        """The parts of a conversation's workspace; raises `CannotShow` where the app is not installed any more."""
        return await self._workspaces.of(conversation.tenant) if self.settings.several else self._parts

    @property
    def _parts(self) -> Parts:
        """Those of the one workspace whose token is set."""
        if self._built is None:
            self._built = self._make(self.settings.bot_token.get_secret_value())
        return self._built

    @property
    def _workspaces(self) -> Workspaces:
        """Those that installed the app by themselves."""
        if self._several is None:
            self._check()
            from citebot_connectors.platforms.slack.installations import Installations
            from citebot_connectors.platforms.slack.workspaces import Workspaces

            installations = Installations(self.settings, self._context.vault, now=self.wall)
            self._several = Workspaces(installations, make=self._make, now=self.wall)
        return self._several

    def _make(self, token: str) -> Parts:
        self._check()
        from citebot_connectors.platforms.slack.parts import Parts

        return Parts(self.settings, token, now=lambda: datetime.now(UTC), clock=time.monotonic)

    def _check(self) -> None:
        if self.settings.missing:
            names = " and ".join(f"platform.slack.{name}" for name in self.settings.missing)
            raise PluginError(f"Slack needs {names}.", plugin="slack")
        if self.settings.misplaced:
            names = " and ".join(f"platform.slack.{name}" for name in self.settings.misplaced)
            raise PluginError(f"The wrong kind of token is in {names}: see citebot slack doctor.", plugin="slack")
        if self.settings.several and self.settings.mode == "socket":
            raise PluginError("Several workspaces (platform.slack.client_id) need mode http.", plugin="slack")
        try:
            import slack_bolt  # noqa: F401
        except ImportError as error:
            raise PluginError(f"Slack needs {error.name}: pip install 'citebot[slack]'.", plugin="slack") from error

    async def _listen(self, desk: Desk) -> None:
        """Mode `http`."""
        self._check()
        try:
            from citebot_connectors.platforms.slack.http import Serving
        except ImportError as error:
            raise PluginError(
                f"Slack over HTTP needs {error.name}: pip install 'citebot[slack,web]'.", plugin="slack"
            ) from error

        serving = Serving(self.settings, self._context, desk, spawn=self._tasks.spawn, wall=self.wall)

        def began(address: str) -> None:
            self.address, self._listening = address, True
            self.connected.set()

        try:
            if self.settings.several:
                await serving.several(self._workspaces, announce=began)
            else:
                await self._parts.introduce()
                await serving.one(self._parts, announce=began)
        finally:
            self._listening = False
            self.connected.clear()
            await self._end()

    async def _end(self) -> None:
        await self._tasks.end()
        if self._built is not None:
            await self._built.web.close()
        if self._several is not None:
            await self._several.close()
