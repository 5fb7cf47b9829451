"""Addresses from our own records, as messages may have them."""

from __future__ import annotations

from urllib.parse import quote, urlsplit


def safe_address(url: str) -> str:
    """The address of a page, with nothing in it that would end a link; empty for anything else."""
    if not url.isprintable():
        return ""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    if parts.scheme not in ("http", "https") or not parts.netloc:
        return ""
    return quote(url, safe="%/:?#[]@!$&'()*+,;=~")
