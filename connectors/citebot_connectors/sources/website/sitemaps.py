"""Sitemaps and sitemap indexes (https://www.sitemaps.org/protocol.html), packed or not."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator

import httpx
from lxml import etree

from citebot.errors import StopSync
from citebot_connectors.sources.website.scope import plain_url

MAX_BYTES = 50_000_000
MAX_FILES = 500

Get = Callable[[str], httpx.Response]


def entries(get: Get, address: str) -> Iterator[tuple[str, str]]:
    """(page, lastmod or "") of a sitemap and all it leads to.

    Raises `StopSync` for anything that is not a sitemap: half of a list must not look like the whole.
    """
    pending, seen = [address], {address}
    while pending:
        current = pending.pop(0)
        root = _parsed(current, get(current))
        kind = etree.QName(root).localname
        for entry in root.iterchildren("{*}sitemap", "{*}url"):
            location = (entry.findtext("{*}loc") or "").strip()
            if kind != "sitemapindex":
                yield plain_url(location, current), (entry.findtext("{*}lastmod") or "").strip()
            elif (found := plain_url(location, current)) and found not in seen and len(seen) < MAX_FILES:
                seen.add(found)
                pending.append(found)


def _parsed(address: str, response: httpx.Response) -> etree._Element:
    if response.status_code != 200:
        raise StopSync(f"The sitemap {address} answers {response.status_code}. Nothing was removed.")
    data = response.content
    if data.startswith(b"\x1f\x8b"):
        data = _unpacked(address, data)
    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False, remove_comments=True)
    try:
        root = etree.fromstring(data, parser=parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise StopSync(f"The sitemap {address} is not readable as XML. Nothing was removed.") from error
    if root is None or etree.QName(root).localname not in ("urlset", "sitemapindex"):
        raise StopSync(f"{address} is no sitemap. Nothing was removed.")
    return root


def _unpacked(address: str, data: bytes) -> bytes:
    unpacking = zlib.decompressobj(wbits=31)
    try:
        unpacked = unpacking.decompress(data, MAX_BYTES)
    except zlib.error as error:
        raise StopSync(f"The sitemap {address} is damaged. Nothing was removed.") from error
    if not unpacking.eof:
        raise StopSync(f"The sitemap {address} is cut off, or larger than {MAX_BYTES:,} bytes. Nothing was removed.")
    return unpacked
