"""The source `files` keeps the contract of sources."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote

from citebot.model import Readers
from citebot.ports import PartContext, Source
from citebot.testing.contract_source import SourceContract
from citebot.testing.sources.content import RICH
from citebot.testing.sources.lab import Lab
from citebot_connectors.sources.files import FilesSource


class FilesLab:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir()

    def source(self, state_dir: Path) -> Source:
        settings = FilesSource.Settings.model_validate(
            {"path": self._folder, "front_matter_readers": True, "readers": []}
        )
        return FilesSource(settings, PartContext(state_dir))  # type: ignore[arg-type]

    def create(self, title: str, text: str, readers: Readers | None) -> str:
        key = f"{title.replace('/', quote('/', safe=''))}.md"
        line = f"readers: {', '.join(sorted(readers.principals))}\n" if readers else ""
        (self._folder / key).write_text(f"---\ntitle: {title}\n{line}---\n\n{text}\n", "utf-8")
        return key

    def edit(self, key: str, text: str) -> None:
        path = self._folder / key
        path.write_text(path.read_text("utf-8").rpartition("---\n\n")[0] + f"---\n\n{text}\n", "utf-8")
        os.utime(path, ns=(1, path.stat().st_mtime_ns + 1_000_000))

    def delete(self, key: str) -> None:
        (self._folder / key).unlink()

    def rename(self, key: str, title: str) -> str:
        path = self._folder / key
        new = f"{title}.md"
        head, _, text = path.read_text("utf-8").rpartition("---\n\n")
        lines = [f"title: {title}" if line.startswith("title: ") else line for line in head.splitlines()]
        path.unlink()
        (self._folder / new).write_text("\n".join(lines) + f"\n---\n\n{text}", "utf-8")
        return new

    def move(self, key: str) -> str:
        new = f"elsewhere/{key}"
        (self._folder / new).parent.mkdir(parents=True, exist_ok=True)
        (self._folder / key).rename(self._folder / new)
        return new

    def restrict(self, key: str, readers: Readers | None) -> None:
        path = self._folder / key
        head, _, text = path.read_text("utf-8").rpartition("---\n\n")
        lines = [line for line in head.splitlines() if not line.startswith("readers: ")]
        lines += [f"readers: {', '.join(sorted(readers.principals))}"] if readers else []
        path.write_text("\n".join(lines) + f"\n---\n\n{text}", "utf-8")
        os.utime(path, ns=(1, path.stat().st_mtime_ns + 1_000_000))

    def restore(self, key: str) -> None:
        self.create(key.removesuffix(".md"), "Text of page 0.", Readers.everyone())

    burst_size = 10_000

    def burst(self, number: int) -> None:
        for made in range(number):
            self.create(f"Burst {made}", f"Text {made}.", Readers.everyone())

    def write_rich(self) -> str:
        return self.create("Rich", RICH, Readers.everyone())


class TestFilesSource(SourceContract):
    def make_lab(self, folder: Path) -> Lab:
        return FilesLab(folder)
