"""Models behind the HTTP interface that OpenAI made common: vLLM, Ollama, TEI, llama.cpp, LiteLLM, Azure and others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from citebot import hookimpl

if TYPE_CHECKING:
    from citebot.ports import Embedder, Generator, Reranker


@hookimpl
def citebot_register_embedders() -> Sequence[type[Embedder]]:
    """`/embeddings`."""
    from citebot_plugins.openai_compatible.embedder import OpenAICompatibleEmbedder

    return (OpenAICompatibleEmbedder,)


@hookimpl
def citebot_register_rerankers() -> Sequence[type[Reranker]]:
    """`/rerank`."""
    from citebot_plugins.openai_compatible.reranker import OpenAICompatibleReranker

    return (OpenAICompatibleReranker,)


@hookimpl
def citebot_register_generators() -> Sequence[type[Generator]]:
    """`/chat/completions`."""
    from citebot_plugins.openai_compatible.generator import OpenAICompatibleGenerator

    return (OpenAICompatibleGenerator,)
