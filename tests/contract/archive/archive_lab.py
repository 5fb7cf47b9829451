"""How the kit changes the archive."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from archive_server import BOARD, TOKEN, ArchiveServer, Page
from archive_source import ArchiveSource

from citebot.model import Readers
from citebot.ports import PartContext
from citebot.settings import EgressSettings
from citebot.testing.local_server import local_server
from citebot.testing.sources.content import RICH


class ArchiveLab:
    """Has every ability that the kit knows."""

    egress = EgressSettings(allow=["127.0.0.0/8"], requests_per_second=10_000)
    secrets = (TOKEN,)

    def __init__(self, server: ArchiveServer, url: str, kind: type[ArchiveSource]) -> None:
        self.server = server
        self._url = url
        self._kind = kind
        self.burst_size = kind.burst_size

    def source(self, state_dir: Path, **values: Any) -> ArchiveSource:
        settings = self._kind.Settings.model_validate({"url": self._url, "token": TOKEN, **values})
        return self._kind(settings, PartContext(data_dir=state_dir))

    def paged(self, state_dir: Path, size: int) -> ArchiveSource:
        return self.source(state_dir, page_size=size)

    def labelled(self, state_dir: Path, readers: Sequence[str]) -> ArchiveSource:
        return self.source(state_dir, readers=list(readers))

    def create(self, title: str, text: str, readers: Readers | None) -> str:
        return self._key(self.server.add(title, text, sorted(readers.principals) if readers else None))

    def edit(self, key: str, text: str) -> None:
        page = self._page(key)
        page.text, page.revision = text, page.revision + 1
        self.server.note(page, "edit")

    def delete(self, key: str) -> None:
        self.server.remove(self._page(key))

    def rename(self, key: str, title: str) -> str:
        page = self._page(key)
        page.title = title
        self.server.note(page, "rename")
        return self._key(page)

    def move(self, key: str) -> str:
        page = self._page(key)
        page.folder = f"{page.folder}-elsewhere"
        self.server.note(page, "move")
        return self._key(page)

    def comment(self, key: str, text: str, *, private: bool) -> None:
        page = self._page(key)
        page.comments.append({"text": text, "readers": [BOARD] if private else []})
        self.server.note(page, "comment")

    def restrict(self, key: str, readers: Readers | None) -> None:
        page = self._page(key)
        version = page.version
        page.readers = sorted(readers.principals) if readers else None
        self.server.note(page, "restrict")
        page.version = version  # rights are not part of a page, and do not date it

    def restore(self, key: str) -> None:
        self.server.restore(next(page for page in self.server.trash.values() if page.listed == key))

    def unshare(self, key: str) -> None:
        page = self._page(key)
        page.shared = False
        self.server.note(page, "unshare")

    def revoke(self) -> None:
        self.server.lock_out()

    def edit_silently(self, key: str, text: str) -> None:
        self._page(key).text = text

    def burst(self, number: int) -> None:
        for made in range(number):
            self.create(f"Burst {made}", f"Text {made}.", Readers.everyone())

    def write_rich(self) -> str:
        return self.create("Rich", RICH, Readers.everyone())

    def _key(self, page: Page) -> str:
        page.listed = self._kind.key_of(page.row(""))
        return page.listed

    def _page(self, key: str) -> Page:
        return next(page for page in self.server.pages.values() if page.listed == key)


@contextmanager
def archive_of(kind: type[ArchiveSource]) -> Iterator[ArchiveLab]:
    """An empty archive that is read by a kind of source."""
    server = ArchiveServer()
    with local_server(server.answer) as served:
        yield ArchiveLab(server, served.url, kind)
