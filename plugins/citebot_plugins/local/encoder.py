"""Runs a sentence encoder with onnxruntime, one text at a time, and pools its output into one vector."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from citebot.errors import ModelUnavailable

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from citebot_plugins.local.tokenizing import Tokenizer

Pooling = Literal["mean", "cls"]
_INPUTS = {"input_ids", "attention_mask", "token_type_ids"}


class Encoder:
    """Model and tokenizer together. Thread-safe; every method blocks."""

    def __init__(self, model: Path | bytes, tokenizer: Tokenizer, *, pooling: Pooling, label: str) -> None:
        self.tokenizer = tokenizer
        self._pooling = pooling
        self._label = label
        self._session = _session(model, label)
        self._inputs = [value.name for value in self._session.get_inputs()]
        unknown = set(self._inputs) - _INPUTS
        if unknown or "input_ids" not in self._inputs:
            raise ModelUnavailable(f"{label} is not a sentence encoder: it asks for {', '.join(sorted(self._inputs))}")
        self._stopped = threading.Event()
        self.dimensions = len(self.run(tokenizer.beginning("a"))) // 2

    def run(self, ids: list[int]) -> bytes:
        """One L2-normalised row of little-endian float16."""
        import numpy as np

        if self._stopped.is_set():
            raise ModelUnavailable("The local embedder is closed")
        tokens = np.array([ids], dtype=np.int64)
        feed = {name: tokens if name == "input_ids" else _constant(name, tokens) for name in self._inputs}
        try:
            output = self._session.run(None, feed)[0]
        except Exception as error:  # as in _session
            raise ModelUnavailable(f"onnxruntime cannot run {self._label}: {_first_line(error)}") from error
        return _half(self._pooled(output))

    def stop(self) -> None:
        """Refuse further runs; work that already waits in a queue ends at once."""
        self._stopped.set()

    def _pooled(self, output: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        if output.ndim == 2:  # the model pools by itself
            vector: npt.NDArray[np.float32] = output[0]
        elif self._pooling == "cls":
            vector = output[0, 0]
        else:
            vector = output[0].mean(axis=0)
        return vector


def _constant(name: str, tokens: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    import numpy as np

    return np.ones_like(tokens) if name == "attention_mask" else np.zeros_like(tokens)


def _half(vector: npt.NDArray[np.float32]) -> bytes:
    import numpy as np

    norm = float(np.linalg.norm(vector))
    # A zero row is similar to nothing, which is the truth about a text the model had no answer for.
    row = vector / norm if np.isfinite(norm) and norm > 0 else np.zeros_like(vector)
    return row.astype("<f2").tobytes()


def _session(model: Path | bytes, label: str) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # the embedder's own threads each run a text, which is up to 45 % faster
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    # Processors without VNNI add up int8 products in 16 bits and overflow; this avoids it and is free elsewhere.
    options.add_session_config_entry("session.x64quantprecision", "1")
    source = model if isinstance(model, bytes) else str(model)
    try:
        return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime has a class per cause and no common base
        raise ModelUnavailable(f"onnxruntime cannot load {label}: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
