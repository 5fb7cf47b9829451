"""A website as a source: ids are addresses, which is all a site has; versions are `lastmod`, or the text's digest.

With a sitemap that says when pages changed, a listing is one request. Everywhere else pages are asked for, with the
validators of the last time, so that what has not changed costs no more than a 304.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import urlsplit

from pydantic import BaseModel

from citebot.errors import CursorExpired, Retry, SkipDocument, SourceError, StopSync
from citebot.model import Batch, Document, Failed, Finding, Gone, Json, Ref
from citebot.ports import PartContext, SourceContext, SourceSpec
from citebot_connectors.sources.batching import batched
from citebot_connectors.sources.principals import readers_of
from citebot_connectors.sources.website.memory import Memory, Remembered, opened
from citebot_connectors.sources.website.scope import Scope
from citebot_connectors.sources.website.settings import WebsiteSettings

if TYPE_CHECKING:
    import httpx

    from citebot_connectors.sources.website.pages import WebPage
    from citebot_connectors.sources.website.robots import Robots

BATCH = 20
"""Pages between two moments at which a crawl can be taken up again."""
LISTED = 500
RECHECKED = 50
"""Pages without `lastmod` that one poll asks for, those longest unseen first."""
PATIENCE = 5
"""Pages in a row that may fail before the site itself is taken to be down."""
_ACCEPT = {"accept": "text/html, application/xhtml+xml, text/markdown, text/plain, application/pdf;q=0.9, */*;q=0.1"}


@dataclass(frozen=True, slots=True)
class _Seen:
    """What one visit found."""

    item: Ref | Gone | None = None
    """None: no page to list, and no reason to say that one has gone."""
    links: tuple[str, ...] = ()
    remembered: Remembered | None = None


class WebsiteSource:
    """Reads a site."""

    name: ClassVar[str] = "website"
    summary: ClassVar[str] = "The pages of a website, by its sitemap or its links"
    Settings: ClassVar[type[BaseModel]] = WebsiteSettings
    spec: ClassVar[SourceSpec] = SourceSpec(id_example="https://docs.example.org/leave/")

    def __init__(self, settings: WebsiteSettings, context: PartContext) -> None:
        self._settings = settings
        self._readers = readers_of(settings.readers)
        self._scope = Scope(settings.url, include=settings.include, exclude=settings.exclude)
        self._tag = hashlib.sha256(settings.model_dump_json().encode()).hexdigest()[:16]

    def check(self, ctx: SourceContext) -> Iterable[Finding]:
        start = self._scope.start
        try:
            robots = self._robots(ctx)
            if not robots.allows(start):
                yield Finding(ok=False, what=f"robots.txt of {self._scope.root} asks us not to read {start}.")
                return
            page = self._first_page(ctx)
            sitemaps = self._sitemaps(ctx, robots)
            found = sum(1 for _ in self._of_sitemaps(ctx, robots, sitemaps)) if sitemaps else 0
        except SourceError as error:
            yield Finding(ok=False, what=str(error))
            return
        yield Finding(ok=True, what=f"“{page.title}” at {start}")
        if found:
            yield Finding(ok=True, what=f"{found:,} pages in {', '.join(sitemaps)}")
        elif sitemaps:
            yield Finding(
                ok=False,
                what=f"{', '.join(sitemaps)} names no page that is to be read.",
                fix="Check url, include and exclude.",
            )
        else:
            yield Finding(ok=True, what=f"No sitemap: links are followed, {len(page.links)} on the first page")
        yield Finding(ok=True, what=f"Readers of all of it: {', '.join(self._settings.readers) or 'nobody'}")

    def list(self, ctx: SourceContext, cursor: Json) -> Iterator[Batch]:
        robots = self._robots(ctx)
        sitemaps = self._sitemaps(ctx, robots)
        with opened(ctx.state_dir) as memory:
            visits = _Visits(self, ctx, robots, memory)
            yield from self._listed(ctx, visits, sitemaps) if sitemaps else self._crawled(ctx, visits, cursor)

    def changes(self, ctx: SourceContext, cursor: Json) -> Iterator[Batch]:
        robots = self._robots(ctx)
        sitemaps = self._sitemaps(ctx, robots)
        here: Json = {"settings": self._tag, "sitemap": bool(sitemaps)}
        if cursor is None:
            yield Batch((), here)
            return
        if cursor != here:
            # A sitemap that is no longer there may be a login page now: a listing looks, and says so.
            raise CursorExpired("The settings have changed, or whether there is a sitemap.")
        if not sitemaps:
            self._first_page(ctx)  # a site that is shut as a whole would look like pages that are gone
        with opened(ctx.state_dir) as memory:
            visits = _Visits(self, ctx, robots, memory)
            dated = self._of_sitemaps(ctx, robots, sitemaps)
            for some in batched((ref for ref, _, _ in dated if ref is not None), LISTED):
                yield Batch(some, here)
            for urls in batched(memory.longest_unseen(RECHECKED), BATCH):
                seen = [visits.visit(url) for url in urls]
                yield Batch(tuple(one.item for one in seen if one.item is not None), here)
                memory.put(one.remembered for one in seen if one.remembered is not None)
        yield Batch((), here)

    def fetch(self, ctx: SourceContext, ids: Sequence[str]) -> Iterator[Document | Gone | Failed]:
        robots = self._robots(ctx)
        with opened(ctx.state_dir) as memory:
            visits = _Visits(self, ctx, robots, memory)
            for url in ids:
                yield visits.fetch(url)

    # --- listing -------------------------------------------------------------------------------------------------

    def _listed(self, ctx: SourceContext, visits: _Visits, sitemaps: Sequence[str]) -> Iterator[Batch]:
        undated: list[str] = []
        listed = self._of_sitemaps(ctx, visits.robots, sitemaps)
        for some in batched(listed, LISTED):
            undated += [url for ref, url, _ in some if ref is None]
            yield Batch(tuple(ref for ref, _, _ in some if ref is not None))
        for urls in batched(undated, BATCH):
            seen = [visits.visit(url) for url in urls]
            yield Batch(tuple(one.item for one in seen if isinstance(one.item, Ref)))
            visits.memory.put(one.remembered for one in seen if one.remembered is not None)

    def _of_sitemaps(
        self, ctx: SourceContext, robots: Robots, sitemaps: Sequence[str]
    ) -> Iterator[tuple[Ref | None, str, str]]:
        """(reference, page, lastmod) of wanted pages, each once; without a lastmod there is no reference yet."""
        from citebot_connectors.sources.website.sitemaps import entries

        seen: set[str] = set()
        for sitemap in sitemaps:
            for url, lastmod in entries(lambda address: self._get(ctx, robots, address), sitemap):
                if url in seen or not self._scope.wants(url) or not robots.allows(url):
                    continue
                if len(seen) == self._settings.max_pages:
                    ctx.progress(f"only the first {self._settings.max_pages:,} pages are read (max_pages)")
                    return
                seen.add(url)
                yield Ref(url, f"lastmod {lastmod}", self._tag) if lastmod else None, url, lastmod

    def _crawled(self, ctx: SourceContext, visits: _Visits, cursor: Json) -> Iterator[Batch]:
        here: Json = {"crawl": self._tag}
        memory, settings = visits.memory, self._settings
        if cursor != here:
            self._first_page(ctx)
            memory.begin(self._scope.start)
        while some := memory.pending(BATCH):
            seen = [(url, depth, visits.visit(url)) for url, depth in some]
            # The first page may only be where the links are.
            items = (one.item for url, _, one in seen if self._scope.wants(url))
            yield Batch(tuple(item for item in items if isinstance(item, Ref)), here)
            # Only now: what was not stored is visited again.
            for _, depth, one in seen:
                if depth < settings.max_depth:
                    links = [link for link in one.links if self._scope.wants(link) and visits.robots.allows(link)]
                    memory.enqueue(links, depth + 1, limit=settings.max_pages)
            memory.put(one.remembered for _, _, one in seen if one.remembered is not None)
            memory.visited([url for url, _, _ in seen])

    # --- the site ------------------------------------------------------------------------------------------------

    def _robots(self, ctx: SourceContext) -> Robots:
        from citebot_connectors.sources.website.robots import Robots

        return Robots.of(ctx.http.get(f"{self._scope.root}/robots.txt"))

    def _sitemaps(self, ctx: SourceContext, robots: Robots) -> Sequence[str]:
        """The sitemaps to read; none: links are followed. One that was not asked for in settings may be no sitemap."""
        if self._settings.sitemap == "none":
            return ()
        if self._settings.sitemap:
            return (self._settings.sitemap,)
        if robots.sitemaps:
            return tuple(robots.sitemaps)
        usual = f"{self._scope.root}/sitemap.xml"
        response = self._get(ctx, robots, usual)
        if response.status_code >= 500:
            raise StopSync(f"The sitemap {usual} answers {response.status_code}. Nothing was removed.")
        packed = response.content.startswith(b"\x1f\x8b")
        found = packed or any(mark in response.content[:2_000] for mark in (b"<urlset", b"<sitemapindex"))
        return (usual,) if response.status_code == 200 and found else ()

    def _first_page(self, ctx: SourceContext) -> WebPage:
        """The page it all begins with; when that is not to be had, nothing is."""
        start = self._scope.start
        response = ctx.http.get(start, headers=_ACCEPT)
        if response.status_code in (401, 403):
            raise StopSync(
                f"{start} answers {response.status_code}: only what anybody may see is read. Nothing was removed."
            )
        if response.status_code != 200:
            raise StopSync(f"{start} answers {response.status_code}: check the address. Nothing was removed.")
        page = _read_page(response, start)
        if page is None:
            raise StopSync(f"{start} is no page but {response.headers.get('content-type')}. Nothing was removed.")
        if not page.body.strip() and not page.links:
            raise StopSync(f"{start} is empty: no text and no link. Nothing was removed.")
        if page.login:
            raise StopSync(f"{start} asks visitors to sign in, and such pages are not read. Nothing was removed.")
        if not self._scope.same_server(page.url):
            raise StopSync(f"{start} redirects to {page.url}: use that address. Nothing was removed.")
        return page

    def _get(
        self, ctx: SourceContext, robots: Robots, url: str, headers: dict[str, str] | None = None
    ) -> httpx.Response:
        robots.wait(ctx.stop)
        return ctx.http.get(url, headers={**_ACCEPT, **(headers or {})})

    def ref(self, url: str, digest: str) -> Ref:
        """A listed page."""
        return Ref(url, digest, self._tag)

    def document(self, url: str, page: WebPage) -> Document:
        """A fetched page."""
        return Document(
            id=url,
            title=page.title,
            body=page.body,
            readers=self._readers,
            url=url,
            format=page.format,
            version=page.digest,
            kind="file" if page.format == "pdf" else "page",
            path=tuple(part for part in urlsplit(url).path.split("/")[1:-1] if part),
            updated=page.updated,
        )

    def wants(self, url: str) -> bool:
        """Whether a page is to be read."""
        return self._scope.wants(url)

    def get(self, ctx: SourceContext, robots: Robots, url: str, headers: dict[str, str]) -> httpx.Response:
        """One request at the site's pace."""
        return self._get(ctx, robots, url, headers)


