"""What the page on Cohere says is so."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from citebot_plugins.cohere import CohereEmbedder, CohereGenerator, CohereReranker

PAGE = (Path(__file__).parents[2] / "docs" / "cohere.md").read_text("utf-8")
PARTS = {"generator": CohereGenerator, "embedder": CohereEmbedder, "reranker": CohereReranker}
CODE = "".join(
    path.read_text("utf-8") for path in Path(__file__).parents[2].glob("plugins/citebot_plugins/cohere/*.py")
)


@pytest.mark.parametrize("block", re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL))
def test_every_example_is_valid(block: str) -> None:
    for kind, section in tomllib.loads(re.sub(r"(?m)^ {3}", "", block)).items():
        assert section.get("use", "cohere") == "cohere"
        PARTS[kind].Settings.model_validate(section.get("cohere", {}))


def test_the_defaults_of_the_table_are_those_of_the_settings() -> None:
    for kind, part in PARTS.items():
        assert f"| `{kind}` | `{part.Settings().model}`" in PAGE  # type: ignore[attr-defined]  # all have a model
    assert f"with {CohereEmbedder.Settings().dimensions} dimensions" in PAGE  # type: ignore[attr-defined]


def test_settings_that_the_text_names_exist() -> None:
    known = {name for part in PARTS.values() for name in part.Settings.model_fields}
    assert {"max_documents", "max_tokens_per_doc", "read_seconds", "proxy", "citations"} <= known
    for name in re.findall(r"`([a-z]+_[a-z_]+)`", PAGE):
        assert name in known


@pytest.mark.parametrize("says", re.findall(r"^\| `([a-zA-Z][^`]* [^`]*)` \|", PAGE, re.MULTILINE))
def test_what_it_is_said_to_say_is_what_it_says(says: str) -> None:
    assert re.sub(r" in …api_key| for 30 s", "", says) in CODE
