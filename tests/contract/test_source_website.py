"""The source `website` keeps the contract of sources."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from html import escape
from pathlib import Path

import pytest

from citebot.egress import SourceHttp
from citebot.model import Readers
from citebot.ports import Http, PartContext, Source
from citebot.settings import EgressSettings
from citebot.testing.contract_source import SourceContract
from citebot.testing.local_server import Received, Sent, local_server
from citebot.testing.source_lab import Lab, SourceWorld
from citebot_connectors.sources.website import WebsiteSource


class WebsiteLab:
    """A site with a sitemap, written by hand."""

    def __init__(self, http: Http) -> None:
        self.http = http
        self.url = ""
        self._pages: dict[str, tuple[str, str, int]] = {}
        self._changes = 0

    def answer(self, received: Received) -> Sent:
        if received.path == "/sitemap.xml":
            rows = "".join(
                f"<url><loc>{self.url}{path}</loc><lastmod>{at}</lastmod></url>"
                for path, (_, _, at) in self._pages.items()
            )
            return Sent(f"<urlset>{rows}</urlset>")
        if received.path not in self._pages:
            return Sent(status=404)
        title, text, _ = self._pages[received.path]
        body = f"<title>{escape(title)}</title><main><p>{escape(text)}</p></main>"
        return Sent(body, headers={"content-type": "text/html; charset=utf-8"})

    def source(self, state_dir: Path, **values: object) -> Source:
        settings = WebsiteSource.Settings.model_validate({"url": f"{self.url}/", **values})
        return WebsiteSource(settings, PartContext(state_dir))  # type: ignore[arg-type]

    def create(self, title: str, text: str, readers: Readers | None) -> str:
        self._changes += 1
        path = f"/page-{self._changes}"
        self._pages[path] = (title, text, self._changes)
        return self.url + path

    def edit(self, key: str, text: str) -> None:
        self._changes += 1
        path = key.removeprefix(self.url)
        self._pages[path] = (self._pages[path][0], text, self._changes)

    def delete(self, key: str) -> None:
        del self._pages[key.removeprefix(self.url)]


class TestWebsiteSource(SourceContract):
    @pytest.fixture(autouse=True)
    def _served(self) -> Iterator[None]:
        settings = EgressSettings(allow=["127.0.0.0/8"], requests_per_second=10_000)
        with closing(SourceHttp(settings, source="site", stop=lambda: False)) as http:
            self.lab_ = WebsiteLab(http)
            with local_server(self.lab_.answer) as server:
                self.lab_.url = server.url
                yield

    def make_lab(self, folder: Path) -> Lab:
        return self.lab_

    def test_keeps_readers(self, lab: Lab, world: SourceWorld, tmp_path: Path) -> None:
        """A site has one reader label, that of its settings."""
        world.run(self.lab_.source(tmp_path, readers=["board", "person:alice"]))
        assert {p.readers.principals for p in world.passages()} == {frozenset({"group:board", "person:alice"})}

    def test_shows_a_document_without_readers_to_nobody(self, lab: Lab, world: SourceWorld, tmp_path: Path) -> None:
        world.run(self.lab_.source(tmp_path, readers=[]))
        assert {p.readers for p in world.passages()} == {Readers.nobody()}
