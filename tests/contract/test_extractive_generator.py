from __future__ import annotations

from pathlib import Path

from citebot.ports import Generator, PartContext
from citebot.testing.contract_generator import GeneratorContract
from citebot.testing.contract_reranker import RerankerContract
from citebot.testing.fake_models import FakeReranker, QuotingGenerator
from citebot_plugins.local.extractive import ExtractiveGenerator, ExtractiveSettings


class TestExtractive(GeneratorContract):
    def make(self, data_dir: Path) -> Generator:
        return ExtractiveGenerator(ExtractiveSettings(), PartContext(data_dir))


class TestFakeReranker(RerankerContract):
    def make(self, data_dir: Path) -> FakeReranker:
        return FakeReranker()


def test_the_quoting_generator_is_named_apart() -> None:
    assert QuotingGenerator.name != ExtractiveGenerator.name
