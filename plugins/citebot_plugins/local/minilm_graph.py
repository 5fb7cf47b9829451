"""Builds the graph that runs all-MiniLM-L6-v2 in int8: one text in, one normalised sentence vector out.

The published graph turns its int8 weights back into float32 at load and gains nothing from them. This one multiplies in
int8 (`DynamicQuantizeMatMul`, one scale per output column), joins the query, key and value products, and has no
attention mask: one text is run at a time, so nothing is ever padded.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from citebot_plugins.local.minilm_weights import HIDDEN, Layer, Linear, Norm, Weights

if TYPE_CHECKING:
    import onnx

HEADS = 12
HEAD_SIZE = HIDDEN // HEADS
EPSILON = 1e-12
RECIPE = 1
"""Raise it when the graph changes, so that cached files are built again."""


def build(weights: Weights) -> bytes:
    """The serialised model: `input_ids` (1, tokens) int64 to `sentence_embedding` (1, 384) float32, L2-normalised."""
    graph = _Graph()
    hidden = _embeddings(graph, weights)
    for layer in weights.layers:
        hidden = _layer(graph, layer, hidden)
    # Mean pooling: the division by the number of tokens cancels in the normalisation.
    total = graph.add("ReduceSum", hidden, graph.constant([1], "int64"), keepdims=0)
    graph.add("LpNormalization", total, output="sentence_embedding", axis=-1, p=2)
    model: bytes = graph.model().SerializeToString()
    return model


def _embeddings(graph: _Graph, weights: Weights) -> str:
    words = graph.add("Gather", graph.tensor("words", weights.words), "input_ids")
    scales = graph.add("Gather", graph.tensor("word_scales", weights.word_scales), "input_ids")
    words = graph.add("Mul", graph.add("Cast", words, to=1), scales)
    count = graph.add("Shape", "input_ids", start=1)
    positions = graph.add("Slice", graph.tensor("positions", weights.positions), graph.constant([0], "int64"), count)
    return _norm(graph, graph.add("Add", words, positions), weights.embedding_norm)


def _layer(graph: _Graph, layer: Layer, hidden: str) -> str:
    attended = _linear(graph, layer.attention_output, _attention(graph, layer, hidden))
    hidden = _norm(graph, graph.add("Add", attended, hidden), layer.attention_norm)
    fed = graph.add("Gelu", _linear(graph, layer.feed_in, hidden))
    return _norm(graph, graph.add("Add", _linear(graph, layer.feed_out, fed), hidden), layer.output_norm)


def _attention(graph: _Graph, layer: Layer, hidden: str) -> str:
    joined = _linear(graph, _joined(layer), hidden)
    split = graph.add("Reshape", joined, graph.constant([0, 0, 3, HEADS, HEAD_SIZE], "int64"))
    query, key, value = graph.split(split, axis=2, parts=3)
    axis = graph.constant([2], "int64")
    query = graph.add("Transpose", graph.add("Squeeze", query, axis), perm=[0, 2, 1, 3])
    key = graph.add("Transpose", graph.add("Squeeze", key, axis), perm=[0, 2, 3, 1])
    value = graph.add("Transpose", graph.add("Squeeze", value, axis), perm=[0, 2, 1, 3])
    shares = graph.add("Softmax", graph.add("MatMul", query, key), axis=-1)
    mixed = graph.add("Transpose", graph.add("MatMul", shares, value), perm=[0, 2, 1, 3])
    return graph.add("Reshape", mixed, graph.constant([0, 0, HIDDEN], "int64"))


def _joined(layer: Layer) -> Linear:
    """Query, key and value as one product, with attention's 1/√(head size) folded into the query's columns."""
    import numpy as np

    fold = np.float32(HEAD_SIZE**-0.5)
    query = replace(layer.query, scale=layer.query.scale * fold, bias=layer.query.bias * fold)
    parts = (query, layer.key, layer.value)
    return Linear(
        weight=np.concatenate([part.weight for part in parts], axis=1),
        scale=np.concatenate([part.scale for part in parts]),
        bias=np.concatenate([part.bias for part in parts]),
    )


def _linear(graph: _Graph, linear: Linear, value: str) -> str:
    weight, scale, bias = (
        graph.tensor("weight", linear.weight),
        graph.tensor("scale", linear.scale),
        graph.tensor("bias", linear.bias),
    )
    # The empty name is the zero point, which symmetric weights do not have.
    return graph.add("DynamicQuantizeMatMul", value, weight, scale, "", bias, domain="com.microsoft")


def _norm(graph: _Graph, value: str, norm: Norm) -> str:
    gain, bias = graph.tensor("gain", norm.gain), graph.tensor("bias", norm.bias)
    return graph.add("LayerNormalization", value, gain, bias, axis=-1, epsilon=EPSILON)


class _Graph:
    """Collects nodes and tensors under names of its own."""

    def __init__(self) -> None:
        self._nodes: list[Any] = []
        self._tensors: list[Any] = []

    def add(self, operator: str, *inputs: str, output: str = "", domain: str = "", **attributes: Any) -> str:
        """Append a node with one output and return that output's name."""
        from onnx import helper

        output = output or f"{operator}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(operator, list(inputs), [output], domain=domain, **attributes))
        return output

    def split(self, value: str, *, axis: int, parts: int) -> list[str]:
        """Append a node that cuts `value` into equal parts."""
        from onnx import helper

        outputs = [f"Split_{len(self._nodes)}_{n}" for n in range(parts)]
        self._nodes.append(helper.make_node("Split", [value], outputs, axis=axis, num_outputs=parts))
        return outputs

    def tensor(self, name: str, array: Any) -> str:
        """Store a tensor and return its name."""
        import numpy as np
        from onnx import numpy_helper

        name = f"{name}_{len(self._tensors)}"
        self._tensors.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def constant(self, values: list[int], dtype: str) -> str:
        """Store a small list of numbers."""
        import numpy as np

        return self.tensor("constant", np.array(values, dtype=dtype))

    def model(self) -> onnx.ModelProto:
        """Everything added so far as a model."""
        from onnx import TensorProto, helper

        graph = helper.make_graph(
            self._nodes,
            "all-MiniLM-L6-v2-int8",
            [helper.make_tensor_value_info("input_ids", TensorProto.INT64, [1, "tokens"])],
            [helper.make_tensor_value_info("sentence_embedding", TensorProto.FLOAT, [1, HIDDEN])],
            initializer=self._tensors,
        )
        opsets = [helper.make_opsetid("", 20), helper.make_opsetid("com.microsoft", 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=10)
