"""`ctx.http`: the only way a source reaches the network."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from http.cookiejar import CookieJar
from typing import Any, Literal

import httpx
import structlog

from citebot.egress.addresses import Allowed, Forbidden, checked_addresses
from citebot.egress.pacing import TokenBucket
from citebot.egress.retrying import ATTEMPTS, LONGEST_WAIT, asked_delay, asks_to_wait, own_delay
from citebot.egress.transport import GuardedTransport, system_resolver
from citebot.errors import Retry, SkipDocument, StopSync
from citebot.logging_setup import without_secrets
from citebot.model import Json
from citebot.settings import EgressSettings

USER_AGENT = "Citebot (+https://github.com/citebot/citebot)"
REDIRECTS = 5
BURST_SECONDS = 2.0
"""What may be caught up after a pause, in seconds of the rate."""
SLOWEST = 4
"""A body may take this many times the timeout in all: one byte before each timeout would keep us for ever."""
_PUBLIC_HEADERS = frozenset({"accept", "accept-language", "if-none-match", "if-modified-since", "user-agent"})
"""What any server may see. Other headers may carry a secret, and stay with the server they are meant for."""


Counted = Callable[[Literal["request", "retry"]], None]
"""Called for every request that is sent, and before each that repeats another."""


@dataclass(frozen=True, slots=True)
class Time:
    """Time and chance, so that tests may hold them."""

    monotonic: Callable[[], float] = time.monotonic
    wall: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))
    sleep: Callable[[float], None] = time.sleep
    chance: Callable[[], float] = random.random


class SourceHttp:
    """Requests of one source: to permitted addresses, paced, tried again, cut at a size, logged without secrets.

    `patience` is for somebody who waits: seconds after which nothing is tried again, and to connect in.
    Serial: not for several threads at once. Cookies last until it is closed, or as long as the jar it was given.
    """

    def __init__(
        self,
        settings: EgressSettings,
        *,
        source: str,
        stop: Callable[[], bool],
        transport: httpx.BaseTransport | None = None,
        times: Time | None = None,
        counted: Counted = lambda what: None,
        cookies: CookieJar | None = None,
        patience: float | None = None,
    ) -> None:
        self._settings = settings
        self._patience = patience
        self._stop = stop
        self._counted = counted
        self._time = times or Time()
        self._log = structlog.get_logger("citebot.egress").bind(source=source)
        self._buckets: dict[str, TokenBucket] = {}
        self._transport = transport
        self._cookies = cookies

    @cached_property
    def _client(self) -> httpx.Client:
        # Made when it is used: sources that read no network need no certificates.
        allowed = Allowed(self._settings.allow)
        return httpx.Client(
            transport=self._transport or GuardedTransport(allowed, ca_file=self._settings.ca_file),
            headers={"user-agent": USER_AGENT},
            cookies=self._cookies,
            timeout=httpx.Timeout(
                self._settings.timeout_seconds, connect=self._patience or self._settings.timeout_seconds
            ),
            follow_redirects=False,
            trust_env=False,  # a proxy of the environment would connect where we cannot look
        )

    def close(self) -> None:
        """Close every connection."""
        if "_client" in self.__dict__:
            self._client.close()

    def forget_cookies(self) -> None:
        """End every session, as the server may at any time."""
        self._client.cookies.clear()

    def get(
        self, url: str, *, params: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        """GET, redirects followed."""
        return self._send("GET", url, headers=headers, params=params)

    def post(
        self,
        url: str,
        *,
        data: Mapping[str, str] | None = None,
        json: Json = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """POST a form or JSON."""
        body: dict[str, Any] = {"data": data} if data is not None else {"json": json}
        return self._send("POST", url, headers=headers, **body)

    def resolve(self, host: str, port: int) -> str:
        """An address to pin."""
        try:
            addresses = checked_addresses(host, port, Allowed(self._settings.allow), system_resolver)
        except Forbidden as error:
            raise StopSync(_refusal(error)) from error
        except (OSError, UnicodeError) as error:
            raise Retry(f"The name {host} is not known: check the address.") from error
        return addresses[0]

    # --- one request, until it is answered ----------------------------------------------------------------------

    def _send(self, method: str, url: str, *, headers: Mapping[str, str] | None, **body: Any) -> httpx.Response:
        request = self._request(method, url, headers=dict(headers or {}), **body)
        for _ in range(REDIRECTS + 1):
            response = self._answered(request)
            if response.status_code not in (301, 302, 303, 307, 308) or "location" not in response.headers:
                return response
            request = self._redirected(request, response)
        raise StopSync(f"{_shown(request.url)} redirects more than {REDIRECTS} times.")

    def _request(self, method: str, url: str | httpx.URL, **parts: Any) -> httpx.Request:
        try:
            request = self._client.build_request(method, url, **parts)
        except (httpx.InvalidURL, UnicodeError, ValueError) as error:
            raise StopSync(f"“{without_secrets(str(url))}” is no address of a web server.") from error
        if request.url.scheme not in ("http", "https") or not request.url.host:
            raise StopSync(f"“{_shown(request.url)}” is no http or https address.")
        return request

    def _answered(self, request: httpx.Request) -> httpx.Response:
        """The answer, after as many attempts as it takes and settings allow."""
        waited, began = 0.0, self._time.monotonic()
        for attempt in range(ATTEMPTS):
            self._pause(self._bucket(request.url).delay())
            response, why = self._attempt(request)
            if response is not None and not asks_to_wait(response):
                self._heed_limits(response)
                return response
            asked = asked_delay(response, self._time.wall()) if response is not None else None
            delay = own_delay(attempt, self._time.chance) if asked is None else asked
            waited += delay
            late = self._patience is not None and self._time.monotonic() + delay - began > self._patience
            if late or waited > LONGEST_WAIT or attempt == ATTEMPTS - 1:
                hint = "try again later" if response is not None else "check the address, and whether the server runs"
                raise Retry(f"{_host(request.url)} {why}: {hint}.", after=asked)
            self._counted("retry")
            self._log.info("asked again later", host=_host(request.url), why=why, seconds=round(delay, 1))
            if asked is not None:
                self._bucket(request.url).close_for(asked)
            else:
                self._pause(delay)
        raise AssertionError("the last attempt returns or raises")

    def _attempt(self, request: httpx.Request) -> tuple[httpx.Response | None, str]:
        """The answer, or None and what went wrong on the way."""
        began = self._time.monotonic()
        self._counted("request")
        try:
            response = self._read(self._client.send(request, stream=True), began)
        except Forbidden as error:
            raise StopSync(_refusal(error)) from error
        except httpx.UnsupportedProtocol as error:
            raise StopSync(f"“{_shown(request.url)}” is no http or https address.") from error
        except httpx.DecodingError as error:
            return None, f"sent an answer that is damaged ({error})"
        except httpx.TimeoutException:
            return None, f"did not answer within {self._settings.timeout_seconds:g} s"
        except httpx.TransportError as error:
            return None, f"cannot be reached ({without_secrets(str(error)) or type(error).__name__})"
        self._log.debug(
            "request",
            method=request.method,
            url=_shown(request.url),
            status=response.status_code,
            bytes=len(response.content),
            ms=round((self._time.monotonic() - began) * 1000),
        )
        return response, f"answers {response.status_code}"

    def _read(self, response: httpx.Response, began: float) -> httpx.Response:
        """The response with its whole body, if that is not too much."""
        body = bytearray()
        try:
            for piece in response.iter_bytes():
                body += piece
                if len(body) > self._settings.max_response_bytes:
                    shown = _shown(response.request.url)
                    most = self._settings.max_response_bytes
                    raise SkipDocument(f"{shown} is larger than {most:,} bytes.", document=shown)
                if self._time.monotonic() - began > SLOWEST * self._settings.timeout_seconds:
                    raise httpx.ReadTimeout("the answer never ends")
        finally:
            response.close()
        headers = [(k, v) for k, v in response.headers.multi_items() if k not in _OF_THE_WIRE]
        return httpx.Response(response.status_code, headers=headers, content=bytes(body), request=response.request)

    # --- redirects ---------------------------------------------------------------------------------------------

    def _redirected(self, request: httpx.Request, response: httpx.Response) -> httpx.Request:
        try:
            target = request.url.join(response.headers["location"])
        except (httpx.InvalidURL, UnicodeError, ValueError) as error:
            raise StopSync(f"{_shown(request.url)} redirects to something that is no address.") from error
        headers = {k: v for k, v in request.headers.items() if k not in _OF_THE_CLIENT}
        if not _same_server(request.url, target):
            private = set(headers) - _PUBLIC_HEADERS or request.method != "GET"
            if private:
                raise StopSync(
                    f"{_shown(request.url)} redirects to another server, {_host(target)}, which must not get what was "
                    "sent. If that is the right one, use its address."
                )
        if request.method == "POST" and response.status_code in (307, 308):
            return self._request("POST", target, headers=headers, content=request.content)
        headers.pop("content-type", None)
        return self._request("GET", target, headers=headers)

    # --- pace --------------------------------------------------------------------------------------------------

    def _bucket(self, url: httpx.URL) -> TokenBucket:
        host = _host(url)
        if host not in self._buckets:
            rate = self._settings.requests_per_second
            self._buckets[host] = TokenBucket(rate, burst=max(1.0, rate * BURST_SECONDS), clock=self._time.monotonic)
        return self._buckets[host]

    def _heed_limits(self, response: httpx.Response) -> None:
        """A server that says its limit is used up is not asked before it is filled again."""
        if response.headers.get("x-ratelimit-remaining") == "0":
            seconds = asked_delay(response, self._time.wall()) or 0.0
            self._bucket(response.request.url).close_for(min(seconds, LONGEST_WAIT))

    def _pause(self, seconds: float) -> None:
        until = self._time.monotonic() + seconds
        while (left := until - self._time.monotonic()) > 0:
            if self._stop():
                raise StopSync("The run was ended before it was done.")
            self._time.sleep(min(left, 0.5))


_OF_THE_WIRE = frozenset({"content-encoding", "content-length", "transfer-encoding"})
"""Headers that say how a body travelled; ours has arrived."""
_OF_THE_CLIENT = frozenset({"host", "cookie", "content-length", "connection", "accept-encoding", "user-agent"})
"""Headers that httpx makes anew for every request."""


def open_http(
    settings: EgressSettings,
    *,
    source: str,
    stop: Callable[[], bool],
    counted: Counted = lambda what: None,
    cookies: CookieJar | None = None,
    patience: float | None = None,
) -> SourceHttp:
    """`ctx.http` for one run of one source."""
    return SourceHttp(settings, source=source, stop=stop, counted=counted, cookies=cookies, patience=patience)


def _refusal(error: Forbidden) -> str:
    if error.never:
        return f"{error.host}:{error.port} leads to an address where no web server of a team is, so it is not read."
    return (
        f"{error.host}:{error.port} is not a public web server, so it is not read. If it is one of your own, "
        f"add “{error.host}:{error.port}” to egress.allow in the settings."
    )


def _same_server(here: httpx.URL, there: httpx.URL) -> bool:
    """The same scheme, host and port, or the step from http to https of one host."""
    if (here.scheme, here.host, here.port) == (there.scheme, there.host, there.port):
        return True
    return here.host == there.host and (here.scheme, there.scheme, here.port, there.port) == (
        "http",
        "https",
        None,
        None,
    )


def _host(url: httpx.URL) -> str:
    return url.host if url.port is None else f"{url.host}:{url.port}"


def _shown(url: httpx.URL) -> str:
    """An address without what may be secret in it: name and password, and the values of its query."""
    return str(url.copy_with(username=None, password=None, query=None, fragment=None))
