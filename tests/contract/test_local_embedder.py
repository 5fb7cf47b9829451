"""The built-in embedder keeps the contract of every embedder."""

from __future__ import annotations

from pathlib import Path

from citebot.ports import Embedder, PartContext
from citebot.testing.contract_embedder import EmbedderContract
from citebot_plugins.local.embedder import LocalEmbedder, LocalSettings


class TestLocalEmbedder(EmbedderContract):
    def make(self, data_dir: Path) -> Embedder:
        return LocalEmbedder(LocalSettings(), PartContext(data_dir))
