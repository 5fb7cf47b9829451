"""The parts `openai_compatible` keep their contracts, on a server with OpenAI's interface."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from citebot.ports import Embedder, Generator, PartContext, Reranker
from citebot.testing.contract_embedder import EmbedderContract
from citebot.testing.contract_generator import GeneratorContract
from citebot.testing.contract_reranker import RerankerContract
from citebot.testing.models.openai import FakeOpenAI
from citebot_plugins.openai_compatible.embedder import OpenAICompatibleEmbedder
from citebot_plugins.openai_compatible.generator import OpenAICompatibleGenerator
from citebot_plugins.openai_compatible.reranker import OpenAICompatibleReranker
from citebot_plugins.openai_compatible.settings import EmbedderSettings, GeneratorSettings, RerankerSettings


class OnTheFake:
    """A server of the test's own."""

    server: FakeOpenAI

    @pytest.fixture(autouse=True)
    def _server(self) -> Iterator[None]:
        with FakeOpenAI() as self.server:
            yield

    def settings(self, model: str) -> dict[str, Any]:
        return {"base_url": self.server.base_url, "api_key": self.server.key, "model": model}


class TestGenerator(OnTheFake, GeneratorContract):
    def make(self, data_dir: Path) -> Generator:
        settings = GeneratorSettings.model_validate({**self.settings("chat-1"), "max_prompt_tokens": 24_000})
        return OpenAICompatibleGenerator(settings, PartContext(data_dir))


class TestReranker(OnTheFake, RerankerContract):
    def make(self, data_dir: Path) -> Reranker:
        settings = RerankerSettings.model_validate(self.settings("rerank-1"))
        return OpenAICompatibleReranker(settings, PartContext(data_dir))


class TestRerankerOfTexts(OnTheFake, RerankerContract):
    def make(self, data_dir: Path) -> Reranker:
        settings = RerankerSettings.model_validate({**self.settings("rerank-1"), "shape": "texts", "batch_size": 2})
        return OpenAICompatibleReranker(settings, PartContext(data_dir))


class TestEmbedder(OnTheFake, EmbedderContract):
    def make(self, data_dir: Path) -> Embedder:
        settings = EmbedderSettings.model_validate(self.settings("embed-1"))
        return OpenAICompatibleEmbedder(settings, PartContext(data_dir))
