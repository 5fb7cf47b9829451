"""The lines of settings on the page of `openai_compatible` are right."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from pydantic import BaseModel

from citebot_plugins.openai_compatible.settings import EmbedderSettings, GeneratorSettings, RerankerSettings

PAGE = (Path(__file__).parents[2] / "docs" / "openai-compatible.md").read_text("utf-8")
BLOCKS = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
MODELS: dict[str, type[BaseModel]] = {
    "generator": GeneratorSettings,
    "embedder": EmbedderSettings,
    "reranker": RerankerSettings,
}


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_every_example_is_valid(block: str) -> None:
    sections = tomllib.loads(block)
    assert sections
    for kind, section in sections.items():
        MODELS[kind].model_validate(section["openai_compatible"])


def test_settings_that_the_text_names_exist() -> None:
    names = {name for model in MODELS.values() for name in model.model_fields}
    for name in ("ask_usage", "max_prompt_tokens", "max_output_tokens", "price_search", "read_seconds", "proxy"):
        assert f"`{name}" in PAGE
        assert name in names
