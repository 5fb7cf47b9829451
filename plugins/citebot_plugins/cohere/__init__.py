"""Cohere's models over its own SDK: chat with native citations, embeddings, reranking."""

from __future__ import annotations

from typing import TYPE_CHECKING

from citebot import hookimpl
from citebot_plugins.cohere.embedder import CohereEmbedder
from citebot_plugins.cohere.generator import CohereGenerator
from citebot_plugins.cohere.reranker import CohereReranker

if TYPE_CHECKING:
    from citebot.ports import Embedder, Generator, Reranker


@hookimpl
def citebot_register_generators() -> type[Generator]:
    """Command models, which name the passages they used themselves."""
    return CohereGenerator


@hookimpl
def citebot_register_embedders() -> type[Embedder]:
    """Embed models."""
    return CohereEmbedder


@hookimpl
def citebot_register_rerankers() -> type[Reranker]:
    """Rerank models."""
    return CohereReranker
