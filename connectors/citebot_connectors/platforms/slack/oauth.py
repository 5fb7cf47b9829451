"""Installing the app in a workspace: the way to Slack's question, and back with what the answer is worth."""

from __future__ import annotations

import hashlib
import hmac
import html
import secrets
from collections.abc import Awaitable, Callable
from urllib.parse import urlencode, urljoin

import structlog
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from citebot.errors import CitebotError, NotAllowed
from citebot_connectors.platforms.slack.calling import Refused
from citebot_connectors.platforms.slack.installations import Installation, Installations
from citebot_connectors.platforms.slack.manifest import INSTALL_PATH, REDIRECT_PATH, chosen, scopes_of
from citebot_connectors.platforms.slack.settings import SlackSettings

log = structlog.get_logger("citebot.slack")

COOKIE = "citebot_slack_install"
VALID = 600
"""Seconds to answer Slack's question."""
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
AGAIN = "This link was used already, is too old, or belongs to another browser. Begin again at {path}."


class Installing:
    """The two pages. A state counts once, for ten minutes, in the browser it was made for."""

    def __init__(
        self,
        settings: SlackSettings,
        installations: Installations,
        *,
        added: Callable[[Installation], Awaitable[None]],
        now: Callable[[], float],
    ) -> None:
        self._settings = settings
        self._installations = installations
        self._added = added
        self._now = now
        self._key = settings.client_secret.get_secret_value().encode()
        self._used: dict[str, float] = {}

    def routes(self) -> list[Route]:
        """For a web server."""
        return [Route(INSTALL_PATH, self.begin), Route(REDIRECT_PATH, self.end)]

    async def begin(self, request: Request) -> Response:
        """Send the browser to Slack."""
        state = self._state()
        asked = {"client_id": self._settings.client_id, "scope": ",".join(scopes_of(chosen([]))), "state": state}
        address = urljoin(self._settings.api_url, "/oauth/v2/authorize")
        response = RedirectResponse(f"{address}?{urlencode(asked)}", status_code=302, headers=HEADERS)
        # Not Secure where a proxy that ends TLS talks to us without saying so; it is worth nothing without the state.
        response.set_cookie(COOKIE, state, max_age=VALID, httponly=True, samesite="lax", path=REDIRECT_PATH)
        return response

    async def end(self, request: Request) -> Response:
        """Slack sent the browser back."""
        state, cookie = request.query_params.get("state", ""), request.cookies.get(COOKIE, "")
        if not (cookie and same(state, cookie) and self._takes(state)):
            return page(400, AGAIN.format(path=INSTALL_PATH))
        code = request.query_params.get("code", "")
        if not code:
            return page(400, "Slack says that the app was not installed.")
        try:
            made = await self._installations.add(code)
            await self._added(made)
        except NotAllowed as error:
            log.warning("not installed", why=str(error))
            return page(403, str(error))
        except Refused as error:
            log.warning("not installed", why=str(error))
            return page(400, "Slack did not take what it gave. Begin again, or check client_id and client_secret.")
        except CitebotError as error:
            log.warning("not installed", why=str(error))
            return page(503, "It could not be finished now. Begin again in a minute.")
        return page(200, f"Installed in {made.name}. Mention the app in a channel to ask something.")

    def _state(self) -> str:
        said = f"{secrets.token_urlsafe(24)}.{int(self._now())}"
        return f"{said}.{self._seal(said)}"

    def _seal(self, said: str) -> str:
        return hmac.new(self._key, f"citebot install {said}".encode(), hashlib.sha256).hexdigest()

    def _takes(self, state: str) -> bool:
        said, _, seal = state.rpartition(".")
        made = said.rpartition(".")[2]
        now = self._now()
        if not same(seal, self._seal(said)) or not 0 <= now - float(made) <= VALID or state in self._used:
            return False
        self._used = {one: until for one, until in self._used.items() if until > now} | {state: now + VALID}
        return True


def same(one: str, other: str) -> bool:
    """Whether two texts are equal; takes the same time for all of a length."""
    return hmac.compare_digest(one.encode(errors="replace"), other.encode(errors="replace"))


def page(status: int, text: str) -> Response:
    """A page with one sentence."""
    body = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Citebot</title><p>{html.escape(text)}</p></html>'
    )
    response = HTMLResponse(body, status_code=status, headers=HEADERS)
    response.delete_cookie(COOKIE, path=REDIRECT_PATH)
    return response
