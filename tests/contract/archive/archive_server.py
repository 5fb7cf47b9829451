"""An archive: a server in memory with all that a place of documents may have."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from citebot.testing.local_server import Received, Sent

TOKEN = "let-me-in-please"
BOARD = "group:board"
GROUPS = {"board": ["alice", "bob"]}


@dataclass(slots=True)
class Page:
    """One document of the archive."""

    id: str
    title: str
    text: str
    readers: list[str] | None
    folder: str = "general"
    comments: list[dict[str, Any]] = field(default_factory=list)
    shared: bool = True
    version: int = 0
    """Where the journal stood when it was changed last."""
    revision: int = 0
    """How often its text was written."""
    listed: str = ""
    """Under which id a source lists it."""

    def row(self, updated: str) -> dict[str, Any]:
        """What a listing says of it."""
        names = ("id", "title", "folder", "readers", "version", "revision")
        return {"updated": updated, **{name: getattr(self, name) for name in names}}


class Refused(Exception):
    """Answered with a status."""

    def __init__(self, status: int) -> None:
        super().__init__(str(status))
        self.status = status


class ArchiveServer:
    """Sessions, pages by id or by date, a journal of changes, readers, groups. Its clock stands still."""

    def __init__(self) -> None:
        self.pages: dict[str, Page] = {}
        self.trash: dict[str, Page] = {}
        self.journal: list[tuple[str, str]] = []
        self.token = TOKEN
        self.now = datetime.now(UTC).replace(microsecond=0)
        """Whole seconds, and all changes are in the same one: what may be in some, is in all of them."""
        self._sessions: set[str] = set()
        self._scrolls: dict[str, int] = {}
        self._ids = 0

    # --- changes -----------------------------------------------------------------------------------------------------

    def add(self, title: str, text: str, readers: list[str] | None) -> Page:
        """Ids are never given twice, and their order is that of making."""
        self._ids += 1
        page = Page(f"{self._ids:06}", title, text, readers, revision=1)
        self.pages[page.id] = page
        self.note(page, "create")
        return page

    def note(self, page: Page, what: str) -> None:
        """Every change is in the journal."""
        self.journal.append((what, page.id))
        page.version = len(self.journal)

    def remove(self, page: Page) -> None:
        """Into the trash."""
        self.trash[page.id] = self.pages.pop(page.id)
        self.note(page, "delete")

    def restore(self, page: Page) -> None:
        """Out of the trash."""
        self.pages[page.id] = self.trash.pop(page.id)
        self.note(page, "restore")

    def lock_out(self) -> None:
        """The account is closed."""
        self.token = "another"
        self._sessions.clear()

    # --- answers -----------------------------------------------------------------------------------------------------

    def answer(self, received: Received) -> Sent:
        """One request."""
        place, _, what = received.path.strip("/").rpartition("/")
        try:
            if place == "show":
                return Sent("A page for people.", 200 if what in self.pages else 404, {"content-type": "text/html"})
            if what == "login":
                return self._login(received)
            self._must_be_known(received)
            ways: dict[str, Callable[[Mapping[str, str]], Any]] = {
                "pages": self._pages,
                "page": self._page,
                "changes": self._changes,
                "changed": self._changed,
                "groups": lambda query: GROUPS,
                "readable": self._readable,
            }
            if what not in ways:
                raise Refused(404)
            return _json({what: ways[what](received.query)})
        except Refused as refused:
            return _json({"error": str(refused)}, refused.status)

    def _login(self, received: Received) -> Sent:
        if json.loads(received.body)["token"] != self.token:
            raise Refused(401)
        session = f"s{len(self._sessions)}"
        self._sessions.add(session)
        return _json({"login": "welcome"}, headers={"set-cookie": f"session={session}"})

    def _must_be_known(self, received: Received) -> None:
        session = received.headers.get("cookie", "").removeprefix("session=")
        if session not in self._sessions and received.query.get("token") != self.token:
            raise Refused(401)

    def _pages(self, query: Mapping[str, str]) -> list[dict[str, Any]]:
        limit = int(query["limit"])
        rows = [page for page in self.pages.values() if page.shared]
        if "offset" in query:  # by date, and so in an order that moves
            rows.sort(key=lambda page: page.version)
            rows = rows[int(query["offset"]) :]
        elif "scroll" in query:  # goes on where this one was the last time
            at = self._scrolls.get(query["scroll"], 0)
            self._scrolls[query["scroll"]] = at + limit
            rows = rows[at:]
        else:
            rows = sorted((page for page in rows if page.id > query["after"]), key=lambda page: page.id)
        return [page.row(self.now.isoformat()) for page in rows[:limit]]

    def _page(self, query: Mapping[str, str]) -> dict[str, Any]:
        page = self.pages.get(query["id"])
        if page is None:
            raise Refused(404)
        if not page.shared:
            raise Refused(403)
        return page.row(self.now.isoformat()) | {"text": page.text, "comments": page.comments}

    def _changes(self, query: Mapping[str, str]) -> dict[str, Any]:
        since, limit = int(query["since"]), int(query["limit"])
        if since < 0:
            return {"entries": [], "next": len(self.journal)}
        entries = self.journal[since : since + limit]
        return {"entries": [self._entry(*entry) for entry in entries], "next": since + len(entries)}

    def _entry(self, what: str, key: str) -> dict[str, Any]:
        page = self.pages.get(key)
        return {"what": what, "id": key} | (page.row(self.now.isoformat()) if page else {})

    def _changed(self, query: Mapping[str, str]) -> list[dict[str, Any]]:
        if datetime.fromisoformat(query["since"]) > self.now:
            return []
        return [page.row(self.now.isoformat()) for page in self.pages.values() if page.shared]

    def _readable(self, query: Mapping[str, str]) -> list[str]:
        person = query["person"]
        mine = {
            "everyone",
            f"person:{person}",
            *(f"group:{name}" for name, people in GROUPS.items() if person in people),
        }
        asked = (self.pages.get(key) for key in query["ids"].split(","))
        return [page.id for page in asked if page and page.shared and not mine.isdisjoint(page.readers or ())]


def _json(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Sent:
    return Sent(json.dumps(value), status, {"content-type": "application/json", **(headers or {})})
