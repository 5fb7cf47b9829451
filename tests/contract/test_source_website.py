"""The source `website` keeps the contract of sources."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path

import pytest

from citebot.model import Readers
from citebot.ports import PartContext, Source
from citebot.settings import EgressSettings
from citebot.testing.contract_source import SourceContract
from citebot.testing.local_server import Received, Sent, local_server
from citebot.testing.sources.lab import Lab
from citebot_connectors.sources.website import WebsiteSource

RICH_HTML = """<h2 id="install">Install</h2>
<p>Ask in <a href="https://example.org/guide">the guide</a> first.</p>
<pre><code class="language-python">def install():
    return 42
</code></pre>
<table><tr><th>Country</th><th>Days</th></tr><tr><td>Poland</td><td>26</td></tr></table>
<h3 id="upgrade">Upgrade</h3>
<ul><li>outer item<ul><li>inner item</li></ul></li></ul>
<p><img src="boat.png" alt="a red boat"></p>"""


class WebsiteLab:
    """A site with a sitemap, written by hand."""

    egress = EgressSettings(allow=["127.0.0.0/8"], requests_per_second=10_000)
    burst_size = 5_000

    def __init__(self) -> None:
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
        if received.path == "/":
            return Sent("<title>Start</title><main><p>Welcome.</p></main>", headers={"content-type": "text/html"})
        if received.path not in self._pages:
            return Sent(status=404)
        title, text, _ = self._pages[received.path]
        main = text if text is RICH_HTML else f"<p>{escape(text)}</p>"
        body = f"<title>{escape(title)}</title><main>{main}</main>"
        return Sent(body, headers={"content-type": "text/html; charset=utf-8"})

    def source(self, state_dir: Path, **values: object) -> Source:
        settings = WebsiteSource.Settings.model_validate({"url": f"{self.url}/", **values})
        return WebsiteSource(settings, PartContext(state_dir))  # type: ignore[arg-type]

    def labelled(self, state_dir: Path, readers: Sequence[str]) -> Source:
        return self.source(state_dir, readers=list(readers))

    def rename(self, key: str, title: str) -> str:
        self._changes += 1
        path = key.removeprefix(self.url)
        self._pages[path] = (title, self._pages[path][1], self._changes)
        return key

    def restore(self, key: str) -> None:
        self._changes += 1
        self._pages[key.removeprefix(self.url)] = ("Page 0", "Text of page 0.", self._changes)

    def burst(self, number: int) -> None:
        for made in range(number):
            self.create(f"Burst {made}", f"Text {made}.", None)

    def write_rich(self) -> str:
        key = self.create("Rich", "", None)
        path = key.removeprefix(self.url)
        self._pages[path] = ("Rich", RICH_HTML, self._changes)
        return key

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
    @pytest.fixture
    def lab(self) -> Iterator[Lab]:
        place = WebsiteLab()
        with local_server(place.answer) as server:
            place.url = server.url
            yield place
