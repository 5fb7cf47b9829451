"""What every request must pass and every response must carry, as one ASGI wrapper."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from citebot.model import Person
from citebot_connectors.platforms.console.settings import is_loopback

CONTENT_SECURITY_POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    ]
)
SECURITY_HEADERS = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",  # no-referrer would make browsers send "Origin: null" with our own forms
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}
OPEN_PATHS = frozenset({"/livez", "/readyz", "/login", "/favicon.ico", "/metrics"})
"""The metrics look for their own token where nobody is signed in."""
OPEN_FOLDERS = ("/static/", "/hooks/")
"""Whoever calls a hook signs what they send; the source checks it."""
CACHED_FOLDERS = ("/static/",)
HOST = re.compile(r"(?P<name>\[[0-9a-f:.]+\]|[a-z0-9.-]+)(?::\d{1,5})?")
MAX_HEADERS = 32 * 1024
SAFE_METHODS = frozenset({"GET", "HEAD"})


class Guard:
    """Refuses foreign hosts, foreign pages and strangers before a handler sees the request."""

    def __init__(
        self, app: ASGIApp, *, local: bool, who: Callable[[Mapping[str, str]], Person | None], host: str
    ) -> None:
        self._app = app
        self._local = local
        self._who = who
        self._host = host.strip("[]").lower()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        sending = _with_headers(send, secure=scope["path"])
        headers = Headers(scope=scope)
        refusal = self._foreign(scope["method"], headers) or self._stranger(scope, headers)
        await (refusal or self._app)(scope, receive, sending)

    def _foreign(self, method: str, headers: Headers) -> Response | None:
        if sum(len(name) + len(value) for name, value in headers.raw) > MAX_HEADERS:
            return refuse(431, "The headers of this request are too large.")
        host = headers.get("host", "").lower()
        match = HOST.fullmatch(host)
        if match is None or len(headers.getlist("host")) != 1:
            return refuse(400, "The Host header is missing or malformed.")
        if self._local and not self._is_own_name(match["name"]):
            # A page elsewhere may point its own name at 127.0.0.1; the browser then sends that name here.
            return refuse(403, f"This server answers only as localhost, not as {match['name']}.")
        if headers.get("sec-fetch-site", "none") not in ("none", "same-origin") and not _is_navigation(method, headers):
            return refuse(403, "Requests from other websites are not answered.")
        origin = headers.get("origin")
        if method not in SAFE_METHODS and origin is not None and not _same_origin(origin, host):
            return refuse(403, "Requests from other websites are not answered.")
        return None

    def _is_own_name(self, name: str) -> bool:
        return is_loopback(name) or name.strip("[]") == self._host

    def _stranger(self, scope: Scope, headers: Headers) -> Response | None:
        path = scope["path"]
        person = self._who(headers)
        scope.setdefault("state", {})["person"] = person
        if person is not None or path in OPEN_PATHS or path.startswith(OPEN_FOLDERS):
            return None
        if path.startswith("/api/") or scope["method"] not in SAFE_METHODS:
            return refuse(401, "Sign in first: send your token as a Bearer token.", {"www-authenticate": "Bearer"})
        return RedirectResponse("/login", status_code=303)


def refuse(status: int, line: str, headers: Mapping[str, str] | None = None) -> Response:
    """An error as one line of JSON."""
    return JSONResponse({"error": line}, status_code=status, headers=headers)


def _same_origin(origin: str, host: str) -> bool:
    try:
        parts = urlsplit(origin.lower())
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and parts.netloc == host and not (parts.path or parts.query)


def _is_navigation(method: str, headers: Headers) -> bool:
    # Following a link from elsewhere to our page is fine: it shows nothing to the page it came from.
    return method in SAFE_METHODS and headers.get("sec-fetch-mode") == "navigate"


def _with_headers(send: Send, *, secure: str) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in SECURITY_HEADERS.items():
                headers.setdefault(name, value)
            if not secure.startswith(CACHED_FOLDERS):
                headers.setdefault("cache-control", "no-store")
        await send(message)

    return sending
