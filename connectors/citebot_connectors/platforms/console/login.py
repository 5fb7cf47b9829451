"""Signing in with a token, for browsers."""

from __future__ import annotations

from urllib.parse import parse_qs

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from citebot_connectors.platforms.console.assets import Assets
from citebot_connectors.platforms.console.auth import COOKIE, KEEP_SECONDS, Doorkeeper
from citebot_connectors.platforms.console.requests import read_bytes

COMPLAINT = '<p class="complaint" role="alert" id="complaint">This token is not known here. Check it and try again.</p>'


class Login:
    """The form, and the cookie it leads to."""

    def __init__(self, doorkeeper: Doorkeeper, assets: Assets) -> None:
        self._doorkeeper = doorkeeper
        self._page = assets.text("login.html")

    async def show(self, request: Request) -> Response:
        if request.state.person is not None:
            return RedirectResponse("/", status_code=303)
        return HTMLResponse(self._page.replace("<!--complaint-->", ""))

    async def enter(self, request: Request) -> Response:
        try:
            form = parse_qs((await read_bytes(request, 8 * 1024)).decode(), max_num_fields=8)
        except ValueError as error:
            raise HTTPException(400, "The form could not be read.") from error
        person = self._doorkeeper.by_token(form.get("token", [""])[0].strip()) if self._doorkeeper.closed else None
        if person is None:
            return HTMLResponse(self._page.replace("<!--complaint-->", COMPLAINT), status_code=403)
        response = RedirectResponse("/", status_code=303)
        # Behind a proxy that ends TLS we see plain HTTP; the browser's Origin tells what it really used.
        secure = request.headers.get("origin", "").startswith("https:") or request.url.scheme == "https"
        response.set_cookie(
            COOKIE,
            self._doorkeeper.cookie_for(person),
            max_age=KEEP_SECONDS,
            httponly=True,
            samesite="strict",
            secure=secure,
        )
        return response

    async def leave(self, request: Request) -> Response:
        response = RedirectResponse("/login", status_code=303)
        response.delete_cookie(COOKIE, httponly=True, samesite="strict")
        return response
