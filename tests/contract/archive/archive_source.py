"""A sound source over the archive. What is broken is made from it, so it has a method for everything."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, ClassVar

import httpx
from pydantic import BaseModel, SecretStr

from citebot.errors import CursorExpired, StopSync
from citebot.model import Batch, Document, Failed, Finding, Gone, Group, Json, Part, Readers, Ref
from citebot.ports import PartContext, SourceContext, SourceSpec


class ArchiveSettings(BaseModel):
    """Where the archive is."""

    url: str
    token: SecretStr
    page_size: int = 50
    """Of listing and feed."""
    readers: list[str] | None = None
    """Who may read all of it; None: whoever may in the archive."""


class ArchiveSource:
    """Pages by id; the journal is the feed."""

    name: ClassVar[str] = "archive"
    summary: ClassVar[str] = "Pages of an archive"
    Settings: ClassVar[type[BaseModel]] = ArchiveSettings
    spec: ClassVar[SourceSpec] = SourceSpec(feed_reports_deletes=True, silent_edits=True)
    burst_size: ClassVar[int] = 1_000
    """How many documents the lab makes at once to try it."""

    def __init__(self, settings: Any, context: PartContext) -> None:
        self.settings = settings
        self.state_dir = context.data_dir

    def check(self, ctx: SourceContext) -> Iterable[Finding]:
        self.ask(ctx, "pages", after="", limit="1")
        yield Finding(ok=True, what="The archive can be read.")

    def list(self, ctx: SourceContext, cursor: Json) -> Iterator[Batch]:
        after = self.listed_to(cursor)
        while rows := self.rows(ctx, after):
            after = rows[-1]["id"]
            yield Batch(tuple(self.ref(row) for row in rows), {"after": after})
            if len(rows) < self.settings.page_size:
                return

    def fetch(self, ctx: SourceContext, ids: Sequence[str]) -> Iterator[Document | Gone | Failed]:
        for key in ids:
            yield self.answer(ctx, key)

    def changes(self, ctx: SourceContext, cursor: Json) -> Iterator[Batch]:
        entry = self.read_to(cursor)
        while True:
            found = self.feed(ctx, entry)
            items = {self.key_of(each): Ref(self.key_of(each)) for each in found["entries"]}
            yield Batch(tuple(items.values()), {"entry": found["next"]})
            if len(found["entries"]) < self.settings.page_size:
                return
            entry = found["next"]

    def groups(self, ctx: SourceContext) -> Iterable[Group]:
        for name, people in self.ask(ctx, "groups").items():
            yield Group(name, frozenset(people))

    def may_read(self, ctx: SourceContext, person: str, ids: Sequence[str]) -> set[str]:
        return set(self.ask(ctx, "readable", person=person, ids=",".join(ids)))

    # --- pieces ------------------------------------------------------------------------------------------------------

    @staticmethod
    def key_of(row: dict[str, Any]) -> str:
        """The id of a document."""
        return str(row["id"])

    def listed_to(self, cursor: Any) -> str:
        """Where a listing goes on."""
        if cursor is None:
            return ""
        if not isinstance(cursor, dict) or not isinstance(cursor.get("after"), str):
            raise StopSync("This is no position in a listing of an archive.")
        return str(cursor["after"])

    def read_to(self, cursor: Any) -> int:
        """Where a feed goes on; -1 asks where it stands."""
        if cursor is None:
            return -1
        if not isinstance(cursor, dict) or not isinstance(cursor.get("entry"), int):
            raise CursorExpired("This is no position in the journal of an archive.")
        return int(cursor["entry"])

    def rows(self, ctx: SourceContext, after: str) -> Any:
        """A page of the listing."""
        return self.ask(ctx, "pages", after=after, limit=str(self.settings.page_size))

    def feed(self, ctx: SourceContext, entry: int) -> Any:
        """A page of the journal."""
        return self.ask(ctx, "changes", since=str(entry), limit=str(self.settings.page_size))

    def ref(self, row: dict[str, Any]) -> Ref:
        """A row of the listing."""
        return Ref(self.key_of(row), self.version(row), self.readers(row).tag)

    def version(self, row: dict[str, Any]) -> str:
        """Changes with the page."""
        return str(row["version"])

    def readers(self, row: dict[str, Any]) -> Readers:
        """Who may read a page."""
        if self.settings.readers is not None:
            return Readers(frozenset(name if ":" in name else f"group:{name}" for name in self.settings.readers))
        return Readers(frozenset(row["readers"] or ()))

    def answer(self, ctx: SourceContext, key: str) -> Document | Gone | Failed:
        """One page, or why there is none."""
        response = self.page(ctx, key)
        if response.status_code == 404:
            return self.missing(key)
        if response.status_code == 403:
            return self.hidden(key)
        if response.status_code != 200:
            return Failed(key, f"The archive answers {response.status_code}.")
        return self.document(self.read(response, "page"))

    def page(self, ctx: SourceContext, key: str) -> httpx.Response:
        """The answer to the request for one page."""
        return self.request(ctx, "page", id=key.rpartition("/")[2])

    def missing(self, key: str) -> Gone | Failed:
        """For a page that is not there."""
        return Gone(key)

    def hidden(self, key: str) -> Gone | Failed:
        """For a page that our account may not read."""
        return Gone(key, "no_access")

    def document(self, page: dict[str, Any]) -> Document:
        """A page as it is stored."""
        return Document(
            id=self.key_of(page),
            title=page["title"],
            body=self.body(page),
            readers=self.readers(page),
            url=self.url(page),
            version=self.version(page),
            path=(page["folder"],),
            updated=self.updated(page),
            parts=tuple(self.parts(page)),
        )

    def body(self, page: dict[str, Any]) -> str:
        """Markdown."""
        return str(page["text"])

    def url(self, page: dict[str, Any]) -> str:
        """For people."""
        return f"{self.settings.url}/show/{page['id']}"

    def updated(self, page: dict[str, Any]) -> datetime:
        """When it was changed."""
        return datetime.fromisoformat(page["updated"])

    def parts(self, page: dict[str, Any]) -> Iterator[Part]:
        """Comments."""
        for number, comment in enumerate(page["comments"], 1):
            readers = Readers(frozenset(comment["readers"])) if comment["readers"] else None
            yield Part(comment["text"], author="ann", anchor=f"comment-{number}", readers=readers)

    # --- requests ----------------------------------------------------------------------------------------------------

    def ask(self, ctx: SourceContext, what: str, **params: str) -> Any:
        """What an answer holds; anything but an answer ends the run."""
        response = self.request(ctx, what, **params)
        if response.status_code != 200:
            raise StopSync(f"The archive answers {response.status_code}.")
        return self.read(response, what)

    def read(self, response: httpx.Response, what: str) -> Any:
        """The value of that name."""
        try:
            return response.json()[what]
        except (ValueError, LookupError, TypeError) as error:
            raise StopSync("This is no archive.") from error

    def request(self, ctx: SourceContext, what: str, **params: str) -> httpx.Response:
        """One answer; logs in when that is needed."""
        response = self.send(ctx, what, params)
        if response.status_code == 401:
            self.log_in(ctx)
            response = self.send(ctx, what, params)
        return response

    def send(self, ctx: SourceContext, what: str, params: dict[str, str]) -> httpx.Response:
        """One request."""
        return ctx.http.get(f"{self.settings.url}/api/{what}", params=params)

    def log_in(self, ctx: SourceContext) -> None:
        """Begin a session."""
        token = self.settings.token.get_secret_value()
        response = ctx.http.post(f"{self.settings.url}/api/login", json={"token": token})
        if response.status_code != 200:
            raise StopSync(f"The archive does not take this token ({response.status_code}).")
