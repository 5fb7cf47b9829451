"""What is wrong between us and Discord, and what mends it: token, app, servers, rights, commands, gateway."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from citebot.conversing.reaching import Reach, reach
from citebot.model import Finding
from citebot_connectors.platforms.discord.invite import NEEDED, link
from citebot_connectors.platforms.discord.settings import DiscordSettings

APPS = "https://discord.com/developers/applications"
VARIABLE = "CITEBOT_PLATFORM__DISCORD__BOT_TOKEN"
TIMEOUT = 10
SHOWN = 8
FEW_SESSIONS = 100
MANY_GUILDS = 2_500
ADMINISTRATOR = 1 << 3
UNANSWERED = (aiohttp.ClientError, TimeoutError, OSError, ValueError)
Body = dict[str, Any]


class _Refused(Exception):
    def __init__(self, status: int) -> None:
        super().__init__(str(status))
        self.status = status


@dataclass(slots=True)
class Doctor:
    """Looks at one Discord app, by REST alone: it begins no session."""

    settings: DiscordSettings
    reach: Reach = reach

    async def examine(self) -> AsyncIterator[Finding]:
        """Run all checks; what a fault before it makes impossible is left out."""
        where = f"It is at {APPS}, your app, Bot, Reset Token."
        if not self.settings.token:
            yield _wrong("platform.discord.bot_token is not set", f"Set {VARIABLE}. {where}")
            return
        if not self.settings.application_id:
            yield _wrong("platform.discord.bot_token is no token of a Discord bot", f"Take the bot's token. {where}")
            return
        headers = {"Authorization": f"Bot {self.settings.token}"}
        timeout = aiohttp.ClientTimeout(total=TIMEOUT)
        async with aiohttp.ClientSession(headers=headers, timeout=timeout) as session:
            try:
                async for finding in self._look(session):
                    yield finding
            except _Refused as error:
                if error.status == 401:
                    yield _wrong("platform.discord.bot_token is not known to Discord", f"Copy it again. {where}")
                else:
                    yield _wrong(f"Discord refuses the bot: {error.status}", "Try again later.")
            except UNANSWERED as error:
                what = f"Discord is not reached at {self.settings.base_url} ({type(error).__name__})"
                yield _wrong(what, "Check the network, a proxy, and platform.discord.base_url.")

    async def _look(self, session: aiohttp.ClientSession) -> AsyncIterator[Finding]:
        me = await self._get(session, "/users/@me")
        yield Finding(ok=True, what=f"Bot token: @{me.get('username')}, application {self.settings.application_id}")
        for finding in self._app(await self._get(session, "/applications/@me")):
            yield finding
        guilds = await self._get(session, "/users/@me/guilds")
        for finding in self._guilds(guilds):
            yield finding
        async for finding in self._commands(session):
            yield finding
        async for finding in self._gateway(session, len(guilds)):
            yield finding

    def _app(self, app: Body) -> list[Finding]:
        page, found = f"{APPS}/{self.settings.application_id}", []
        if app.get("interactions_endpoint_url"):
            what = "Commands go to an Interactions Endpoint URL, and never reach us"
            found.append(_wrong(what, f"Empty it at {page}/information."))
        if app.get("bot_require_code_grant"):
            found.append(_wrong("The bot requires a code grant: nobody can install it", f"Turn it off at {page}/bot."))
        if app.get("bot_public") and not self.settings.guilds:
            what = "Anybody may install the app"
            found.append(Finding(ok=True, what=what, fix=f"Turn Public Bot off at {page}/bot unless you want that."))
        return found

    def _guilds(self, guilds: list[Body]) -> list[Finding]:
        invite = link(self.settings.application_id)
        if not guilds:
            return [_wrong("The app is in no server", f"Open {invite}")]
        names = [f"{one.get('name')} ({one.get('id')})" for one in guilds]
        more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
        found = [Finding(ok=True, what=f"Servers: {', '.join(names[:SHOWN])}{more}")]
        here = {str(one.get("id")): one for one in guilds}
        if not self.settings.guilds:
            what = "No server counts as your team's: everybody is a guest, and sees only what is marked for them"
            found.append(_wrong(what, "Set platform.discord.guilds to the ids of your own servers."))
        for missing in (one for one in self.settings.guilds if one not in here):
            what = f"The app is not in the server {missing} of platform.discord.guilds"
            found.append(_wrong(what, f"Open {invite}, or take the id away."))
        for one in guilds:
            rights = int(one.get("permissions") or 0)
            lacks = [name for name, (bit, _) in NEEDED.items() if not rights & (bit | ADMINISTRATOR)]
            if lacks:
                what = f"In {one.get('name')} the app lacks: {', '.join(lacks)}"
                found.append(_wrong(what, f"Give its role these rights, or open {invite} again."))
            elif rights & ADMINISTRATOR:
                what = f"In {one.get('name')} the app is an administrator, which it never needs"
                found.append(Finding(ok=True, what=what, fix="Take that right from its role."))
        return found

    async def _commands(self, session: aiohttp.ClientSession) -> AsyncIterator[Finding]:
        app = self.settings.application_id
        guild = self.settings.development_guild
        place = f"/guilds/{guild}" if guild else ""
        names = [str(one.get("name")) for one in await self._get(session, f"/applications/{app}{place}/commands")]
        if "ask" in names:
            yield Finding(ok=True, what=f"Commands: {', '.join(names)}")
        else:
            what = "Discord does not know our commands yet"
            yield Finding(ok=True, what=what, fix="Run citebot serve: it tells Discord at the start.")

    async def _gateway(self, session: aiohttp.ClientSession, guilds: int) -> AsyncIterator[Finding]:
        found = await self._get(session, "/gateway/bot")
        limit = found.get("session_start_limit") or {}
        left, total = int(limit.get("remaining", 0)), int(limit.get("total", 0))
        if left < min(FEW_SESSIONS, total):
            what = f"Only {left} of {total} new connections are left today"
            yield _wrong(what, "Find out what starts Citebot again and again; stop it until tomorrow.")
        else:
            yield Finding(ok=True, what=f"New connections: {left} of {total} are left today")
        if guilds >= MANY_GUILDS and not self.settings.sharded:
            what = f"In {guilds} servers Discord takes no single connection"
            yield _wrong(what, "Set platform.discord.sharded to true.")
        address = self.settings.gateway_url or str(found.get("url") or "")
        try:
            await self.reach(address)
        except (OSError, TimeoutError) as error:
            host = urlsplit(address).netloc
            fix = f"Let this machine connect to {host} (WebSocket over TLS)."
            yield _wrong(f"The gateway at {host} is not reached: {type(error).__name__}", fix)
            return
        yield Finding(ok=True, what="Gateway: its server is reached")

    async def _get(self, session: aiohttp.ClientSession, path: str) -> Any:
        async with session.get(self.settings.base_url.rstrip("/") + path) as response:
            if response.status >= 400:
                raise _Refused(response.status)
            return await response.json(content_type=None)


def _wrong(what: str, fix: str) -> Finding:
    return Finding(ok=False, what=what, fix=fix)
