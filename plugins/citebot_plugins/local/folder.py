"""Any other sentence encoder: an ONNX file and a tokenizer, in a folder or in a .jar or .zip."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from citebot.errors import ModelUnavailable
from citebot_plugins.local.encoder import Encoder, Pooling
from citebot_plugins.local.tokenizing import Lengths, Tokenizer

_MODEL_SUFFIX = ".onnx"
_EXTERNAL_DATA = (".onnx_data", ".onnx.data")
_TOKENIZER = "tokenizer.json"
_VOCABULARY = "vocab.txt"


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """The files of one encoder."""

    model: Path | bytes
    """A path where the model may have its weights in files beside it, else the content itself."""
    tokenizer: str
    vocabulary: bool
    """Whether `tokenizer` is a word list rather than a `tokenizer.json`."""
    label: str
    digest: str
    """Of everything that shapes the vectors."""


def load(files: ModelFiles, lengths: Lengths, *, pooling: Pooling) -> Encoder:
    """The encoder that a folder holds."""
    build = Tokenizer.from_vocabulary if files.vocabulary else Tokenizer.from_json
    try:
        tokenizer = build(files.tokenizer, lengths)
    except Exception as error:  # the library raises bare Exception
        raise ModelUnavailable(f"The tokenizer beside {files.label} cannot be read: {error}") from error
    return Encoder(files.model, tokenizer, pooling=pooling, label=files.label)


def find(place: Path, *, file: str = "") -> ModelFiles:
    """Look into a folder or archive; raises `ModelUnavailable` naming the piece that is missing."""
    place = place.expanduser()
    if place.is_dir():
        return _in_folder(place, file)
    if place.is_file():
        return _in_archive(place, file)
    raise ModelUnavailable(f"{place} does not exist: set `folder` in [embedder.local] to a folder, .jar or .zip")


def _in_folder(place: Path, file: str) -> ModelFiles:
    names = sorted(path.relative_to(place).as_posix() for path in place.rglob("*") if path.is_file())
    return _pick(place, names, file, read=lambda name: (place / name).read_bytes(), at=lambda name: place / name)


def _in_archive(place: Path, file: str) -> ModelFiles:
    try:
        with zipfile.ZipFile(place) as archive:
            return _pick(place, sorted(archive.namelist()), file, read=archive.read, at=None)
    except zipfile.BadZipFile as error:
        raise ModelUnavailable(f"{place} is neither a folder nor a sound .jar or .zip") from error


def _pick(
    place: Path,
    names: Sequence[str],
    file: str,
    *,
    read: Callable[[str], bytes],
    at: Callable[[str], Path] | None,
) -> ModelFiles:
    model = _one_model(place, names, file)
    tokenizer = _tokenizer(place, names, model)
    try:
        content, words = read(model), read(tokenizer)
        weights = [read(name) for name in names if name.endswith(_EXTERNAL_DATA)] if at else []
    except OSError as error:
        raise ModelUnavailable(f"{place} cannot be read: {error}") from error
    return ModelFiles(
        model=at(model) if at else content,
        tokenizer=words.decode("utf-8", "replace"),
        vocabulary=tokenizer.endswith(_VOCABULARY),
        label=f"{PurePosixPath(model).name} in {place}",
        digest=_digest([content, words, *weights]),
    )


def _one_model(place: Path, names: Sequence[str], file: str) -> str:
    models = [name for name in names if name.endswith(_MODEL_SUFFIX)]
    if file:
        models = [name for name in models if name == file or PurePosixPath(name).name == file]
    if not models:
        raise ModelUnavailable(f"{place} holds no {file or 'ONNX model (*.onnx)'}: export the encoder to ONNX first")
    if len(models) > 1:
        raise ModelUnavailable(f"{place} holds several models ({', '.join(models[:5])}): name one with `file`")
    return models[0]


def _tokenizer(place: Path, names: Sequence[str], model: str) -> str:
    """The `tokenizer.json` nearest to the model, else a `vocab.txt`."""
    for ending in (_TOKENIZER, _VOCABULARY):
        found = [name for name in names if name.endswith(ending)]
        if found:
            return min(found, key=lambda name: (PurePosixPath(name).parent != PurePosixPath(model).parent, len(name)))
    raise ModelUnavailable(f"{place} holds {model} but no {_TOKENIZER} (or {_VOCABULARY}): copy it from the same model")


def _digest(contents: Sequence[bytes]) -> str:
    total = hashlib.sha256()
    for content in contents:
        total.update(hashlib.sha256(content).digest())
    return total.hexdigest()[:12]
