"""The document's path: source → documents, passages and vectors in the database → index."""

from __future__ import annotations

from citebot.ingest.embedding import EmbeddingProgress, EmbeddingWorker
from citebot.ingest.feeder import Feeder
from citebot.ingest.progress import SyncProgress
from citebot.ingest.runner import SyncRunner

__all__ = ["EmbeddingProgress", "EmbeddingWorker", "Feeder", "SyncProgress", "SyncRunner"]
