"""What is wrong between us and Slack, and what mends it: tokens, rights, the socket, events, channels."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from slack_sdk.web.async_client import AsyncWebClient

from citebot.conversing.reaching import Reach, reach
from citebot.model import Finding
from citebot_connectors.platforms.slack.manifest import BASE, FEATURES, INSTALL_PATH, events_of, scopes_of
from citebot_connectors.platforms.slack.settings import PREFIXES, SlackSettings
from citebot_connectors.platforms.slack.tokens import (
    APPS,
    UNANSWERED,
    WHERE,
    granted_by,
    kind_of,
    refused,
    secret,
    unfit,
    variable,
)

TIMEOUT = 10
PAGE = 200
PAGES = 10
SHOWN = 8
"""Channels that are named; of more only the number."""
SEARCH_SCOPE = "search:read.public"


@dataclass(slots=True)
class Seen:
    """What earlier checks have found."""

    app_id: str = ""
    granted: frozenset[str] = frozenset()
    bot: str = ""


@dataclass(slots=True)
class Doctor:
    """Looks at one Slack app, as far as its tokens let it."""

    settings: SlackSettings
    features: Sequence[str]
    """As `manifest.chosen` gives them."""
    reach: Reach = reach
    _seen: Seen = field(default_factory=Seen)

    async def examine(self) -> AsyncIterator[Finding]:
        """Run all checks; what a fault before it makes impossible is left out."""
        unfit = [*self._unfit()]
        for finding in unfit:
            yield finding
        if not unfit:
            yield Finding(ok=True, what=f"Settings: mode {self.settings.mode}, all secrets set")
        wrong = {name for name in WHERE for finding in unfit if f"platform.slack.{name}" in finding.what}
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT)) as session:
            if self.settings.several:
                yield self._installable()
            elif "bot_token" not in wrong:
                async for finding in self._as_bot(session):
                    yield finding
            if self.settings.mode == "socket" and "app_token" not in wrong:
                async for finding in self._socket(session):
                    yield finding
        if self._seen.granted:
            yield self._events()

    def _installable(self) -> Finding:
        listed = ", ".join(self.settings.workspaces) or "no workspace"
        return Finding(ok=True, what=f"Installed by workspaces themselves, at {INSTALL_PATH}: {listed}")

    # -- secrets --------------------------------------------------------------------------------------------------

    def _unfit(self) -> list[Finding]:
        """Secrets that are missing or in the wrong place, seen without asking Slack."""
        missing = [Finding(ok=False, what=what, fix=fix) for what, fix in self._several()]
        missing += [
            Finding(ok=False, what=f"platform.slack.{name} is not set", fix=f"Set {variable(name)}. {WHERE[name]}")
            for name in self.settings.missing
        ]
        tokens = {name: secret(self.settings, name) for name in PREFIXES}
        if [kind_of(token) for token in tokens.values()] == ["an app-level token", "a bot token"]:
            swapped = "platform.slack.bot_token and platform.slack.app_token are swapped"
            return [*missing, Finding(ok=False, what=swapped, fix="Give each the value of the other.")]
        return missing + [found for name, token in tokens.items() if token and (found := unfit(name, token))]

    def _several(self) -> Iterator[tuple[str, str]]:
        if self.settings.several and self.settings.mode == "socket":
            yield "platform.slack.client_id is set, but mode is socket", "Set platform.slack.mode to http."
        if self.settings.several and not self.settings.workspaces:
            yield "No workspace may install the app", "Set platform.slack.workspaces to their ids, which begin with T."

    # -- with the bot token ---------------------------------------------------------------------------------------

    async def _as_bot(self, session: aiohttp.ClientSession) -> AsyncIterator[Finding]:
        client = self._client(session, "bot_token")
        try:
            answer = await client.auth_test()
        except UNANSWERED as error:
            yield refused(self.settings, "bot_token", error)
            return
        self._seen.bot = f"@{answer['user']}"
        self._seen.granted = granted_by(answer)
        yield Finding(ok=True, what=f"Bot token: {self._seen.bot} in the workspace {answer['team']}")
        await self._find_app(client, str(answer["user_id"]))
        for finding in self._scopes():
            yield finding
        if self.settings.live_search and SEARCH_SCOPE in self._seen.granted:
            yield await self._search(client)
        if "channels:read" in self._seen.granted:
            async for finding in self._channels(client):
                yield finding

    async def _find_app(self, client: AsyncWebClient, user: str) -> None:
        try:
            body = (await client.users_info(user=user))["user"]
        except UNANSWERED:
            return  # the scope is missing, which is said anyway
        self._seen.app_id = str((body.get("profile") or {}).get("api_app_id") or "")

    def _scopes(self) -> list[Finding]:
        wanted = scopes_of(self.features)
        page = f"{APPS}/{self._seen.app_id}/oauth" if self._seen.app_id else "OAuth & Permissions"
        found = []
        for scope in (scope for scope in wanted if scope not in self._seen.granted):
            names = [name for name in self.features if scope in FEATURES[name].scopes]
            leave = "" if BASE in names else f", or leave out: --features without {' and '.join(names)}"
            found.append(
                Finding(
                    ok=False,
                    what=f"The scope {scope} is missing, {FEATURES[names[0]].scopes[scope]} ({', '.join(names)})",
                    fix=f"Add it to the bot token scopes ({page}) and install the app again{leave}.",
                )
            )
        if not found:
            found.append(Finding(ok=True, what=f"Scopes: all {len(wanted)} that {len(self.features)} features need"))
        if spare := sorted(self._seen.granted - {scope for name in FEATURES for scope in FEATURES[name].scopes}):
            text = f"More scopes than Citebot ever uses: {', '.join(spare)}"
            found.append(Finding(ok=True, what=text, fix=f"Take them away ({page}) and install the app again."))
        return found

    async def _search(self, client: AsyncWebClient) -> Finding:
        try:
            how = await client.assistant_search_info()
        except UNANSWERED as error:
            return refused(self.settings, "bot_token", error)
        meant = "by words and by meaning" if how.get("is_ai_search_enabled") else "by words"
        return Finding(ok=True, what=f"Search: public channels, as whoever asks, {meant}")

    async def _channels(self, client: AsyncWebClient) -> AsyncIterator[Finding]:
        kinds = "public_channel,private_channel" if "groups:read" in self._seen.granted else "public_channel"
        found: list[dict[str, Any]] = []
        cursor = ""
        try:
            for _ in range(PAGES):
                page = await client.users_conversations(
                    types=kinds, exclude_archived=True, limit=PAGE, **({"cursor": cursor} if cursor else {})
                )
                found += page["channels"]
                cursor = (page.get("response_metadata") or {}).get("next_cursor") or ""
                if not cursor:
                    break
        except UNANSWERED as error:
            yield refused(self.settings, "bot_token", error)
            return
        invite = f"Write /invite {self._seen.bot} in a channel where people should ask."
        if not found:
            yield Finding(
                ok=True, what="The app is in no channel: it answers direct messages and commands alone", fix=invite
            )
            return
        names = [f"#{channel['name']}" for channel in found]
        more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
        yield Finding(ok=True, what=f"Channels: {', '.join(names[:SHOWN])}{more}")
        if shared := [f"#{channel['name']}" for channel in found if channel.get("is_ext_shared")]:
            text = (
                f"Shared with other organisations: {', '.join(shared[:SHOWN])}; only documents meant for them are used"
            )
            yield Finding(ok=True, what=text)

    # -- with the app token ---------------------------------------------------------------------------------------

    async def _socket(self, session: aiohttp.ClientSession) -> AsyncIterator[Finding]:
        token = secret(self.settings, "app_token")
        named = re.match(r"xapp-\d+-(A[A-Z0-9]+)", token)
        if named and self._seen.app_id and named[1] != self._seen.app_id:
            what = f"The two tokens are of different apps: bot {self._seen.app_id}, app token {named[1]}"
            yield Finding(ok=False, what=what, fix=f"Take both from one app. {WHERE['app_token']}")
        client = self._client(session, "app_token")
        try:
            address = (await client.apps_connections_open(app_token=token))["url"]
        except UNANSWERED as error:
            yield refused(self.settings, "app_token", error)
            return
        try:
            await self.reach(address)
        except (OSError, TimeoutError) as error:
            host = urlsplit(address).netloc
            fix = f"Let this machine connect to {host} (WebSocket over TLS)."
            yield Finding(ok=False, what=f"The socket at {host} is not reached: {type(error).__name__}", fix=fix)
            return
        yield Finding(ok=True, what="App token: Socket Mode is on, and its server is reached")

    # -- what cannot be seen --------------------------------------------------------------------------------------

    def _events(self) -> Finding:
        """Slack does not tell an app what it is subscribed to."""
        page = (
            f"{APPS}/{self._seen.app_id}/event-subscriptions" if self._seen.app_id else f"{APPS}, Event Subscriptions"
        )
        return Finding(
            ok=True,
            what=f"Events, which Slack does not let us see; there should be: {', '.join(events_of(self.features))}",
            fix=f"If mentions or messages get no answer, compare with {page}.",
        )

    # -- inside ---------------------------------------------------------------------------------------------------

    def _client(self, session: aiohttp.ClientSession, name: str) -> AsyncWebClient:
        return AsyncWebClient(
            token=secret(self.settings, name),
            base_url=self.settings.api_url,
            timeout=TIMEOUT,
            session=session,
            retry_handlers=[],
        )
