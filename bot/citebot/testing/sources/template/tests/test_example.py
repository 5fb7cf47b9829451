"""The source `example` against a server of our own, with the conformance kit."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from citebot_example.source import ExampleSettings, ExampleSource

from citebot import PartContext, Readers
from citebot.settings import EgressSettings
from citebot.testing.contract_source import SourceContract
from citebot.testing.local_server import Received, Sent, local_server
from citebot.testing.sources.content import RICH

TOKEN = "let-me-in"


class ExampleServer:
    """An Example server: pages in the order of their ids, a journal of changes, groups; all of it for one token."""

    def __init__(self) -> None:
        self.pages: dict[str, dict[str, Any]] = {}
        self.journal: list[str] = []
        self.token = TOKEN
        self.ids = 0

    def write(self, key: str, **values: Any) -> None:
        """Change a page; it is dated and noted in the journal."""
        self.journal.append(key)
        page = self.pages.setdefault(key, {"id": key, "readers": []})
        page.update(values, version=f"v{len(self.journal)}", updated="2026-01-02T10:00:00+00:00")

    def new_id(self) -> str:
        """Ids are never given twice."""
        self.ids += 1
        return f"{self.ids:08}"

    def answer(self, received: Received) -> Sent:
        """One request."""
        what = received.path.rpartition("/")[2]
        if received.path.startswith("/show/"):
            return Sent("A page for people.") if what in self.pages else Sent(status=404)
        if received.headers.get("authorization") != f"Bearer {self.token}":
            return Sent(status=401)
        answers = {
            "pages": self._pages,
            "page": self._page,
            "changes": self._changes,
            "groups": self._groups,
            "readable": self._readable,
        }
        if what not in answers:
            return Sent(status=404)
        found = answers[what](received.query)
        for page in found if what == "pages" else [found] if what == "page" and found else []:
            page["url"] = f"http://{received.headers['host']}/show/{page['id']}"
        return Sent(json.dumps({what: found}))

    def _pages(self, query: Mapping[str, str]) -> Any:
        keys = sorted(key for key in self.pages if key > query["after"])
        return [self.pages[key] for key in keys[: int(query["limit"])]]

    def _page(self, query: Mapping[str, str]) -> Any:
        return self.pages.get(query["id"])

    def _changes(self, query: Mapping[str, str]) -> Any:
        since = int(query["since"])
        if since < 0:
            return {"ids": [], "next": len(self.journal)}
        entries = self.journal[since : since + int(query["limit"])]
        return {"ids": sorted(set(entries)), "next": since + len(entries)}

    def _groups(self, query: Mapping[str, str]) -> Any:
        return {"board": ["alice", "bob"]}

    def _readable(self, query: Mapping[str, str]) -> Any:
        who = {"everyone", f"person:{query['person']}"}
        who |= {f"group:{name}" for name, people in self._groups(query).items() if query["person"] in people}
        pages = [self.pages[key] for key in query["ids"].split(",") if key in self.pages]
        return [page["id"] for page in pages if who & set(page["readers"])]


class ExampleLab:
    """How the kit changes the server; every method beyond the first four has more checks run."""

    egress = EgressSettings(allow=["127.0.0.0/8"], requests_per_second=1000)
    secrets = (TOKEN,)
    burst_size = 2_000

    def __init__(self, server: ExampleServer, url: str) -> None:
        self.server = server
        self.url = url

    def source(self, state_dir: Path) -> ExampleSource:
        return self.paged(state_dir, 100)

    def create(self, title: str, text: str, readers: Readers | None) -> str:
        key = self.server.new_id()
        self.server.write(key, title=title, text=text, readers=sorted(readers.principals) if readers else [])
        return key

    def edit(self, key: str, text: str) -> None:
        self.server.write(key, text=text)

    def delete(self, key: str) -> None:
        del self.server.pages[key]
        self.server.journal.append(key)

    def paged(self, state_dir: Path, size: int) -> ExampleSource:
        settings = ExampleSettings(url=self.url, token=TOKEN, page_size=size)
        return ExampleSource(settings, PartContext(data_dir=state_dir))

    def rename(self, key: str, title: str) -> str:
        self.server.write(key, title=title)
        return key

    def restrict(self, key: str, readers: Readers | None) -> None:
        self.server.pages[key]["readers"] = sorted(readers.principals) if readers else []

    def restore(self, key: str) -> None:
        self.server.write(key, title="Page 0", text="Text of page 0.", readers=["everyone"])

    def revoke(self) -> None:
        self.server.token = "another"

    def burst(self, number: int) -> None:
        for made in range(number):
            self.create(f"Burst {made}", f"Text {made}.", Readers.everyone())

    def write_rich(self) -> str:
        return self.create("Rich", RICH, Readers.everyone())


class TestExample(SourceContract):
    """All checks of the kit."""

    @pytest.fixture
    def lab(self) -> Iterator[ExampleLab]:
        """A server without pages."""
        server = ExampleServer()
        with local_server(server.answer) as served:
            yield ExampleLab(server, served.url)
