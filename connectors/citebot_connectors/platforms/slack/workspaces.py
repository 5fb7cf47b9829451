"""The workspaces the app is at work in. Each has parts of its own: nothing that is known of one is known in another."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import structlog
from slack_bolt.app.async_app import AsyncApp
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse

from citebot.errors import CannotShow, CitebotError
from citebot_connectors.platforms.slack.calling import Body, Refused
from citebot_connectors.platforms.slack.installations import Installation, Installations
from citebot_connectors.platforms.slack.parts import Parts

log = structlog.get_logger("citebot.slack")

LOOK_EVERY = 60.0
"""Seconds until a token that another process has got is used here, and until an installation that is gone is left."""
GONE = "The Slack app is not installed in the workspace {team}."
Begin = Callable[[Parts], tuple[AsyncApp, Coroutine[Any, Any, None]]]
"""Makes the app of a workspace, and what goes on there by itself."""


@dataclass(slots=True)
class Workspace:
    """One at work."""

    parts: Parts
    installation: Installation
    app: AsyncApp | None = None
    work: asyncio.Task[None] | None = None


class Workspaces:
    """Finds the parts of a workspace by its id, and gives them what comes in from there."""

    def __init__(self, installations: Installations, *, make: Callable[[str], Parts], now: Callable[[], float]) -> None:
        self._installations = installations
        self._make = make
        self._now = now
        self._open: dict[str, Workspace] = {}
        self._begin: Begin | None = None

    async def of(self, team: str) -> Parts:
        """The parts of a workspace; raises `CannotShow` where the app is not installed."""
        return (await self._workspace(team)).parts

    def open(self, team: str) -> Parts | None:
        """The parts of a workspace, if anything was done there."""
        workspace = self._open.get(team)
        return workspace.parts if workspace is not None else None

    async def begin(self, begin: Begin) -> None:
        """Work in all workspaces; `begin` is called once for each, also for those that come later."""
        self._begin = begin
        for team in await self._installations.teams():
            await self._at_work(team)

    async def dispatch(self, request: AsyncBoltRequest) -> BoltResponse:
        """Give something to the app of the workspace it comes from."""
        team = str(request.context.team_id or "")
        if request.context.is_enterprise_install:
            log.warning("nothing is taken from an installation for a whole organisation")
            return BoltResponse(status=200)
        if is_farewell(request.body):
            await self._left(team)
            return BoltResponse(status=200)
        try:
            app = await self._at_work(team)
        except CannotShow as error:
            log.info("not taken from Slack", why=str(error))
            return BoltResponse(status=200)
        return await app.async_dispatch(request)

    async def added(self, installation: Installation) -> None:
        """It was installed, maybe anew."""
        await self._forget(installation.team)
        await self._at_work(installation.team)

    async def watch(self) -> None:
        """Renew tokens that will end, and take over what other processes did; until cancelled."""
        while True:
            try:
                await self.look()
            except CitebotError as error:
                log.warning("installations not looked at", why=str(error))
            await asyncio.sleep(LOOK_EVERY)

    async def look(self) -> None:
        """Do that once."""
        teams = await self._installations.teams()
        for team in set(self._open) - set(teams):
            await self._forget(team)
        for team in teams:
            installation = await self._installations.get(team)
            if installation is None:
                continue
            if installation.due(self._now()):
                installation = await self._renewed(installation)
            if self._begin is not None:  # else another process listens
                await self._at_work(team)
            workspace = self._open.get(team)
            if workspace and workspace.installation != installation:
                workspace.installation = installation
                workspace.parts.web.use(installation.token)

    async def close(self) -> None:
        """End all connections."""
        for team in [*self._open]:
            await self._forget(team)

    async def _renewed(self, installation: Installation) -> Installation:
        try:
            return await self._installations.renewed(installation)
        except Refused as error:
            log.warning("token cannot be renewed, install the app again", team=installation.team, why=str(error))
        except CitebotError as error:
            log.warning("token not renewed yet", team=installation.team, why=str(error))
        return installation

    async def _left(self, team: str) -> None:
        installation = await self._installations.get(team)
        if installation and await self._installations.works(installation):
            return  # it came late, and the app was installed again
        await self._installations.remove(team)
        await self._forget(team)
        log.warning("the app was removed from a workspace; what waits there ends unanswered", team=team)

    async def _forget(self, team: str) -> None:
        workspace = self._open.pop(team, None)
        if workspace is not None:
            if workspace.work is not None:
                workspace.work.cancel()
                await asyncio.gather(workspace.work, return_exceptions=True)
            await workspace.parts.web.close()

    async def _workspace(self, team: str) -> Workspace:
        if team not in self._open:
            installation = await self._installations.get(team)
            if installation is None:
                raise CannotShow(GONE.format(team=team))
            self._open.setdefault(team, Workspace(self._make(installation.token), installation))
        return self._open[team]

    async def _at_work(self, team: str) -> AsyncApp:
        workspace = await self._workspace(team)
        if workspace.app is None:
            assert self._begin is not None, "something comes in only once they began"
            workspace.app, work = self._begin(workspace.parts)
            workspace.work = asyncio.create_task(work)
        return workspace.app


def is_farewell(body: Body) -> bool:
    """Whether Slack says that our tokens have ended."""
    event = body.get("event")
    if body.get("type") != "event_callback" or not isinstance(event, dict):
        return False
    if event.get("type") == "app_uninstalled":
        return True
    tokens = event.get("tokens")
    return event.get("type") == "tokens_revoked" and isinstance(tokens, dict) and bool(tokens.get("bot"))
