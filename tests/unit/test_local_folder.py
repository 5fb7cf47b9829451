"""The setting `folder` of the local embedder, with small encoders made here."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from pydantic import ValidationError

from citebot.errors import ModelUnavailable
from citebot.ports import PartContext
from citebot.testing.contract_embedder import rows_of
from citebot_plugins.local.embedder import LocalEmbedder, LocalSettings
from citebot_plugins.local.none import NoEmbedder

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "red", "green", "blue", "query", ":"]
TABLE = np.eye(len(WORDS), dtype=np.float32)


def one_hot_model(*, pooled: bool = False, inputs: tuple[str, ...] = ("input_ids",)) -> bytes:
    """An encoder whose token vectors are one-hot, so that a pooled vector says which tokens it saw."""
    nodes = [helper.make_node("Gather", ["table", "input_ids"], ["tokens"])]
    if pooled:
        nodes.append(helper.make_node("ReduceMax", ["tokens", "axis"], ["sentence"], keepdims=0))
    shape: list[int | str] = [1, len(WORDS)] if pooled else [1, "n", len(WORDS)]
    graph = helper.make_graph(
        nodes,
        "one-hot",
        [helper.make_tensor_value_info(name, TensorProto.INT64, [1, "n"]) for name in inputs],
        [helper.make_tensor_value_info("sentence" if pooled else "tokens", TensorProto.FLOAT, shape)],
        initializer=[numpy_helper.from_array(TABLE, "table"), numpy_helper.from_array(np.array([1]), "axis")],
    )
    content: bytes = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10
    ).SerializeToString()
    return content


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A sound model folder."""
    place = tmp_path / "model"
    place.mkdir()
    place.joinpath("model.onnx").write_bytes(one_hot_model())
    place.joinpath("vocab.txt").write_text("\n".join(WORDS) + "\n")
    return place


def local(place: Path, **settings: object) -> LocalEmbedder:
    chosen = LocalSettings.model_validate({"folder": place, **settings})
    return LocalEmbedder(chosen, PartContext(place.parent / "data"))


async def query_row(place: Path, text: str, **settings: object) -> dict[str, float]:
    """The vector of a question as word -> weight."""
    embedder = local(place, **settings)
    await embedder.open()
    [row] = rows_of(await embedder.embed_query(text))
    await embedder.close()
    return {word: value for word, value in zip(WORDS, row, strict=True) if value}


async def test_mean_pooling_averages_every_token(folder: Path) -> None:
    assert await query_row(folder, "red blue") == pytest.approx(dict.fromkeys(["[CLS]", "[SEP]", "red", "blue"], 0.5))


async def test_cls_pooling_takes_the_first(folder: Path) -> None:
    assert await query_row(folder, "red blue", pooling="cls") == {"[CLS]": 1.0}


async def test_a_model_that_pools_by_itself_is_taken_as_it_is(folder: Path) -> None:
    folder.joinpath("model.onnx").write_bytes(one_hot_model(pooled=True))
    assert set(await query_row(folder, "green green", pooling="cls")) == {"[CLS]", "[SEP]", "green"}


async def test_the_query_prefix_and_the_passage_prefix(folder: Path) -> None:
    assert set(await query_row(folder, "red", query_prefix="query: ")) == {"[CLS]", "[SEP]", "red", "query", ":"}
    embedder = local(folder, passage_prefix="blue ")
    await embedder.open()
    [passage] = await embedder.embed_passages(["red"])
    assert rows_of(passage)[0][WORDS.index("blue")] > 0
    await embedder.close()


@pytest.mark.parametrize("suffix", [".jar", ".zip"])
async def test_an_archive_does_as_well(folder: Path, suffix: str) -> None:
    archive = folder.parent / f"model{suffix}"
    with zipfile.ZipFile(archive, "w") as file:
        file.write(folder / "model.onnx", "deep/inside/encoder-q.onnx")
        file.write(folder / "vocab.txt", "deep/inside/encoder-q-vocab.txt")
    assert await query_row(archive, "red") == await query_row(folder, "red")


