"""Values written as text, on the command line or in the environment, and how they become lists and tables."""

from __future__ import annotations

import json
import types
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel

from citebot.errors import SettingsError


class Text(str):
    """A value of which only the text is known; the field it is for decides what it means."""

    __slots__ = ()


class FileName(Text):
    """What a variable that ends in `_FILE` says to a part, whose own settings decide what it is.

    Where they have one that ends in `_file` it is that; else it names the file that holds the value.
    """

    __slots__ = ()

    def content(self, name: str) -> Text:
        """What is in the file, without the end of its last line. `name` is where it was named."""
        try:
            return Text(Path(self).expanduser().read_text(encoding="utf-8").rstrip("\r\n"))
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            raise SettingsError(f"{name} names the file “{self}”, which cannot be read: {why}.") from error


def opened(model: type[BaseModel], values: Mapping[str, Any], *, where: str = "") -> dict[str, Any]:
    """The values, with what is in the files that `FileName` names in the place of what was set elsewhere."""
    result = dict(values)
    for key, value in values.items():
        path = f"{where}.{key}" if where else key
        inner = _shape(model.model_fields[key].annotation) if key in model.model_fields else None
        if isinstance(value, FileName) and key not in model.model_fields:
            result[key.removesuffix("_file")] = result.pop(key).content(f"“{path}”")
        elif isinstance(value, Mapping) and inner is not None and issubclass(inner, BaseModel):
            result[key] = opened(inner, value, where=path)
    return result


def decoded(model: type[BaseModel], values: Mapping[str, Any], *, where: str = "") -> dict[str, Any]:
    """The values, with `Text` for list and table fields read as JSON, or split at commas for a list."""
    result = dict(values)
    for key, value in values.items():
        field = model.model_fields.get(key)
        if field is None:
            continue
        path = f"{where}.{key}" if where else key
        shape = _shape(field.annotation)
        if isinstance(value, Mapping) and isinstance(shape, type) and issubclass(shape, BaseModel):
            result[key] = decoded(shape, value, where=path)
        elif isinstance(value, Text) and shape is not None:
            result[key] = _parsed(value, shape, path)
    return result


def _shape(annotation: Any) -> type | None:
    """`list`, `dict` or a model when the field holds one, None for a simple value."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _shape(get_args(annotation)[0])
    if origin in (Union, types.UnionType):
        return next((shape for option in get_args(annotation) if (shape := _shape(option)) is not None), None)
    kind = origin or annotation
    if not isinstance(kind, type) or issubclass(kind, str):
        return None
    if issubclass(kind, BaseModel):
        return kind
    if issubclass(kind, Mapping):
        return dict
    return list if issubclass(kind, Sequence | set | frozenset) else None


def _parsed(text: str, shape: type, path: str) -> Any:
    stripped = text.strip()
    if shape is list and not stripped.startswith("["):
        return [item.strip() for item in stripped.split(",") if item.strip()]
    try:
        return json.loads(stripped)
    except ValueError as error:
        raise SettingsError(f"“{path}” takes JSON here, and this is none: {error}.") from error
