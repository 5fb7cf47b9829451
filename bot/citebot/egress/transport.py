"""The connection itself: resolved once, checked, and made to the very address that was checked.

The name stays what TLS and the Host header see. A second look at the name service, which could answer otherwise, never
happens.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

import httpcore
import httpx

from citebot.egress.addresses import Allowed, Resolver, checked_addresses
from citebot.errors import SettingsError


def system_resolver(host: str, port: int) -> list[str]:
    """Addresses as this machine finds them."""
    return [str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


class GuardedBackend(httpcore.NetworkBackend):
    """Opens connections to permitted addresses. Raises `Forbidden` through the request that wanted another one."""

    def __init__(self, allowed: Allowed, resolve: Resolver = system_resolver) -> None:
        self._allowed = allowed
        self._resolve = resolve
        self._sockets = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to the first address that answers."""
        try:
            addresses = checked_addresses(host, port, self._allowed, self._resolve)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(f"the name {host} is not known") from error
        failure: Exception = httpcore.ConnectError(f"the name {host} has no address")
        for address in addresses:
            try:
                return self._sockets.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure

    def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None
    ) -> httpcore.NetworkStream:
        """Never."""
        raise httpcore.ConnectError("sources have no business with unix sockets")


class GuardedTransport(httpx.BaseTransport):
    """httpx over `GuardedBackend`. httpx itself has no public way to hand in a backend."""

    def __init__(self, allowed: Allowed, *, ca_file: Path | None = None, resolve: Resolver = system_resolver) -> None:
        self._pool = httpcore.ConnectionPool(
            ssl_context=_trust(ca_file),
            max_connections=10,
            max_keepalive_connections=5,
            keepalive_expiry=30,
            network_backend=GuardedBackend(allowed, resolve),
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request; the body is a stream."""
        assert isinstance(request.stream, httpx.SyncByteStream), "ours are never asynchronous"
        url = request.url
        with _httpx_errors():
            answer = self._pool.handle_request(
                httpcore.Request(
                    method=request.method,
                    url=httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
                    headers=request.headers.raw,
                    content=request.stream,
                    extensions=request.extensions,
                )
            )
        assert isinstance(answer.stream, Iterable), "of a synchronous pool"
        return httpx.Response(answer.status, headers=answer.headers, stream=_Body(answer), extensions=answer.extensions)

    def close(self) -> None:
        """Close every connection."""
        self._pool.close()


def _trust(ca_file: Path | None) -> ssl.SSLContext:
    """One for all connections, as long as the file is the same: certificates take 40 ms to load."""
    changed = ca_file.stat().st_mtime_ns if ca_file is not None and ca_file.exists() else 0
    return _loaded_trust(ca_file, changed)


@lru_cache(maxsize=4)
def _loaded_trust(ca_file: Path | None, changed: int) -> ssl.SSLContext:
    del changed
    context = httpx.create_ssl_context(trust_env=False)
    if ca_file is not None:
        try:
            context.load_verify_locations(cafile=ca_file)
        except (OSError, ssl.SSLError) as error:
            raise SettingsError(f"egress.ca_file: {ca_file} holds no certificates ({error}).") from error
    return context


class _Body(httpx.SyncByteStream):
    def __init__(self, answer: httpcore.Response) -> None:
        self._answer = answer

    def __iter__(self) -> Iterator[bytes]:
        with _httpx_errors():
            yield from self._answer.iter_stream()

    def close(self) -> None:
        self._answer.close()


@contextmanager
def _httpx_errors() -> Iterator[None]:
    """The two libraries name their errors alike."""
    try:
        yield
    except (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError, httpcore.ProxyError) as error:
        raise getattr(httpx, type(error).__name__, httpx.TransportError)(str(error)) from error
    except httpcore.UnsupportedProtocol as error:
        raise httpx.UnsupportedProtocol(str(error)) from error
