"""The contract of indexes, on every index we ship."""

from __future__ import annotations

from pathlib import Path

from citebot.ports import Index, NoSettings, PartContext
from citebot.testing.contract_index import IndexContract
from citebot.testing.memory_index import MemoryIndex
from citebot_plugins.embedded.index import EmbeddedIndex
from citebot_plugins.embedded.settings import EmbeddedSettings


class TestEmbeddedIndex(IndexContract):
    def make(self, data_dir: Path) -> Index:
        return EmbeddedIndex(EmbeddedSettings(), PartContext(data_dir))


class TestApproximateEmbeddedIndex(IndexContract):
    """With the approximate index from the first rows on."""

    def make(self, data_dir: Path) -> Index:
        return EmbeddedIndex(EmbeddedSettings(exact_below=0), PartContext(data_dir))


class TestMemoryIndex(IndexContract):
    kept: MemoryIndex | None = None

    def make(self, data_dir: Path) -> Index:
        # It forgets everything with the object: a second one for the same folder is the same object.
        if self.kept is None:
            self.kept = MemoryIndex(NoSettings(), PartContext(data_dir))
        return self.kept
