"""The document's path: source → documents, passages and vectors in the database → index."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from citebot.ingest.building import Build, Builder
    from citebot.ingest.embedding import EmbeddingProgress, EmbeddingWorker
    from citebot.ingest.feeder import Feeder
    from citebot.ingest.progress import SyncProgress
    from citebot.ingest.runner import SyncRunner

__all__ = ["Build", "Builder", "EmbeddingProgress", "EmbeddingWorker", "Feeder", "SyncProgress", "SyncRunner"]

_HOMES = {
    "Build": "building",
    "Builder": "building",
    "EmbeddingProgress": "embedding",
    "EmbeddingWorker": "embedding",
    "Feeder": "feeder",
    "SyncProgress": "progress",
    "SyncRunner": "runner",
}


def __getattr__(name: str) -> Any:
    # Loaded when used: the parser's child process is of this package too, and needs no database to start.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
