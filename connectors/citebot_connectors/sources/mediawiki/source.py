"""A MediaWiki as a source: ids are page numbers, which survive renames and restores; the feed is recent changes.

A version is `revision@touched`: editing a template moves neither the revision of the pages that show it nor the feed,
only `touched`, and that only once the wiki's job queue came to it.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from pydantic import BaseModel

from citebot.errors import CursorExpired, SourceError
from citebot.model import Batch, Document, Failed, Finding, Gone, Json, Readers, Ref
from citebot.ports import Http, PartContext, SourceContext, SourceSpec
from citebot_connectors.sources.batching import batched
from citebot_connectors.sources.mediawiki.api import Api, ApiError
from citebot_connectors.sources.mediawiki.settings import MediaWikiSettings
from citebot_connectors.sources.principals import readers_of

OLDEST = (1, 35)
AT_ONCE = 50
"""Page numbers in one request, for those without high limits."""
OVERLAP = timedelta(seconds=60)
"""An entry may appear in the feed after a later one: it is written when its transaction ends."""
TEMPLATES = frozenset({10, 828})
"""Namespaces of what other pages show: templates and Lua modules."""
SEEN = 2_000
"""Entries of the overlap that are known from the last read; of a larger burst the others are looked at once more."""
SHOWN_SOON = timedelta(days=1)
"""How long pages are looked at again for a template that was edited, until the job queue has come to them."""
_STAMP = "%Y%m%d%H%M%S"


class MediaWikiSource:
    """Reads a wiki."""

    name: ClassVar[str] = "mediawiki"
    summary: ClassVar[str] = "A MediaWiki, or some namespaces or categories of it"
    Settings: ClassVar[type[BaseModel]] = MediaWikiSettings
    spec: ClassVar[SourceSpec] = SourceSpec(feed_reports_deletes=True, keeps_session=True, id_example="1742")

    def __init__(self, settings: MediaWikiSettings, context: PartContext) -> None:
        self._settings = settings
        self._readers: Readers = readers_of(settings.readers)
        self._held: tuple[Http, Api] | None = None

    def check(self, ctx: SourceContext) -> Iterable[Finding]:
        try:
            asked = "general|namespaces|statistics"
            said = self._api(ctx).ask(
                action="query", meta="siteinfo|userinfo", siprop=asked, uiprop="rights", curtimestamp=1
            )
        except SourceError as error:
            yield Finding(ok=False, what=str(error))
            return
        if "general" not in said.get("query", {}):
            yield Finding(ok=False, what=f"{self._settings.url} does not answer like a MediaWiki: check the address.")
            return
        rights = said["query"].get("userinfo", {}).get("rights", ["read"])
        if "read" not in rights:
            who = self._settings.user or "A stranger"
            yield Finding(
                ok=False,
                what=f"{who} lacks the right “read” in this wiki.",
                fix="Set user and password to a bot password with the grant “Basic rights”.",
            )
            return
        general, known = said["query"]["general"], said["query"]["namespaces"]
        number = general["generator"].removeprefix("MediaWiki ")
        if tuple(int(part) for part in number.split(".")[:2] if part.isdigit()) < OLDEST:
            yield Finding(ok=False, what=f"MediaWiki {number} is too old.", fix="Versions from 1.35 on are read.")
            return
        unknown = [str(space) for space in self._settings.namespaces if str(space) not in known]
        if unknown:
            names = ", ".join(f"{key} {value['name'] or 'articles'}" for key, value in known.items() if int(key) >= 0)
            yield Finding(ok=False, what=f"There is no namespace {', '.join(unknown)}.", fix=f"There are: {names}.")
            return
        who = said["query"]["userinfo"]["name"] if self._settings.user else "a stranger"
        pages = said["query"]["statistics"]["articles"]
        yield Finding(ok=True, what=f"{general['sitename']}, MediaWiki {number}, {pages:,} articles, read as {who}")
        skew = abs((_moment(said["curtimestamp"]) - ctx.now()).total_seconds())
        if skew > 300:
            yield Finding(ok=True, what=f"Its clock differs from ours by {skew:.0f} s. Nothing depends on it.")
        yield Finding(ok=True, what=f"Readers of all of it: {', '.join(self._settings.readers) or 'nobody'}")

    def list(self, ctx: SourceContext, cursor: Json) -> Iterator[Batch]:
        api = self._api(ctx)
        space, going_on = _listed(cursor)
        for at in range(space, len(self._settings.namespaces)):
            answers = api.query(
                generator="allpages",
                gapnamespace=self._settings.namespaces[at],
                gapfilterredir="nonredirects",
                gaplimit=self._settings.page_size or "max",
                **self._facts(),
                **going_on,
            )
            going_on = {}
            for answer in answers:
                pages = answer["query"].get("pages", ())
                after = answer["continue"].get("gapcontinue")
                here: Json = {"space": at, "from": after} if after else {"space": at + 1, "from": None}
                yield Batch(tuple(self._ref(page) for page in pages if self._wants(page)), here)

    def changes(self, ctx: SourceContext, cursor: Json) -> Iterator[Batch]:
        api = self._api(ctx)
        if cursor is None:
            yield Batch((), _now(api))
            return
        place = _Place.of(cursor)
        place = yield from self._again(api, place)
        found = False
        for answer in api.query(
            list="recentchanges",
            rcdir="newer",
            rctype="edit|new|log",
            rcprop="title|ids|timestamp|loginfo",
            rclimit=self._settings.page_size or "max",
            rccontinue=place.start,
        ):
            entries = answer["query"].get("recentchanges", [])
            if not found and not any(entry["rcid"] <= place.rcid for entry in entries):
                _must_reach(api, place)
            found = True
            new = [entry for entry in entries if entry["rcid"] not in place.seen]
            templates = {entry["title"]: entry["timestamp"] for entry in new if entry["ns"] in TEMPLATES}
            numbers = {entry["pageid"] for entry in new if entry["pageid"]}
            items = [*self._stand(api, numbers), *(ref for title in templates for ref in self._showing(api, title))]
            place = place.after(entries, templates)
            yield Batch(tuple({item.id: item for item in items}.values()), place.to_json())

    def fetch(self, ctx: SourceContext, ids: Sequence[str]) -> Iterator[Document | Gone | Failed]:
        api = self._api(ctx)
        for some in batched(ids, AT_ONCE):
            numbers = [one for one in some if one.isascii() and one.isdigit()]
            yield from (Gone(one) for one in some if one not in set(numbers))
            pages = self._pages(api, numbers) if numbers else {}
            for one in numbers:
                page = pages.get(one)
                yield Gone(one) if page is None or not self._wants(page) else self._document(api, page)

    # --- parts ---------------------------------------------------------------------------------------------------

    def _api(self, ctx: SourceContext) -> Api:
        # One for the whole run: a second login in one session is refused.
        if self._held is None or self._held[0] is not ctx.http:
            settings = self._settings
            self._held = ctx.http, Api(ctx, settings.url, user=settings.user, password=settings.password)
        return self._held[1]

    def _facts(self) -> dict[str, str]:
        """What is asked of every page, listed or fetched."""
        if not self._settings.categories:
            return {"prop": "info"}
        wanted = "|".join(f"Category:{name.removeprefix('Category:')}" for name in self._settings.categories)
        return {"prop": "info|categories", "clcategories": wanted, "cllimit": "max"}

    def _wants(self, page: dict[str, Any]) -> bool:
        if page.get("missing") or page.get("redirect") or page["ns"] not in self._settings.namespaces:
            return False
        return not self._settings.categories or bool(page.get("categories"))

    def _pages(self, api: Api, numbers: Iterable[str]) -> dict[str, dict[str, Any]]:
        """Facts of pages by number."""
        facts = self._facts()
        facts["prop"] += "|revisions"
        wanted = "|".join(numbers)
        answers = api.query(pageids=wanted, inprop="url", rvprop="ids|timestamp|user", **facts)
        return {str(page["pageid"]): page for answer in answers for page in answer["query"].get("pages", ())}

    def _stand(self, api: Api, numbers: Iterable[int]) -> Iterator[Ref | Gone]:
        """Where pages that the feed names stand now."""
        for some in batched(sorted(numbers), AT_ONCE):
            answers = api.query(pageids="|".join(map(str, some)), **self._facts())
            for page in (page for answer in answers for page in answer["query"].get("pages", ())):
                yield self._ref(page) if self._wants(page) else Gone(str(page["pageid"]))

    def _showing(self, api: Api, title: str) -> Iterator[Ref]:
        """Pages that show a template, to be read whatever their version."""
        for page in self._embedding(api, title):
            yield Ref(str(page["pageid"]), readers_tag=self._readers.tag)

    def _embedding(self, api: Api, title: str) -> Iterator[dict[str, Any]]:
        answers = api.query(generator="embeddedin", geititle=title, geilimit="max", **self._facts())
        for answer in answers:
            yield from (page for page in answer["query"].get("pages", ()) if self._wants(page))

    def _again(self, api: Api, place: _Place) -> Generator[Batch, None, _Place]:
        """Pages whose template was edited before, and that the job queue has come to since."""
        for title, stamp in place.templates.items():
            pages = list(self._embedding(api, title))
            moment = _moment(stamp)
            late = [page for page in pages if _moment(page["touched"]) < moment]
            if not late:
                place = place.without(title)
            yield Batch(tuple(self._ref(page) for page in pages if page not in late), place.to_json())
        return place

    def _ref(self, page: dict[str, Any]) -> Ref:
        return Ref(str(page["pageid"]), _version(page), self._readers.tag)

    def _document(self, api: Api, page: dict[str, Any]) -> Document | Failed:
        one = str(page["pageid"])
        try:
            body, kind = self._text(api, one)
        except ApiError as error:
            return Failed(one, f"{page['title']}: the wiki cannot show it ({error}).")
        revision = (page.get("revisions") or [{}])[0]
        return Document(
            id=one,
            title=page["title"],
            body=body,
            readers=self._readers,
            url=page.get("fullurl", ""),
            format="mediawiki" if kind == "html" else "text",
            version=_version(page),
            path=(page["title"].partition(":")[0],) if page["ns"] else (),
            updated=_moment(revision["timestamp"]) if "timestamp" in revision else None,
            authors=(revision["user"],) if revision.get("user") else (),
            language=page.get("pagelanguage", ""),
        )

    @staticmethod
    def _text(api: Api, one: str) -> tuple[str, str]:
        """The page as the wiki shows it; its source where it cannot."""
        try:
            said = api.ask(
                action="parse", pageid=one, prop="text", disableeditsection=1, disabletoc=1, disablelimitreport=1
            )
            return str(said["parse"]["text"]), "html"
        except ApiError as error:
            if not error.code.startswith("internal_api_error"):
                raise
        said = api.ask(action="query", pageids=one, prop="revisions", rvprop="content", rvslots="main")
        return str(said["query"]["pages"][0]["revisions"][0]["slots"]["main"]["content"]), "source"


class _Place:
    """Where the feed is read from next, and the templates that pages do not show yet."""

    def __init__(self, stamp: str, rcid: int, templates: dict[str, str], seen: dict[int, str]) -> None:
        self.stamp = stamp
        self.rcid = rcid
        self.templates = templates
        self.seen = seen
        """Entries of the overlap that were read before, and their times."""

    @classmethod
    def of(cls, cursor: Json) -> _Place:
        try:
            assert isinstance(cursor, dict)
            stamp, rcid, templates = cursor["stamp"], cursor["rcid"], cursor["templates"]
            assert isinstance(stamp, str)
            assert isinstance(rcid, int)
            assert isinstance(templates, dict)
            seen = cursor.get("seen", {})  # earlier versions had none
            assert isinstance(seen, dict)
            datetime.strptime(stamp, _STAMP)
        except (AssertionError, KeyError, ValueError) as error:
            raise CursorExpired("The stored position is none of this source.") from error
        known = {int(number): str(at) for number, at in seen.items()}
        return cls(stamp, rcid, {str(title): str(moment) for title, moment in templates.items()}, known)

    @property
    def start(self) -> str:
        """As the wiki itself writes a place in the list, some time before ours."""
        return f"{_before(self.stamp)}|0"

    def after(self, entries: Sequence[dict[str, Any]], templates: dict[str, str]) -> _Place:
        if not entries:
            return self
        newest = max(entries, key=lambda entry: (entry["timestamp"], entry["rcid"]))
        stamp = max(self.stamp, _stamp(newest))
        seen = {**self.seen, **{entry["rcid"]: _stamp(entry) for entry in entries}}
        recent = sorted((number, at) for number, at in seen.items() if at >= _before(stamp))
        oldest = (_moment(newest["timestamp"]) - SHOWN_SOON).strftime("%Y-%m-%dT%H:%M:%SZ")
        waiting = {title: at for title, at in {**self.templates, **templates}.items() if at >= oldest}
        rcid = max(self.rcid, *(entry["rcid"] for entry in entries))
        return _Place(stamp, rcid, dict(list(waiting.items())[-100:]), dict(recent[-SEEN:]))

    def without(self, title: str) -> _Place:
        left = {name: at for name, at in self.templates.items() if name != title}
        return _Place(self.stamp, self.rcid, left, self.seen)

    def to_json(self) -> Json:
        seen: Json = {str(number): at for number, at in self.seen.items()}
        return {"stamp": self.stamp, "rcid": self.rcid, "templates": dict(self.templates), "seen": seen}


def _now(api: Api) -> Json:
    asked = {"list": "recentchanges", "rclimit": "max", "rcprop": "ids|timestamp", "rctype": "edit|new|log"}
    said = api.ask(action="query", curtimestamp=1, **asked)
    newest = said["query"]["recentchanges"]
    stamp = _moment(newest[0]["timestamp"] if newest else said["curtimestamp"]).strftime(_STAMP)
    return _Place(stamp, 0, {}, {}).after(newest, {}).to_json()


def _must_reach(api: Api, place: _Place) -> None:
    """Whether the feed still goes back to our place: it forgets, after 90 days unless set up otherwise."""
    said = api.ask(action="query", list="recentchanges", rcdir="newer", rclimit=1, rcprop="ids", rctype="edit|new|log")
    oldest = said["query"]["recentchanges"]
    if place.rcid and (not oldest or oldest[0]["rcid"] > place.rcid):
        raise CursorExpired("The wiki has forgotten the changes since the last read.")


def _listed(cursor: Any) -> tuple[int, dict[str, str]]:
    """Where a listing goes on: at its beginning, if the position is none of this source."""
    if not isinstance(cursor, dict) or not isinstance(cursor.get("space"), int):
        return 0, {}
    return cursor["space"], {"gapcontinue": str(cursor["from"])} if cursor.get("from") else {}


def _version(page: dict[str, Any]) -> str:
    return f"{page['lastrevid']}@{page['touched']}"


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _stamp(entry: dict[str, Any]) -> str:
    return _moment(entry["timestamp"]).strftime(_STAMP)


def _before(stamp: str) -> str:
    """Where the overlap begins."""
    return (datetime.strptime(stamp, _STAMP).replace(tzinfo=UTC) - OVERLAP).strftime(_STAMP)