async def test_one_of_several_models_is_chosen_by_name(folder: Path) -> None:
    folder.joinpath("onnx").mkdir()
    folder.joinpath("onnx", "other.onnx").write_bytes(one_hot_model(pooled=True))
    with pytest.raises(ModelUnavailable, match=r"several models \(model.onnx, onnx/other.onnx\): name one with `file`"):
        await local(folder).open()
    assert await query_row(folder, "red red", file="other.onnx")


def without_model(place: Path) -> None:
    place.joinpath("model.onnx").unlink()


def without_tokenizer(place: Path) -> None:
    place.joinpath("vocab.txt").unlink()


def broken_model(place: Path) -> None:
    place.joinpath("model.onnx").write_bytes(b"\x08junk")


def broken_tokenizer(place: Path) -> None:
    place.joinpath("tokenizer.json").write_text("{}")


def no_encoder(place: Path) -> None:
    place.joinpath("model.onnx").write_bytes(one_hot_model(inputs=("input_ids", "pixel_values")))


def other_vocabulary(place: Path) -> None:
    place.joinpath("vocab.txt").write_text("\n".join([*["a"] * 100, *[f"w{n}" for n in range(99)], *WORDS]))


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (without_model, r"holds no ONNX model .* export the encoder"),
        (without_tokenizer, r"holds model.onnx but no tokenizer.json"),
        (broken_model, r"onnxruntime cannot load model.onnx in"),
        (broken_tokenizer, r"The tokenizer beside model.onnx in .* cannot be read"),
        (no_encoder, r"is not a sentence encoder: it asks for input_ids, pixel_values"),
        (other_vocabulary, r"onnxruntime cannot run model.onnx"),
    ],
)
async def test_a_missing_or_broken_piece_is_named(folder: Path, fault: Callable[[Path], None], says: str) -> None:
    fault(folder)
    with pytest.raises(ModelUnavailable, match=says) as caught:
        await local(folder).open()
    assert "\n" not in str(caught.value)


async def test_a_wrong_place_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match=r"does not exist: set `folder`"):
        await local(tmp_path / "nowhere").open()
    junk = tmp_path / "junk.jar"
    junk.write_bytes(b"PK junk")
    with pytest.raises(ModelUnavailable, match=r"neither a folder nor a sound"):
        await local(junk).open()


async def test_the_model_id_follows_what_shapes_passage_vectors(folder: Path) -> None:
    async def model_id(**settings: object) -> str:
        embedder = local(folder, **settings)
        await embedder.open()
        await embedder.close()
        return embedder.model_id

    plain = await model_id()
    assert plain == await model_id(query_prefix="query: ", threads=1)
    changed = [await model_id(pooling="cls"), await model_id(max_tokens=300), await model_id(passage_prefix="x")]
    folder.joinpath("vocab.txt").write_text("\n".join(WORDS))
    changed.append(await model_id())
    assert len({plain, *changed}) == 5


def test_settings_that_cannot_work_are_refused() -> None:
    with pytest.raises(ValidationError, match="window_tokens must be at most max_tokens - 8, that is 120"):
        LocalSettings(max_tokens=128, window_tokens=128)
    with pytest.raises(ValidationError, match="folders"):
        LocalSettings.model_validate({"folders": "x"})


async def test_none_makes_no_vectors_and_says_so(tmp_path: Path) -> None:
    embedder = NoEmbedder(NoEmbedder.Settings(), PartContext(tmp_path))
    await embedder.open()
    assert embedder.dimensions == 0
    assert await embedder.embed_passages([]) == []
    with pytest.raises(ModelUnavailable, match="keyword search only"):
        await embedder.embed_query("anything")


def test_the_toy_model_is_valid() -> None:
    onnx.checker.check_model(onnx.load_from_string(one_hot_model()))
