"""The built-in encoder, all-MiniLM-L6-v2 in int8: built once from its weights, then kept as a file."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

import structlog

from citebot_plugins.local import minilm_graph, minilm_weights
from citebot_plugins.local.encoder import Encoder
from citebot_plugins.local.tokenizing import BUILT_IN_VOCABULARY, Lengths, Tokenizer

log = structlog.get_logger(__name__)

LABEL = "all-MiniLM-L6-v2"
VERSION = f"{minilm_weights.SHA256[:12]}-r{minilm_graph.RECIPE}"
"""Names the weights and the graph; part of the model id and of the cached file's name."""


def load(data_dir: Path, lengths: Lengths) -> Encoder:
    """The encoder, from the cached file where there is a sound one."""
    weights = minilm_weights.find()
    tokenizer = Tokenizer.from_vocabulary(BUILT_IN_VOCABULARY.read_text(encoding="utf-8"), lengths)
    return Encoder(_model(data_dir, weights), tokenizer, pooling="mean", label=LABEL)


def _model(data_dir: Path, weights: Path) -> Path | bytes:
    path = data_dir / f"minilm-{VERSION}.onnx"
    seal = path.with_suffix(".sha256")
    if _sound(path, seal):
        return path
    model = minilm_graph.build(minilm_weights.read(weights))
    log.info("local model built", path=str(path), megabytes=round(len(model) / 1e6, 1))
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        _write(path, model)
        _write(seal, hashlib.sha256(model).hexdigest().encode())
    except OSError as error:
        log.warning("local model not cached", path=str(path), error=str(error))
        return model
    return path


def _sound(path: Path, seal: Path) -> bool:
    """Whether the cached file is what was written: a cut or changed one is built again."""
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return digest == seal.read_text(encoding="ascii", errors="replace")
    except OSError:
        return False


def _write(path: Path, content: bytes) -> None:
    """Whole or not at all, also when two processes write at the same time."""
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=path.name, suffix=".new", delete=False) as file:
        try:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            Path(file.name).replace(path)
        except OSError:
            Path(file.name).unlink(missing_ok=True)
            raise
