"""Sources with one fault each: how they bear deletions, ill servers and their own end (E to G)."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Iterator
from typing import Any

import httpx
from archive_source import ArchiveSettings, ArchiveSource
from caught import caught_by

from citebot.errors import SourceError, StopSync
from citebot.model import Batch, Document, Failed, Finding, Gone, Json, Ref
from citebot.ports import SourceContext

NOTHING: dict[str, Any] = {"pages": [], "groups": {}}

# --- E: deletion -----------------------------------------------------------------------------------------------------


class FeedLeavesOut(ArchiveSource):
    """The feed does not say everything."""

    left_out = ""

    def feed(self, ctx: SourceContext, entry: int) -> Any:
        found = super().feed(ctx, entry)
        return found | {"entries": [each for each in found["entries"] if each["what"] != self.left_out]}


@caught_by(E1="A deleted document is still there")
class DeletionsAreNotInItsFeed(FeedLeavesOut):
    left_out = "delete"


@caught_by(E1="A deleted document is still there")
class MissingIsAFailure(ArchiveSource):
    def missing(self, key: str) -> Gone | Failed:
        return Failed(key, "The archive answers 404.")


@caught_by(E2="A restored document is missing")
class RestoresAreNotInItsFeed(FeedLeavesOut):
    left_out = "restore"


@caught_by(E3="It is still there after the next listing")
class HiddenIsAFailure(ArchiveSource):
    def hidden(self, key: str) -> Gone | Failed:
        return Failed(key, "The archive answers 403.")


@caught_by(E4="nobody is told", F5="nobody is told")
class RefusedIsNothingNew(ArchiveSource):
    def log_in(self, ctx: SourceContext) -> None:
        ctx.http.post(f"{self.settings.url}/api/login", json={"token": self.settings.token.get_secret_value()})

    def ask(self, ctx: SourceContext, what: str, **params: str) -> Any:
        response = self.request(ctx, what, **params)
        if response.status_code != 200:
            return NOTHING.get(what, {"entries": [], "next": int(params.get("since", 0))})
        return self.read(response, what)


# --- F: safety -------------------------------------------------------------------------------------------------------


@caught_by(F1="are called gone")
class ReportsWhatItNoLongerSees(ArchiveSource):
    def list(self, ctx: SourceContext, cursor: Json) -> Iterator[Batch]:
        memory, seen = self.state_dir / "seen.json", []
        before = json.loads(memory.read_text()) if memory.exists() else []
        for batch in super().list(ctx, cursor):
            seen += [item.id for item in batch.items]
            yield batch
        for key in sorted(set(before) - set(seen)):
            yield Batch((Gone(key),), {"after": key})
        memory.parent.mkdir(parents=True, exist_ok=True)
        memory.write_text(json.dumps(seen))


@caught_by(F2="that are still there, they go")
class NotModifiedIsGone(ArchiveSource):
    def answer(self, ctx: SourceContext, key: str) -> Document | Gone | Failed:
        item = super().answer(ctx, key)
        memory = self.state_dir / f"{key}.version"
        if not isinstance(item, Document):
            return item
        if memory.exists() and memory.read_text() == item.version:
            return Gone(key)
        memory.parent.mkdir(parents=True, exist_ok=True)
        memory.write_text(item.version)
        return item


@caught_by(F3="ends as though it were whole")
class EndsWhereItFails(ArchiveSource):
    def list(self, ctx: SourceContext, cursor: Json) -> Iterator[Batch]:
        try:
            yield from super().list(ctx, cursor)
        except SourceError as error:
            ctx.log.warning("the listing has ended", why=str(error))


@caught_by(F4="a server error")
class AnyErrorIsGone(ArchiveSource):
    def answer(self, ctx: SourceContext, key: str) -> Document | Gone | Failed:
        response = self.page(ctx, key)
        return self.document(self.read(response, "page")) if response.status_code == 200 else Gone(key)


@caught_by(F4="JSON with status 200")
class AnswerWithoutPageIsGone(ArchiveSource):
    def answer(self, ctx: SourceContext, key: str) -> Document | Gone | Failed:
        page = self.page(ctx, key).json().get("page")
        return self.document(page) if page else Gone(key)


@caught_by(F5="its check is content")
class ChecksNothing(ArchiveSource):
    def check(self, ctx: SourceContext) -> Iterable[Finding]:
        yield Finding(ok=True, what=f"{self.settings.url} it is.")


# --- G: crashes and faults -------------------------------------------------------------------------------------------


@caught_by(G1="is read by another process")
class LeavesItsLock(ArchiveSource):
    def list(self, ctx: SourceContext, cursor: Json) -> Iterator[Batch]:
        lock = self.state_dir / "lock"
        if lock.exists():
            raise StopSync("The archive is read by another process.")
        lock.parent.mkdir(parents=True, exist_ok=True)
        lock.touch()
        yield from super().list(ctx, cursor)
        lock.unlink()


@caught_by(G2="it has not seen")
class KeepsItsOwnPosition(ArchiveSource):
    def changes(self, ctx: SourceContext, cursor: Json) -> Iterator[Batch]:
        memory = self.state_dir / "position"
        found = self.feed(ctx, int(memory.read_text()) if cursor and memory.exists() else -1)
        memory.parent.mkdir(parents=True, exist_ok=True)
        memory.write_text(str(found["next"]))
        for each in found["entries"]:
            self.request(ctx, "page", id=each["id"])
        yield Batch(tuple({Ref(self.key_of(each)) for each in found["entries"]}), {"entry": found["next"]})


class SmallPages(ArchiveSettings):
    """Several pages for a few documents."""

    page_size: int = 2


@caught_by(G3="With a body cut in the middle")
class AsksForTheNextPage(ArchiveSource):
    Settings = SmallPages
    scroll = ""

    def rows(self, ctx: SourceContext, after: str) -> Any:
        self.scroll = self.scroll if after else uuid.uuid4().hex
        return self.ask(ctx, "pages", scroll=self.scroll, limit=str(self.settings.page_size))


@caught_by(G4="With a login page with status 200 for every request, nobody is told")
class GarbageIsNothingNew(ArchiveSource):
    def read(self, response: httpx.Response, what: str) -> Any:
        try:
            return response.json()[what]
        except (ValueError, LookupError):
            return NOTHING.get(what, {"entries": [], "next": 0})


@caught_by(G5="a secret in the address")
class TokenIsInTheAddress(ArchiveSource):
    def send(self, ctx: SourceContext, what: str, params: dict[str, str]) -> httpx.Response:
        return super().send(ctx, what, params | {"token": self.settings.token.get_secret_value()})


@caught_by(G6="leaves out documents and says nothing")
class ListsFromAnyCursor(ArchiveSource):
    def listed_to(self, cursor: Any) -> str:
        return str(cursor["after"]) if isinstance(cursor, dict) and "after" in cursor else str(cursor or "")


@caught_by(G6="instead of raising CursorExpired")
class FeedTakesAnyCursor(ArchiveSource):
    def read_to(self, cursor: Any) -> int:
        return int(cursor["entry"]) if isinstance(cursor, dict) and "entry" in cursor else -1


@caught_by(G7="When a session ends, the run fails")
class LogsInOnce(ArchiveSource):
    logged_in = False

    def log_in(self, ctx: SourceContext) -> None:
        if not self.logged_in:
            super().log_in(ctx)
        self.logged_in = True


@caught_by(G8="for one document, the run ends")
class OneErrorEndsItAll(ArchiveSource):
    def page(self, ctx: SourceContext, key: str) -> httpx.Response:
        response = super().page(ctx, key)
        if response.status_code == 500:
            raise StopSync("The archive answers 500.")
        return response
