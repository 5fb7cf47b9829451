"""The client, and what its errors mean in one line."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from citebot.errors import IndexUnavailable
from citebot_plugins.elasticsearch.settings import ElasticsearchSettings

if TYPE_CHECKING:
    from elasticsearch import AsyncElasticsearch

MAJOR = 9
SETTING = "index.elasticsearch"
SPOKEN = f"Citebot speaks with {MAJOR}.x. Use a server of that version, or another index."
OTHER_PRODUCT = frozenset({400, 404, 405, 406})
"""What a server answers that does not know our requests; others may come from what stands before Elasticsearch."""
EXPIRED, OTHER_NAMES = 10, (62, 64)
"""X509_V_ERR_… of OpenSSL."""


def connect(settings: ElasticsearchSettings) -> AsyncElasticsearch:
    """A client that asks the next address where one cannot be reached, and tries nothing else again by itself.

    Its own tries ignore Retry-After and time limits. Every write may come twice: it carries its version.
    """
    try:
        from elasticsearch import AsyncElasticsearch
    except ImportError as error:
        raise IndexUnavailable(
            "The index “elasticsearch” needs a package that is not installed: pip install 'citebot[elasticsearch]'."
        ) from error
    how: dict[str, Any] = {
        "max_retries": len(settings.urls) - 1,
        "retry_on_status": (),
        "retry_on_timeout": False,
        "request_timeout": settings.search_seconds,
    }
    if key := settings.api_key.get_secret_value():
        how["api_key"] = key
    elif settings.username:
        how["basic_auth"] = (settings.username, settings.password.get_secret_value())
    if settings.uses_tls:
        how["ssl_context"] = _trusted(settings)
    if settings.fingerprint:
        how["ssl_assert_fingerprint"] = settings.fingerprint
    try:
        return AsyncElasticsearch(settings.urls, **how)
    except (ValueError, OSError) as error:
        raise IndexUnavailable(f"{SETTING} cannot be used: {error}.") from error


def _trusted(settings: ElasticsearchSettings) -> ssl.SSLContext:
    """A context of our own: the client's does not look whether an address without a name is in the certificate."""
    context = ssl.create_default_context()
    if settings.ca_file:
        try:
            context.load_verify_locations(settings.ca_file)
        except OSError as error:  # an SSLError is one
            raise IndexUnavailable(
                f"{SETTING}.ca_file {settings.ca_file} holds no certificates that can be read: {error.strerror}."
            ) from error
    return context


@contextmanager
def translated(settings: ElasticsearchSettings) -> Iterator[None]:
    """Whatever the client raises becomes `IndexUnavailable` with one line that says what to do."""
    from elastic_transport import SerializationError, TransportError
    from elasticsearch import ApiError, UnsupportedProductError
    from elasticsearch import ConnectionTimeout as TimedOut

    try:
        yield
    except (UnsupportedProductError, SerializationError) as error:
        raise IndexUnavailable(_another_product(settings)) from error
    except ApiError as error:
        if error.status_code in OTHER_PRODUCT and "x-elastic-product" not in error.meta.headers:
            raise IndexUnavailable(_another_product(settings)) from error
        raise IndexUnavailable(said(settings, error.status_code, error.body)) from error
    except TimedOut as error:
        raise IndexUnavailable(f"{_place(settings)} did not answer in time.") from error
    except TransportError as error:
        # The client keeps the cause in no other place.
        raise IndexUnavailable(_unreachable(settings, error.__context__)) from error


def _unreachable(settings: ElasticsearchSettings, cause: BaseException | None) -> str:
    """Why there is no connection."""
    from aiohttp import ClientConnectorCertificateError, ClientSSLError, ServerFingerprintMismatch

    place = _place(settings)
    if isinstance(cause, ServerFingerprintMismatch):
        return f"{place} shows another certificate than {SETTING}.fingerprint says: was it renewed there?"
    if isinstance(cause, ClientConnectorCertificateError):
        code = getattr(cause.certificate_error, "verify_code", 0)
        if code == EXPIRED:
            return f"The certificate of {place} has expired: renew it there."
        if code in OTHER_NAMES:
            return f"The certificate of {place} is for another name: write a name that is in it into {SETTING}.url."
        return f"The certificate of {place} is not trusted: set {SETTING}.ca_file or {SETTING}.fingerprint."
    if isinstance(cause, ClientSSLError):
        return f"{place} does not speak TLS: does {SETTING}.url begin with http:// ?"
    hint = "" if settings.uses_tls else " Where it speaks TLS, the address begins with https://."
    return f"{place} cannot be reached: check {SETTING}.url and that Elasticsearch runs.{hint}"


def _another_product(settings: ElasticsearchSettings) -> str:
    return f"{_place(settings)} is not Elasticsearch: check {SETTING}.url."


def said(settings: ElasticsearchSettings, status: int, body: object) -> str:
    """A refusal of the server's in one line, without what was sent."""
    kind, reason = reason_of(body)
    if status == 401:
        if settings.api_key.get_secret_value() or settings.username:
            return f"{_place(settings)} does not know the key or password: check {SETTING}.api_key."
        return f"{_place(settings)} wants to know who asks: set {SETTING}.api_key."
    if status == 403 and kind in ("security_exception", ""):  # the answer to a HEAD says nothing
        return not_allowed(reason)
    if kind == "media_type_header_exception":
        return f"{_place(settings)} is of an older version; {SPOKEN}"
    if kind == "cluster_block_exception":
        return f"The index on {_place(settings)} is read-only, most likely because its disk is full: make room there."
    if status == 429:
        return f"{_place(settings)} has too much to do."
    if status == 413:
        return f"{_place(settings)} takes no requests of that size: raise http.max_content_length there."
    if status >= 500:
        return f"{_place(settings)} cannot answer for now: {status} {kind}".rstrip() + "."
    return f"{_place(settings)} refused with {status} {kind or 'no reason'}."


def not_allowed(reason: str) -> str:
    """A refusal for want of a privilege, with what Elasticsearch says would be enough."""
    action = re.search(r"action \[(.+?)\] is unauthorized", reason)
    indices = re.search(r"on indices \[([^\]]+)\]", reason)
    privileges = re.search(r"granted by the (?:index|cluster) privileges \[([^\]]+)\]", reason)
    what = action[1] if action else "what was asked"
    where = f" on {indices[1]}" if indices else ""
    enough = f" (one of these privileges is needed: {', '.join(privileges[1].split(','))})" if privileges else ""
    return (
        f"Elasticsearch does not let this key do {what}{where}{enough}: "
        "`citebot index privileges` prints the role it needs."
    )


def reason_of(body: object) -> tuple[str, str]:
    """Type and reason of an error, as the body has them."""
    error = body.get("error") if isinstance(body, dict) else None
    if isinstance(error, dict):
        return str(error.get("type") or ""), str(error.get("reason") or "")
    return "", str(error or "")


async def check_server(client: AsyncElasticsearch) -> None:
    """Refuse a server of another generation."""
    number = str((await client.info())["version"]["number"])
    if int(number.split(".")[0]) != MAJOR:
        raise IndexUnavailable(f"The server is Elasticsearch {number}; {SPOKEN}")


def _place(settings: ElasticsearchSettings) -> str:
    """Without what an address says before its @."""
    return f"Elasticsearch at {re.sub(r'(?<=//)[^/@]*@', '', ', '.join(settings.urls))}"
