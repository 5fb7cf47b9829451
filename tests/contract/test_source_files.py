"""The source `files` keeps the contract of sources."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote

from citebot.model import Readers
from citebot.ports import PartContext, Source
from citebot.testing.contract_source import SourceContract
from citebot.testing.source_lab import Lab
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


class TestFilesSource(SourceContract):
    def make_lab(self, folder: Path) -> Lab:
        return FilesLab(folder)
