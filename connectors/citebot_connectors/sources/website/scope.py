"""Addresses of pages: one spelling each, and whether a page belongs to the site."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit, urlunsplit

MAX_URL = 500
"""Bytes; longer ones are traps or sessions."""
_TRACKING = re.compile(r"(?i)utm_\w+|gclid|fbclid|msclkid|mc_[ce]id|igshid|phpsessid|jsessionid|sessionid|sid")
_PORTS = {"http": 80, "https": 443}


def plain_url(url: str, base: str = "") -> str:
    """One spelling: absolute, no fragment, no tracking, no default port; empty for what is no web page."""
    try:
        parts = urlsplit(urljoin(base, url.strip()))
        port = parts.port
    except ValueError:
        return ""
    host = (parts.hostname or "").rstrip(".")
    if parts.scheme not in _PORTS or not host:
        return ""
    if ":" in host:
        host = f"[{host}]"
    netloc = host if port in (None, _PORTS[parts.scheme]) else f"{host}:{port}"
    query = urlencode([(k, v) for k, v in parse_qsl(parts.query, keep_blank_values=True) if not _TRACKING.fullmatch(k)])
    path = parts.path or "/"
    if "/." in path and not path.startswith("//"):
        path = urlsplit(urljoin(f"{parts.scheme}://{netloc}/", path)).path
    plain = urlunsplit((parts.scheme, netloc, path, query, ""))
    return plain if len(plain.encode("utf-8", "replace")) <= MAX_URL else ""


class Scope:
    """The pages of one site: its server, the folder of its first page, and what settings choose of that."""

    def __init__(self, url: str, *, include: Sequence[str], exclude: Sequence[str]) -> None:
        self.start = plain_url(url)
        parts = urlsplit(self.start)
        self._server = (parts.scheme, parts.netloc)
        self._folder = parts.path[: parts.path.rfind("/") + 1]
        self._include = include
        self._exclude = exclude

    @property
    def root(self) -> str:
        """The server's address, without a slash at the end."""
        return f"{self._server[0]}://{self._server[1]}"

    def same_server(self, url: str) -> bool:
        """Whether an address is on this server."""
        parts = urlsplit(url)
        return (parts.scheme, parts.netloc) == self._server

    def wants(self, url: str) -> bool:
        """Whether a page is to be read."""
        path = urlsplit(url).path or "/"
        if not self.same_server(url) or not path.startswith(self._folder):
            return False
        if any(fnmatchcase(path, glob) for glob in self._exclude):
            return False
        return any(fnmatchcase(path, glob) for glob in self._include)