class _Visits:
    """Visits to single pages. A page that is ill stays alone; a site that is down ends the run."""

    def __init__(self, source: WebsiteSource, ctx: SourceContext, robots: Robots, memory: Memory) -> None:
        self._source = source
        self._ctx = ctx
        self.robots = robots
        self.memory = memory
        self._failed = 0

    def visit(self, url: str) -> _Seen:
        """Look whether a page is there and has changed."""
        known = self.memory.get(url)
        unchanged = _Seen(self._source.ref(url, known.digest), known.links, known) if known else _Seen()
        headers = {"if-none-match": known.etag} if known and known.etag else {}
        if known and known.modified and not known.etag:
            headers["if-modified-since"] = known.modified
        answer = self._ask(url, headers)
        if isinstance(answer, str) or answer.status_code >= 500:
            return unchanged
        if answer.status_code == 304 and known:
            return unchanged
        if answer.status_code != 200:
            return _Seen(Gone(url)) if answer.status_code in (401, 403, 404, 410) else unchanged
        page = _read_page(answer, url)
        if page is None:
            return _Seen(Gone(url))
        if page.login:
            self._note(f"{url} asks visitors to sign in")
            return unchanged
        elsewhere = self._elsewhere(url, page)
        if elsewhere or page.noindex:
            return _Seen(Gone(url), page.links if page.noindex and not elsewhere else tuple(filter(None, [elsewhere])))
        etag, modified = answer.headers.get("etag", ""), answer.headers.get("last-modified", "")
        return _Seen(
            self._source.ref(url, page.digest),
            page.links,
            Remembered(url, etag, modified, page.digest, page.links),
        )

    def fetch(self, url: str) -> Document | Gone | Failed:
        """Read a page."""
        if not self._source.wants(url):
            return Gone(url)
        if not self.robots.allows(url):
            return Gone(url, "no_access")
        answer = self._ask(url, {})
        if isinstance(answer, str):
            return Failed(url, answer)
        if answer.status_code in (404, 410):
            self.memory.forget(url)
            return Gone(url)
        if answer.status_code in (401, 403):
            self.memory.forget(url)
            return Gone(url, "no_access")
        if answer.status_code != 200:
            return Failed(url, f"{url} answers {answer.status_code}.")
        page = _read_page(answer, url)
        if page is not None and page.login:
            return Failed(url, f"{url} asks visitors to sign in; what was read before is kept.")
        if page is None or page.noindex or self._elsewhere(url, page):
            self.memory.forget(url)
            return Gone(url)
        return self._source.document(url, page)

    def _elsewhere(self, url: str, page: WebPage) -> str:
        """Where the page really is, when this address only leads there or is a second one for the same text.

        A canonical address is believed only where both say the same: sites that name their first page on every page
        are common, and would otherwise be that one page.
        """
        if page.url != url:
            return page.url
        if page.canonical == url or not self._source.wants(page.canonical):
            return ""
        if _bare(page.canonical) == _bare(url):
            return page.canonical
        known = self.memory.get(page.canonical)
        return page.canonical if known and known.digest == page.digest else ""

    def _ask(self, url: str, headers: dict[str, str]) -> httpx.Response | str:
        """The answer, or why there is none."""
        try:
            answer = self._source.get(self._ctx, self.robots, url, headers)
        except SkipDocument as error:
            return str(error)
        except (Retry, StopSync) as error:
            self._failed += 1
            if self._ctx.stop() or self._failed >= PATIENCE or (isinstance(error, Retry) and error.after):
                raise
            self._note(str(error))
            return str(error)
        self._failed = 0
        return answer

    def _note(self, line: str) -> None:
        self._ctx.log.warning("page left out", why=line)
        self._ctx.progress(line)


def _read_page(response: httpx.Response, asked: str) -> WebPage | None:
    # The library for HTML is imported when a page is read: a bot that reads no site need not hold it.
    from citebot_connectors.sources.website.pages import read_page

    return read_page(response, asked)


def _bare(url: str) -> str:
    """An address without what often differs between two for the same page."""
    parts = urlsplit(url)
    return f"{parts.netloc}{parts.path.removesuffix('index.html').rstrip('/')}"
