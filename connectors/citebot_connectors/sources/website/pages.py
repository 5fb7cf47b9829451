"""What a page says about itself: its text, links, canonical address, dates, and whether it is a page at all."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx
from lxml import etree
from lxml.html import HtmlElement, HTMLParser, document_fromstring, tostring

from citebot.model import DocumentFormat
from citebot_connectors.sources.website.scope import plain_url

TYPES: dict[str, DocumentFormat] = {
    "text/html": "html",
    "application/xhtml+xml": "html",
    "text/plain": "text",
    "text/markdown": "markdown",
    "application/pdf": "pdf",
}
LITTLE_TEXT = 1_500
"""Characters; a page with a password field and no more text than this is there to log in."""
_LOGIN_PATH = re.compile(r"(?i)/(log-?in|sign-?in|signon|sso|saml2?|oauth2?|authenticate|cas)(/|\.\w+|$)")
_SPACE = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class WebPage:
    """One answer of the site, read."""

    url: str
    """Where it was found after redirects."""
    canonical: str
    title: str
    body: str | bytes
    format: DocumentFormat
    links: tuple[str, ...]
    digest: str
    """Of what people read, not of the bytes: those often hold a number that changes every time."""
    updated: datetime | None
    noindex: bool
    login: bool


def read_page(response: httpx.Response, asked: str) -> WebPage | None:
    """The page of an answer with status 200; None for pictures and whatever else is no text."""
    kind = TYPES.get(response.headers.get("content-type", "text/html").partition(";")[0].strip().lower())
    if kind is None:
        return None
    url = plain_url(str(response.url))
    noindex = "noindex" in response.headers.get("x-robots-tag", "").lower()
    moved_to_login = bool(_LOGIN_PATH.search(response.url.path)) and not _LOGIN_PATH.search(asked)
    changed = _http_date(response.headers.get("last-modified", ""))
    if kind != "html":
        body: str | bytes = response.content if kind == "pdf" else response.text
        name = response.url.path.rstrip("/").rpartition("/")[2]
        digest = hashlib.sha256(response.content).hexdigest()
        return WebPage(url, url, name, body, kind, (), digest, changed, noindex, moved_to_login)
    tree = _tree(response)
    if tree is None:
        return WebPage(url, url, url, "", "html", (), "", changed, noindex, moved_to_login)
    return _html(tree, url, changed, noindex=noindex, login=moved_to_login)


def _html(tree: HtmlElement, url: str, changed: datetime | None, *, noindex: bool, login: bool) -> WebPage:
    robots = " ".join(tree.xpath("//meta[translate(@name, 'ROBTS', 'robts')='robots']/@content")).lower()
    base = plain_url(_first(tree, "//base/@href"), url) or url
    canonical = _first(tree, "//link[@rel='canonical']/@href")
    main = _main(tree)
    text = _SPACE.sub(" ", "".join(main.itertext())).strip()
    follow = "nofollow" not in robots
    anchors = tree.xpath("//a[@href][not(contains(@rel, 'nofollow'))]/@href") if follow else ()
    links = dict.fromkeys(filter(None, (plain_url(str(link), base) for link in anchors)))
    title = (
        _first(tree, "//meta[@property='og:title']/@content") or _text(tree, "//h1") or _text(tree, "//title") or url
    )
    modified = _first(tree, "//meta[@property='article:modified_time']/@content")
    return WebPage(
        url=url,
        canonical=plain_url(canonical, base) if canonical else url,
        title=title,
        body=tostring(main, encoding="unicode", with_tail=False),
        format="html",
        links=tuple(links),
        digest=hashlib.sha256(f"{title}\n{text}".encode("utf-8", "replace")).hexdigest(),
        updated=_iso_date(modified) or changed,
        noindex=noindex or "noindex" in robots or "none" in robots.split(","),
        login=login or (bool(tree.xpath("//input[@type='password']")) and len(text) < LITTLE_TEXT),
    )


def _tree(response: httpx.Response) -> HtmlElement | None:
    # What httpx makes of header and content is tried first; without a charset the page's own <meta> decides.
    data = response.text.encode("utf-8", "replace") if response.charset_encoding else response.content
    parser = HTMLParser(
        no_network=True,
        remove_comments=True,
        remove_pis=True,
        huge_tree=False,
        encoding="utf-8" if response.charset_encoding else None,
    )
    try:
        return document_fromstring(data, parser=parser)
    except (etree.ParserError, etree.XMLSyntaxError, ValueError):
        return None


def _main(tree: HtmlElement) -> HtmlElement:
    """What the page is about: its one main or article element, else all of its body but the site's own header."""
    for path in ("//main", "//*[@role='main']", "//article"):
        found = tree.xpath(path)
        if len(found) == 1 and "".join(found[0].itertext()).strip():
            return found[0]
    body = tree.find("body")
    whole = body if body is not None else tree
    for element in whole.xpath("./header | .//nav | .//*[@role='navigation' or @role='banner' or @role='contentinfo']"):
        element.drop_tree()
    return whole


def _first(tree: HtmlElement, path: str) -> str:
    return next((str(value).strip() for value in tree.xpath(path)), "")


def _text(tree: HtmlElement, path: str) -> str:
    found = tree.xpath(path)
    return _SPACE.sub(" ", "".join(found[0].itertext())).strip() if found else ""


def _http_date(text: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(text)
    except ValueError:
        return None
    return found.replace(tzinfo=found.tzinfo or UTC)


def _iso_date(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found.replace(tzinfo=found.tzinfo or UTC)
