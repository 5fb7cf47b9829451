"""Sources with one fault each: how they look, what they list, how they see changes (A to D)."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import httpx
from archive_source import ArchiveSettings, ArchiveSource
from caught import caught_by

from citebot.model import Batch, Document, Failed, Finding, Gone, Json, Ref
from citebot.ports import SourceContext

# --- A: shape --------------------------------------------------------------------------------------------------------


class PlainSettings(ArchiveSettings):
    """The token is shown wherever settings are."""

    token: str  # type: ignore[assignment]


@caught_by(A1="must be a SecretStr")
class TokenIsPlainText(ArchiveSource):
    Settings = PlainSettings

    def log_in(self, ctx: SourceContext) -> None:
        ctx.http.post(f"{self.settings.url}/api/login", json={"token": self.settings.token})


@caught_by(A2="Listed more than once")
class PagesOverlap(ArchiveSource):
    def list(self, ctx: SourceContext, cursor: Json) -> Iterator[Batch]:
        for batch in super().list(ctx, cursor):
            yield Batch((*batch.items, batch.items[0]), batch.cursor)


@caught_by(A3="Ids asked and answered differ")
class SaysNothingOfTheMissing(ArchiveSource):
    def fetch(self, ctx: SourceContext, ids: Sequence[str]) -> Iterator[Document | Gone | Failed]:
        yield from (item for item in super().fetch(ctx, ids) if isinstance(item, Document))


@caught_by(A4="is not absolute")
class AddressWithoutServer(ArchiveSource):
    def url(self, page: dict[str, Any]) -> str:
        return f"/show/{page['id']}"


@caught_by(A4="has no zone")
class TimeWithoutZone(ArchiveSource):
    def updated(self, page: dict[str, Any]) -> datetime:
        return super().updated(page).replace(tzinfo=None)


@caught_by(A5="is no JSON")
class CursorIsNoJson(ArchiveSource):
    def list(self, ctx: SourceContext, cursor: Json) -> Iterator[Batch]:
        for batch in super().list(ctx, cursor):
            yield Batch(batch.items, {"when": datetime.now().astimezone()})  # type: ignore[dict-item]


@caught_by(A5="are allowed")
class CursorHoldsEverything(ArchiveSource):
    def list(self, ctx: SourceContext, cursor: Json) -> Iterator[Batch]:
        for batch in super().list(ctx, cursor):
            yield Batch(batch.items, {"after": batch.items[-1].id, "seen": [str(item) * 40 for item in batch.items]})


@caught_by(A6="A secret was written")
class LogsItsToken(ArchiveSource):
    def log_in(self, ctx: SourceContext) -> None:
        ctx.log.info("logging in", by=self.settings.token.get_secret_value())
        super().log_in(ctx)


@caught_by(A7="answers 404")
class DeadAddresses(ArchiveSource):
    def url(self, page: dict[str, Any]) -> str:
        return f"{self.settings.url}/show/{page['title']}"


@caught_by(A8="Its check complains")
class CriesWolf(ArchiveSource):
    def check(self, ctx: SourceContext) -> Iterable[Finding]:
        yield Finding(ok=False, what="The token may be too old.")


# --- B: completeness -------------------------------------------------------------------------------------------------


@caught_by(B1="of 7 documents were read", B4="In pages of 1, 0 of 7")
class PageIsOneTooShort(ArchiveSource):
    def list(self, ctx: SourceContext, cursor: Json) -> Iterator[Batch]:
        for batch in super().list(ctx, cursor):
            yield Batch(batch.items[:-1], batch.cursor)


@caught_by(B2="Another version, though nothing changed")
class VersionIsTheTime(ArchiveSource):
    def version(self, row: dict[str, Any]) -> str:
        return str(time.monotonic_ns())


@caught_by(B3="Missing after cursor")
class CursorIsOneTooFar(ArchiveSource):
    def list(self, ctx: SourceContext, cursor: Json) -> Iterator[Batch]:
        for batch in super().list(ctx, cursor):
            yield Batch(batch.items, {"after": f"{int(batch.items[-1].id) + 1:06}"})


@caught_by(B4="In pages of 2, 6 of 7")
class LastPageIsLost(ArchiveSource):
    def list(self, ctx: SourceContext, cursor: Json) -> Iterator[Batch]:
        for batch in super().list(ctx, cursor):
            if len(batch.items) == self.settings.page_size:
                yield batch


@caught_by(B5="when it is fetched alone")
class NumbersWhatItFetches(ArchiveSource):
    def fetch(self, ctx: SourceContext, ids: Sequence[str]) -> Iterator[Document | Gone | Failed]:
        for number, item in enumerate(super().fetch(ctx, ids)):
            yield (
                Document(item.id, f"{number}. {item.title}", item.body, item.readers)
                if isinstance(item, Document)
                else item
            )


@caught_by(B5="when it is fetched alone")
class FetchesOnlyWhatItListed(ArchiveSource):
    known: frozenset[str] = frozenset()

    def rows(self, ctx: SourceContext, after: str) -> Any:
        found = super().rows(ctx, after)
        self.known |= {self.key_of(row) for row in found}
        return found

    def answer(self, ctx: SourceContext, key: str) -> Document | Gone | Failed:
        return super().answer(ctx, key) if key in self.known else Gone(key)


# --- C: changes ------------------------------------------------------------------------------------------------------


@caught_by(C1="documents are fetched again")
class NoVersions(ArchiveSource):
    def version(self, row: dict[str, Any]) -> str:
        return ""


@caught_by(C1="requests for", L1="requests for")
class AsksForEveryRow(ArchiveSource):
    burst_size = 200

    def rows(self, ctx: SourceContext, after: str) -> Any:
        return [self.request(ctx, "page", id=row["id"]).json()["page"] for row in super().rows(ctx, after)]


@caught_by(C2="After an edit and a poll")
class VersionIsTheId(ArchiveSource):
    def version(self, row: dict[str, Any]) -> str:
        return str(row["id"])


@caught_by(C3="Under the title 'a/b'")
class SkipsSubpages(ArchiveSource):
    def list(self, ctx: SourceContext, cursor: Json) -> Iterator[Batch]:
        after = self.listed_to(cursor)
        while rows := self.rows(ctx, after):
            after = rows[-1]["id"]
            yield Batch(tuple(self.ref(row) for row in rows if "/" not in row["title"]), {"after": after})


@caught_by(C4="it has its old title", C5="After a move", C6="After a comment and a poll")
class VersionIsThatOfTheText(ArchiveSource):
    def version(self, row: dict[str, Any]) -> str:
        return str(row["revision"])


@caught_by(C4="it is there under 2 titles")
class TitleIsInTheId(ArchiveSource):
    @staticmethod
    def key_of(row: dict[str, Any]) -> str:
        return f"{row.get('title', '')}/{row['id']}"


@caught_by(C5="it is there 2 times")
class FolderIsInTheId(ArchiveSource):
    @staticmethod
    def key_of(row: dict[str, Any]) -> str:
        return f"{row.get('folder', '')}/{row['id']}"


@caught_by(C7="The text of the deleted document is still there")
class TitleIsTheId(VersionIsThatOfTheText):
    @staticmethod
    def key_of(row: dict[str, Any]) -> str:
        return str(row.get("title", row["id"]))

    def page(self, ctx: SourceContext, key: str) -> httpx.Response:
        numbers = (row["id"] for row in self.rows(ctx, "") if row["title"] == key)
        return self.request(ctx, "page", id=next(numbers, "none"))


@caught_by(C8="They end the run")
class EmptyIsAnError(ArchiveSource):
    def body(self, page: dict[str, Any]) -> str:
        if not page["text"]:
            raise ValueError("a page without text")
        return super().body(page)


@caught_by(C8="is cut off")
class CutsLongPages(ArchiveSource):
    def body(self, page: dict[str, Any]) -> str:
        return super().body(page)[:100_000]


# --- D: time ---------------------------------------------------------------------------------------------------------


@caught_by(D1="changes in one second")
class FeedIsOnePage(ArchiveSource):
    def changes(self, ctx: SourceContext, cursor: Json) -> Iterator[Batch]:
        found = self.feed(ctx, self.read_to(cursor))
        now = self.feed(ctx, -1)["next"]
        yield Batch(tuple({Ref(self.key_of(each)) for each in found["entries"]}), {"entry": now})


class FeedByDate(ArchiveSource):
    """The feed is “changed since”."""

    def changes(self, ctx: SourceContext, cursor: Any) -> Iterator[Batch]:
        since = cursor["since"] if cursor else "1970-01-01T00:00:00+00:00"
        rows = self.ask(ctx, "changed", since=since)
        here: Json = {"since": self.next_since(ctx, rows).isoformat()} if rows else cursor
        yield Batch(tuple(self.ref(row) for row in rows) if cursor else (), here)

    def next_since(self, ctx: SourceContext, rows: list[dict[str, Any]]) -> datetime:
        """From when on changes are asked for the next time."""
        raise NotImplementedError


@caught_by(D2="is not seen by the next")
class LeavesTheSecondTooEarly(FeedByDate):
    def next_since(self, ctx: SourceContext, rows: list[dict[str, Any]]) -> datetime:
        return max(self.updated(row) for row in rows) + timedelta(seconds=1)


@caught_by(D3="minutes off, a change is not seen")
class TrustsOurClock(FeedByDate):
    def next_since(self, ctx: SourceContext, rows: list[dict[str, Any]]) -> datetime:
        return ctx.now() - timedelta(minutes=2)


@caught_by(D4="goes on asking")
class FeedNeverEnds(ArchiveSource):
    def changes(self, ctx: SourceContext, cursor: Json) -> Iterator[Batch]:
        entry = self.read_to(cursor)
        while True:  # one entry again, so that none is lost
            found = self.feed(ctx, max(-1, entry - 1))
            entry = found["next"]
            yield Batch(tuple(Ref(self.key_of(each)) for each in found["entries"]), {"entry": entry})
            if not found["entries"]:
                return
