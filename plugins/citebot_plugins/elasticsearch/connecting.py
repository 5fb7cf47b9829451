"""The client, and what its errors mean in one line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from citebot.errors import IndexUnavailable
from citebot_plugins.elasticsearch.settings import ElasticsearchSettings

if TYPE_CHECKING:
    from elasticsearch import AsyncElasticsearch

MAJOR = 9
SETTING = "index.elasticsearch"
_PRIVILEGE = re.compile(r"action \[([^\]]+)\].*?(?:on indices \[([^\]]*)\])?", re.DOTALL)


def connect(settings: ElasticsearchSettings) -> AsyncElasticsearch:
    """A client that tries nothing again by itself: its own tries ignore Retry-After and time limits."""
    try:
        from elasticsearch import AsyncElasticsearch
    except ImportError as error:
        raise IndexUnavailable(
            "The index “elasticsearch” needs a package that is not installed: pip install 'citebot[elasticsearch]'."
        ) from error
    how: dict[str, Any] = {"max_retries": 0, "retry_on_timeout": False, "request_timeout": settings.search_seconds}
    if key := settings.api_key.get_secret_value():
        how["api_key"] = key
    elif settings.username:
        how["basic_auth"] = (settings.username, settings.password.get_secret_value())
    if settings.ca_file:
        how["ca_certs"] = settings.ca_file
    if settings.fingerprint:
        how["ssl_assert_fingerprint"] = settings.fingerprint
    try:
        return AsyncElasticsearch(settings.urls, **how)
    except (ValueError, OSError) as error:
        raise IndexUnavailable(f"{SETTING} cannot be used: {error}.") from error


@contextmanager
def translated(settings: ElasticsearchSettings) -> Iterator[None]:
    """Whatever the client raises becomes `IndexUnavailable` with one line that says what to do."""
    from elastic_transport import TlsError, TransportError
    from elasticsearch import ApiError, UnsupportedProductError
    from elasticsearch import ConnectionTimeout as TimedOut

    try:
        yield
    except UnsupportedProductError as error:
        raise IndexUnavailable(f"{_place(settings)} is not Elasticsearch: check {SETTING}.url.") from error
    except ApiError as error:
        raise IndexUnavailable(said(settings, error.status_code, error.body)) from error
    except TlsError as error:
        raise IndexUnavailable(
            f"The certificate of {_place(settings)} is not trusted: set {SETTING}.ca_file or {SETTING}.fingerprint."
        ) from error
    except TimedOut as error:
        raise IndexUnavailable(f"{_place(settings)} did not answer in time.") from error
    except TransportError as error:
        raise IndexUnavailable(
            f"{_place(settings)} cannot be reached: check {SETTING}.url and that Elasticsearch runs."
        ) from error


def said(settings: ElasticsearchSettings, status: int, body: object) -> str:
    """A refusal of the server's in one line, without what was sent."""
    kind, reason = reason_of(body)
    if status == 401:
        return f"{_place(settings)} does not know the key or password: check {SETTING}.api_key."
    if status == 403 and kind == "security_exception":
        found = _PRIVILEGE.search(reason)
        what = found[1] if found else "what was asked"
        return (
            f"{_place(settings)} does not let this key do {what}: `citebot index privileges` prints the role it needs."
        )
    if kind == "cluster_block_exception":
        return f"The index on {_place(settings)} is read-only, most likely because its disk is full: make room there."
    if status == 429:
        return f"{_place(settings)} has too much to do."
    if status == 413:
        return f"{_place(settings)} takes no requests of that size: raise http.max_content_length there."
    return f"{_place(settings)} refused with {status} {kind or 'no reason'}."


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
        raise IndexUnavailable(
            f"The server is Elasticsearch {number}; Citebot speaks with {MAJOR}.x. Upgrade it, or use another index."
        )


def _place(settings: ElasticsearchSettings) -> str:
    return f"Elasticsearch at {re.sub(r'(?<=//)[^/@]*@', '', settings.urls[0] if settings.urls else '?')}"
