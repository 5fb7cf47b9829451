"""Cohere's parts keep the contracts of every generator, embedder and reranker, on the fake of their service."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("cohere")

from citebot.ports import Embedder, Generator, PartContext, Reranker
from citebot.testing.contract_embedder import EmbedderContract
from citebot.testing.contract_generator import GeneratorContract
from citebot.testing.contract_reranker import RerankerContract
from citebot.testing.models.cohere import KEY, FakeCohere
from citebot_plugins.cohere import CohereEmbedder, CohereGenerator, CohereReranker


class Served:
    """Every part is made for one server, which all tests of a class share."""

    part: type

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def server(cls) -> Iterator[FakeCohere]:
        with FakeCohere() as server:
            cls.url = server.url
            yield server

    def settings(self) -> dict[str, object]:
        return {"api_key": KEY, "base_url": self.url}


class TestCohereGenerator(Served, GeneratorContract):
    def make(self, data_dir: Path) -> Generator:
        # Room for a question of 20,000 letters.
        settings = {**self.settings(), "max_prompt_tokens": 40_000}
        return CohereGenerator(CohereGenerator.Settings.model_validate(settings), PartContext(data_dir))


class TestCohereReranker(Served, RerankerContract):
    def make(self, data_dir: Path) -> Reranker:
        return CohereReranker(CohereReranker.Settings.model_validate(self.settings()), PartContext(data_dir))


class TestCohereEmbedder(Served, EmbedderContract):
    def make(self, data_dir: Path) -> Embedder:
        return CohereEmbedder(CohereEmbedder.Settings.model_validate(self.settings()), PartContext(data_dir))
