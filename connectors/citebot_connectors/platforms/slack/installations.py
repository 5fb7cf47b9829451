"""Where the app is installed: the tokens of every workspace, kept encrypted, renewed before they end."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

import structlog

from citebot.errors import CitebotError, NotAllowed, Retry
from citebot.logging_setup import hide
from citebot.ports import Vault
from citebot_connectors.platforms.slack.calling import Refused, Web
from citebot_connectors.platforms.slack.settings import SlackSettings

log = structlog.get_logger("citebot.slack")

PREFIX = "team:"
EARLY = 2 * 3600.0
"""Seconds before its end at which a token is renewed; so long renewing may fail without harm."""
LOCKED = 60.0
ORG = "Installing for a whole organisation is not supported: install the app in one workspace after the other."


@dataclass(frozen=True, slots=True, repr=False)
class Installation:
    """The app in one workspace."""

    team: str
    name: str
    token: str
    refresh: str = ""
    """What the next token is given for; empty for one that does not end."""
    expires: float = 0.0
    scopes: str = ""

    def __repr__(self) -> str:
        return f"Installation({self.team})"

    def due(self, now: float) -> bool:
        """Whether it is time for the next token."""
        return bool(self.refresh) and self.expires - now < EARLY


class Installations:
    """All of them, for every process. Raises `StorageError`, `Retry` and `Refused`."""

    def __init__(self, settings: SlackSettings, vault: Vault, *, now: Callable[[], float]) -> None:
        self._settings = settings
        self._vault = vault
        self._now = now

    async def get(self, team: str) -> Installation | None:
        """The installation in a workspace that is still on the list."""
        kept = await self._vault.get(PREFIX + team) if team in self._settings.workspaces else None
        return _loaded(kept) if kept else None

    async def teams(self) -> list[str]:
        """The workspaces with an installation."""
        names = await self._vault.names(PREFIX)
        return [team for name in names if (team := name.removeprefix(PREFIX)) in self._settings.workspaces]

    async def remove(self, team: str) -> None:
        """The app is there no more."""
        await self._vault.delete(PREFIX + team)

    async def add(self, code: str) -> Installation:
        """Exchange what somebody's consent is worth. Raises `NotAllowed` for a workspace that is not on the list."""
        given = await self._access(code=code)
        made = self._read(given)
        if given.get("is_enterprise_install") or not made.team:
            await self._give_back(made)
            raise NotAllowed(ORG)
        if made.team not in self._settings.workspaces:
            await self._give_back(made)
            raise NotAllowed(f"The workspace {made.name} ({made.team}) is not in platform.slack.workspaces.")
        await self._put(made)
        log.info("installed in a workspace", team=made.team)
        return made

    async def renewed(self, installation: Installation) -> Installation:
        """The same with a token that lasts: one of all processes gets it, the others read it."""
        async with self._vault.lock(f"renew:{installation.team}", seconds=LOCKED) as ours:
            latest = await self.get(installation.team)
            if latest is None or not ours or not latest.due(self._now()):
                return latest or installation
            given = await self._access(grant_type="refresh_token", refresh_token=latest.refresh)
            new = self._read(given)
            made = replace(latest, token=new.token, refresh=new.refresh, expires=new.expires)
            await self._put(made)
            log.info("token renewed", team=made.team)
            return made

    async def works(self, installation: Installation) -> bool:
        """Whether Slack takes the token; raises `Retry`."""
        web = Web(installation.token, self._settings.api_url)
        try:
            await web.write("auth.test")
        except Refused:
            return False
        finally:
            await web.close()
        return True

    async def _access(self, **arguments: str) -> dict[str, Any]:
        web = Web("", self._settings.api_url)
        secret = self._settings.client_secret.get_secret_value()
        try:
            return await web.form(
                "oauth.v2.access", **arguments, client_id=self._settings.client_id, client_secret=secret
            )
        finally:
            await web.close()

    async def _give_back(self, installation: Installation) -> None:
        web = Web(installation.token, self._settings.api_url)
        try:
            await web.write("auth.revoke")
        except CitebotError as error:
            log.warning("token of a workspace that is not served was not given back", why=str(error))
        finally:
            await web.close()

    async def _put(self, installation: Installation) -> None:
        await self._vault.put(PREFIX + installation.team, json.dumps(asdict(installation)))

    def _read(self, given: dict[str, Any]) -> Installation:
        team = given.get("team") or {}
        token, refresh = str(given.get("access_token") or ""), str(given.get("refresh_token") or "")
        if not token:
            raise Retry("Slack gave no bot token.")
        for secret in filter(None, (token, refresh)):
            hide(secret)
        expires = self._now() + float(given.get("expires_in") or 0) if refresh else 0.0
        name, scopes = str(team.get("name") or ""), str(given.get("scope") or "")
        return Installation(str(team.get("id") or ""), name, token, refresh, expires, scopes)


def _loaded(kept: str) -> Installation:
    found = Installation(**json.loads(kept))
    for secret in filter(None, (found.token, found.refresh)):
        hide(secret)
    return found
