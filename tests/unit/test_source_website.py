"""The source `website` on a real server whose pages are edited, moved, closed and broken."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from citebot.egress import SourceHttp, Time
from citebot.errors import CursorExpired, SourceError, StopSync
from citebot.ingest.blocks.html import html_blocks
from citebot.model import Document, Failed, Gone, Ref
from citebot.ports import PartContext, SourceContext
from citebot.settings import EgressSettings
from citebot.testing.local_server import LocalServer, Received, Sent, local_server
from citebot_connectors.sources.website import WebsiteSource
from citebot_connectors.sources.website.scope import Scope, plain_url

LOGIN = "<html><body><form><input name=u><input type=password name=p></form>Please sign in.</body></html>"


class Site:
    """Pages by path; answers conditional requests as servers do."""

    def __init__(self) -> None:
        self.pages: dict[str, Sent] = {}

    def put(self, path: str, body: str | bytes, **headers: str) -> None:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        self.pages[path] = Sent(body, headers={"content-type": "text/html; charset=utf-8", **given})

    def page(self, path: str, text: str, *links: str, head: str = "", **headers: str) -> None:
        anchors = "".join(f'<a href="{link}">x</a>' for link in links)
        body = f"<html><head><title>T {path}</title>{head}</head><body><p>{text}</p>{anchors}</body></html>"
        self.put(path, body, **headers)

    def sitemap(self, *urls: tuple[str, str], path: str = "/sitemap.xml") -> None:
        rows = "".join(f"<url><loc>{url}</loc>{f'<lastmod>{m}</lastmod>' if m else ''}</url>" for url, m in urls)
        self.put(path, f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{rows}</urlset>')

    def answer(self, received: Received) -> Sent | None:
        found = self.pages.get(received.path, Sent("not here", status=404))
        etag = found.headers.get("etag") if found is not None else None
        if etag and received.headers.get("if-none-match") == etag:
            return Sent(status=304, headers={"etag": etag})
        return found


@pytest.fixture
def site() -> Site:
    return Site()


@pytest.fixture
def server(site: Site) -> Iterator[LocalServer]:
    with local_server(site.answer) as served:
        yield served


@pytest.fixture
def ctx(source_context: SourceContext) -> Iterator[SourceContext]:
    settings = EgressSettings(allow=["127.0.0.0/8"], requests_per_second=10_000, timeout_seconds=5)
    with closing(SourceHttp(settings, source="site", stop=lambda: False, times=Time(chance=lambda: 0.0))) as http:
        yield replace(source_context, http=http)


def make(server: LocalServer, **values: Any) -> WebsiteSource:
    settings = WebsiteSource.Settings.model_validate({"url": f"{server.url}/", **values})
    return WebsiteSource(settings, PartContext(Path()))  # type: ignore[arg-type]


def listed(source: WebsiteSource, ctx: SourceContext) -> dict[str, str]:
    items = [item for batch in source.list(ctx, None) for item in batch.items]
    assert len(items) == len({item.id for item in items})
    return {item.id: item.version for item in items if isinstance(item, Ref)}


def paths(server: LocalServer, found: dict[str, str]) -> set[str]:
    return {url.removeprefix(server.url) for url in found}


def fetch(source: WebsiteSource, ctx: SourceContext, url: str) -> Document | Gone | Failed:
    (found,) = source.fetch(ctx, [url])
    return found


# --- which pages ----------------------------------------------------------------------------------------------------


def test_links_are_followed_within_the_site(site: Site, server: LocalServer, ctx: SourceContext) -> None:
    site.page("/", "Start.", "/a", "b#part", "https://elsewhere.example/x", "mailto:x@y", "/pic.png", "javascript:x")
    site.page("/a", "A.", "/b?utm_source=x", "/c/")
    site.page("/b", "B.", "/")
    site.page("/c/", "C.", "../a", "deep?page=2")
    site.page("/c/deep", "Deep.")
    site.put("/pic.png", b"\x89PNG", content_type="image/png")
    found = listed(make(server), ctx)
    assert paths(server, found) == {"/", "/a", "/b", "/c/", "/c/deep?page=2"}


def test_depth_number_folder_and_patterns_limit(site: Site, server: LocalServer, ctx: SourceContext) -> None:
    for number in range(9):
        site.page(f"/docs/{number}", f"Page {number}.", f"/docs/{number + 1}", "/outside")
    site.page("/outside", "Outside.")
    start = f"{server.url}/docs/0"
    assert len(listed(make(server, url=start), ctx)) == 7, "the first and six links from it"
    assert len(listed(make(server, url=start, max_depth=2), ctx)) == 3
    assert len(listed(make(server, url=start, max_pages=4), ctx)) == 4
    assert paths(server, listed(make(server, url=start, exclude=["/docs/3"]), ctx)) == {f"/docs/{n}" for n in range(3)}
    assert paths(server, listed(make(server, url=start, include=["/docs/[1-4]"]), ctx)) == {
        f"/docs/{n}" for n in range(1, 5)
    }


def test_robots_txt_is_obeyed(site: Site, server: LocalServer, ctx: SourceContext) -> None:
    site.page("/", "Start.", "/open", "/closed/x", "/open?print=1")
    site.page("/open", "Open.")
    site.page("/closed/x", "Closed.")
    rules = "User-agent: *\nDisallow: /closed/\nDisallow: /*?print\n"
    site.put("/robots.txt", rules, content_type="text/plain")
    source = make(server)
    assert paths(server, listed(source, ctx)) == {"/", "/open"}
    assert fetch(source, ctx, f"{server.url}/closed/x") == Gone(f"{server.url}/closed/x", "no_access")
    site.put("/robots.txt", "User-agent: Citebot\nDisallow: /\n", content_type="text/plain")
    (finding,) = make(server).check(ctx)
    assert "asks us not to read" in finding.what
    site.pages["/robots.txt"] = Sent(status=500)
    with pytest.raises(StopSync, match="until it answers"):
        listed(make(server), ctx)


def test_noindex_and_nofollow_are_obeyed(site: Site, server: LocalServer, ctx: SourceContext) -> None:
    site.page("/", "Start.", "/noindex", "/header", "/nofollow")
    site.page("/noindex", "No.", "/behind", head='<meta name="Robots" content="noindex">')
    site.page("/behind", "Behind.")
    site.page("/header", "No.", x_robots_tag="noindex")
    site.page("/nofollow", "Yes.", "/unlinked", head='<meta name="robots" content="nofollow">')
    site.page("/unlinked", "Never found.")
    assert paths(server, listed(make(server), ctx)) == {"/", "/behind", "/nofollow"}
    assert isinstance(fetch(make(server), ctx, f"{server.url}/noindex"), Gone)


def test_redirects_and_canonical_addresses_make_one_page_of_many(
    site: Site, server: LocalServer, ctx: SourceContext
) -> None:
    site.page("/", "Start.", "/old", "/new/", "/new", "/away", "/wrong1", "/copy")
    site.pages["/old"] = Sent(status=301, headers={"location": "/new/"})
    site.page("/new/", "New.", head=f'<link rel="canonical" href="{server.url}/new/">')
    site.page("/new", "New.", head=f'<link rel="canonical" href="{server.url}/new/">')
    site.pages["/away"] = Sent(status=302, headers={"location": "http://192.0.2.1/"})
    site.page("/wrong1", "Its own text.", head=f'<link rel="canonical" href="{server.url}/">')
    source = make(server)
    assert paths(server, listed(source, ctx)) == {"/", "/new/", "/wrong1"}
    assert isinstance(fetch(source, ctx, f"{server.url}/old"), Gone)
    assert isinstance(fetch(source, ctx, f"{server.url}/new"), Gone)
    assert isinstance(fetch(source, ctx, f"{server.url}/new/"), Document)


# --- sitemaps -------------------------------------------------------------------------------------------------------


def test_a_sitemap_with_dates_is_the_whole_listing(site: Site, server: LocalServer, ctx: SourceContext) -> None:
    site.sitemap((f"{server.url}/a", "2026-01-01"), (f"{server.url}/b", "2026-01-02"), ("https://other.example/", ""))
    source = make(server)
    assert listed(source, ctx) == {f"{server.url}/a": "lastmod 2026-01-01", f"{server.url}/b": "lastmod 2026-01-02"}
    assert {r.path for r in server.received} == {"/robots.txt", "/sitemap.xml"}


def test_an_index_of_packed_sitemaps_named_by_robots_txt(site: Site, server: LocalServer, ctx: SourceContext) -> None:
    rows = f"<urlset><url><loc>{server.url}/a</loc><lastmod>2026-01-01</lastmod></url></urlset>"
    site.put("/one.xml.gz", gzip.compress(rows.encode()), content_type="application/gzip")
    locs = "".join(f"<sitemap><loc>{server.url}/{name}</loc></sitemap>" for name in ("one.xml.gz", "index.xml"))
    site.put("/index.xml", f'<sitemapindex xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{locs}</sitemapindex>')
    site.put("/robots.txt", f"Sitemap: {server.url}/index.xml\n", content_type="text/plain")
    assert paths(server, listed(make(server), ctx)) == {"/a"}


def test_pages_without_a_date_are_asked_for_and_cost_little_the_second_time(
    site: Site, server: LocalServer, ctx: SourceContext
) -> None:
    site.sitemap((f"{server.url}/a", ""), (f"{server.url}/b", ""))
    site.page("/a", "Text a.", etag='"1"')
    site.page("/b", "Text b.", etag='"1"')
    first = listed(make(server), ctx)
    server.received.clear()
    assert listed(make(server), ctx) == first
    asked = [r for r in server.received if r.path in "/a/b"]
    assert [r.headers.get("if-none-match") for r in asked] == ['"1"', '"1"']
    site.page("/a", "Another text.", etag='"2"')
    again = listed(make(server), ctx)
    assert again[f"{server.url}/a"] != first[f"{server.url}/a"]
    assert again[f"{server.url}/b"] == first[f"{server.url}/b"]


def test_what_changes_in_a_page_but_not_in_its_text_is_no_change(
    site: Site, server: LocalServer, ctx: SourceContext
) -> None:
    site.page("/", "Text.", head='<meta name="csrf" content="1">')
    first = listed(make(server), ctx)
    site.page("/", "Text.", head='<meta name="csrf" content="2">')
    assert listed(make(server), ctx) == first


SICK = {
    "login page": Sent(LOGIN, headers={"content-type": "text/html"}),
    "error": Sent(status=500),
    "closed": Sent(status=403),
    "gone": Sent(status=404),
    "half": Sent("<urlset><url><loc>http://x/</loc></url>"),
    "empty": Sent(""),
    "other xml": Sent("<rss/>"),
    "half packed": Sent(gzip.compress(b"<urlset></urlset>")[:-9]),
    "bomb": Sent('<!DOCTYPE x [<!ENTITY a "' + "a" * 1000 + '">]><urlset><url><loc>&a;</loc></url></urlset'),
}


@pytest.mark.parametrize("ill", SICK)
def test_a_sick_sitemap_ends_the_run(ill: str, site: Site, server: LocalServer, ctx: SourceContext) -> None:
    site.page("/", "Start.")
    site.pages["/map.xml"] = SICK[ill]
    with pytest.raises(StopSync, match="Nothing was removed"):
        listed(make(server, sitemap=f"{server.url}/map.xml"), ctx)


def test_entities_of_a_sitemap_are_not_looked_up(site: Site, server: LocalServer, ctx: SourceContext) -> None:
    body = '<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]><urlset><url><loc>/a&f;</loc></url></urlset>'
    site.put("/map.xml", body)
    found = listed(make(server, sitemap=f"{server.url}/map.xml"), ctx)
    assert not any("root" in url for url in found)


# --- sickness of pages and sites ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "sent", [Sent(LOGIN, headers={"content-type": "text/html"}), Sent(status=500), Sent(status=404)]
)
def test_a_first_page_that_is_not_to_be_had_ends_the_run(
    sent: Sent, site: Site, server: LocalServer, ctx: SourceContext
) -> None:
    site.pages["/"] = sent
    with pytest.raises(StopSync, match="Nothing was removed"):
        listed(make(server), ctx)
    findings = list(make(server).check(ctx))
    assert not findings[0].ok


def test_a_page_behind_a_login_keeps_what_was_read(site: Site, server: LocalServer, ctx: SourceContext) -> None:
    site.page("/", "Start.", "/a", "/b")
    site.page("/a", "Text a.")
    site.page("/b", "Text b.")
    first = listed(make(server), ctx)
    site.put("/a", LOGIN)
    site.pages["/b"] = Sent(status=302, headers={"location": "/login?next=/b"})
    site.page("/login", "Hello! " * 500)
    assert listed(make(server), ctx) == first, "still listed"
    for path in ("/a", "/b"):
        found = fetch(make(server), ctx, server.url + path)
        assert isinstance(found, Failed), "never indexed, never removed"
        assert "sign in" in found.why


@pytest.mark.parametrize(
    ("status", "kind"), [(404, Gone), (410, Gone), (401, Gone), (403, Gone), (500, Failed), (418, Failed)]
)
def test_what_a_status_means_for_one_page(
    status: int, kind: type, site: Site, server: LocalServer, ctx: SourceContext
) -> None:
    site.pages["/a"] = Sent("x", status=status)
    found = fetch(make(server), ctx, f"{server.url}/a")
    assert isinstance(found, kind)
    if isinstance(found, Gone):
        assert found.why == ("no_access" if status in (401, 403) else "deleted")


def test_a_page_that_never_answers_stays_alone_and_a_site_that_is_down_does_not(
    site: Site, server: LocalServer, ctx: SourceContext
) -> None:
    site.page("/", "Start.", *(f"/{number}" for number in range(8)))
    for number in range(8):
        site.page(f"/{number}", f"Page {number}.")
    first = listed(make(server), ctx)
    site.pages["/3"] = Sent(status=503)
    assert listed(make(server), ctx) == first
    for number in range(8):
        site.pages[f"/{number}"] = Sent(status=503)
    with pytest.raises(SourceError):
        listed(make(server), ctx)


# --- polls ----------------------------------------------------------------------------------------------------------


def test_a_poll_sees_what_the_sitemap_says_and_looks_again_at_the_rest(
    site: Site, server: LocalServer, ctx: SourceContext
) -> None:
    site.sitemap((f"{server.url}/a", "2026-01-01"), (f"{server.url}/b", ""))
    site.page("/a", "A.")
    site.page("/b", "B.", etag='"1"')
    source = make(server)
    listed(source, ctx)
    (batch,) = source.changes(ctx, None)
    site.sitemap((f"{server.url}/a", "2026-02-02"), (f"{server.url}/b", ""))
    del site.pages["/b"]
    items = {item.id: item for some in make(server).changes(ctx, batch.cursor) for item in some.items}
    assert items[f"{server.url}/a"] == Ref(f"{server.url}/a", "lastmod 2026-02-02", source._tag)
    assert items[f"{server.url}/b"] == Gone(f"{server.url}/b")
    with pytest.raises(CursorExpired):
        list(make(server, exclude=["/x"]).changes(ctx, batch.cursor))


# --- content --------------------------------------------------------------------------------------------------------


def test_the_main_text_arrives_with_title_date_and_anchors(site: Site, server: LocalServer, ctx: SourceContext) -> None:
    site.put(
        "/docs/leave",
        """<html lang=en><head><title>Leave | Acme</title><meta property="og:title" content="Leave">
        <meta property="article:modified_time" content="2026-02-03T04:05:06Z"></head><body>
        <header>Acme intranet</header><nav>Home</nav><main><h1>Leave</h1><p>26 days.</p>
        <h2 id="carry">Carry over</h2><pre><code class="language-sh">perch carry</code></pre></main>
        <footer>Imprint</footer></body></html>""",
    )
    found = fetch(make(server), ctx, f"{server.url}/docs/leave")
    assert isinstance(found, Document)
    assert (found.title, found.url, found.path) == ("Leave", f"{server.url}/docs/leave", ("docs",))
    assert found.updated is not None
    assert found.updated.isoformat() == "2026-02-03T04:05:06+00:00"
    blocks = html_blocks(str(found.body))
    text = " ".join(block.text for block in blocks)
    assert "26 days" in text
    assert not any(word in text for word in ("intranet", "Home", "Imprint"))
    assert ("Carry over", "carry") in [(block.text, block.anchor) for block in blocks]
    assert [block.language for block in blocks if block.kind == "code"] == ["sh"]


@pytest.mark.parametrize(
    ("charset", "declared"), [("utf-8", "utf-8"), ("iso-8859-1", "iso-8859-1"), ("windows-1252", "")]
)
def test_letters_survive(charset: str, declared: str, site: Site, server: LocalServer, ctx: SourceContext) -> None:
    body = f'<html><head><meta charset="{charset}"><title>Käse</title></head><body>Größe</body></html>'.encode(charset)
    site.put("/a", body, content_type=f"text/html; charset={declared}" if declared else "text/html")
    found = fetch(make(server), ctx, f"{server.url}/a")
    assert isinstance(found, Document)
    assert found.title == "Käse"
    assert "Größe" in str(found.body)


def test_other_formats(site: Site, server: LocalServer, ctx: SourceContext) -> None:
    site.put("/notes.txt", "Plain.", content_type="text/plain")
    site.put("/readme", "# Title", content_type="text/markdown; charset=utf-8")
    site.put("/paper.pdf", b"%PDF-1.4", content_type="application/pdf")
    site.put("/film", b"....", content_type="video/mp4")
    kinds = [fetch(make(server), ctx, server.url + path) for path in ("/notes.txt", "/readme", "/paper.pdf", "/film")]
    assert [getattr(found, "format", None) for found in kinds] == ["text", "markdown", "pdf", None]


@pytest.mark.parametrize(
    ("url", "plain"),
    [
        ("HTTPS://Docs.Example:443/a/../b#c", "https://docs.example/b"),
        ("/x?b=2&utm_campaign=y&a=1&PHPSESSID=z", "https://here.example/x?b=2&a=1"),
        ("https://docs.example", "https://docs.example/"),
        ("mailto:a@b", ""),
        ("http://[broken", ""),
        ("https://x.example/" + "a" * 600, ""),
        ("https://x.example:99999/", ""),
    ],
)
def test_one_spelling_for_each_address(url: str, plain: str) -> None:
    assert plain_url(url, "https://here.example/base/") == plain


def test_another_server_is_outside_however_it_is_written() -> None:
    scope = Scope("https://docs.example/guide/", include=["*"], exclude=[])
    inside = ["https://docs.example/guide/x"]
    outside = [
        "https://docs.example/",
        "https://docs.example.evil/guide/",
        "http://docs.example/guide/",
        "https://docs.example:8443/guide/",
    ]
    assert [url for url in inside + outside if scope.wants(url)] == inside
