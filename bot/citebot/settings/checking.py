"""Refusing wrong settings in one line that names the key, where it was written and the nearest right name."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from citebot.errors import SettingsError
from citebot.settings.text import decoded, opened
from citebot.settings.tree import Choice

M = TypeVar("M", bound=BaseModel)
Path = tuple[str, ...]
_CREDENTIALS = re.compile(r"(?<=//)[^/@\s]+@")


def validated(
    model: type[M], values: Mapping[str, Any], *, section: str = "", origin: Callable[[Path], str] = lambda path: ""
) -> M:
    """Build `model`, refusing unknown keys whatever the model itself does with them.

    `section` is put before every key in messages; `origin` tells where a key was written.
    """
    values = opened(model, values, where=section)
    refuse_unknown(model, values, section=section, origin=origin)
    try:
        return model.model_validate(decoded(model, values, where=section))
    except ValidationError as error:
        # Not `from error`: its text repeats the values, secrets among them.
        raise SettingsError(_complaint(error, model, section, origin)) from None


def refuse_unknown(
    model: type[BaseModel],
    values: Mapping[str, Any],
    *,
    section: str = "",
    origin: Callable[[Path], str] = lambda path: "",
) -> None:
    """Raise `SettingsError` for the first key that `model` does not declare."""
    for path in _unknown(model, values):
        names = [*_names(model), *([section] if section else [])]
        raise SettingsError(
            f"There is no setting “{_key(section, path)}”{_written(origin(path))}.{_hint(section, path, names)}"
        )


def nearest(name: str, names: Iterator[str] | list[str]) -> str:
    """`Did you mean “…”?` with a space before it, or nothing."""
    near = get_close_matches(name, list(names), n=1, cutoff=0.6)
    return f" Did you mean “{near[0]}”?" if near else ""


def _unknown(model: type[BaseModel], values: Mapping[str, Any], path: Path = ()) -> Iterator[Path]:
    if model.model_config.get("extra") == "allow" and not issubclass(model, Choice):
        return
    aliases = {field.alias for field in model.model_fields.values() if field.alias}
    for key, value in values.items():
        here = (*path, key)
        field = model.model_fields.get(key)
        if field is not None:
            inner = field.annotation
            if isinstance(inner, type) and issubclass(inner, BaseModel) and isinstance(value, Mapping):
                yield from _unknown(inner, value, here)
        elif key not in aliases and not (issubclass(model, Choice) and isinstance(value, Mapping)):
            # A part's sub-section is a table, checked once its plugin is loaded; anything else beside `use` is wrong.
            yield here


def _names(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Every key of the tree, dotted."""
    for name, field in model.model_fields.items():
        yield prefix + name
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from _names(inner, f"{prefix}{name}.")


def _hint(section: str, path: Path, names: list[str]) -> str:
    """The nearest sibling, else the nearest key anywhere that ends in this name."""
    siblings = [name for name in names if name.rpartition(".")[0] == ".".join(path[:-1])]
    by_leaf = {name.rpartition(".")[2]: name for name in reversed(names)}
    for wanted, found in ((".".join(path), {name: name for name in siblings}), (path[-1], by_leaf)):
        near = get_close_matches(wanted, list(found), n=1, cutoff=0.6)
        if near:
            return f" Did you mean “{_key(section, (found[near[0]],))}”?"
    return ""


def _key(section: str, path: Path) -> str:
    return ".".join((section, *path) if section else path)


def _written(where: str) -> str:
    return f" (in {where})" if where else ""


def _complaint(error: ValidationError, model: type[BaseModel], section: str, origin: Callable[[Path], str]) -> str:
    """One line for the first problem; the number of others is said."""
    problems = error.errors(include_url=False)
    first = problems[0]
    path = tuple(str(step) for step in first["loc"])
    what = first["msg"].removeprefix("Value error, ")
    what = what[:1].lower() + what[1:].rstrip(".")
    if first["type"] == "missing":
        return f"The setting “{_key(section, path)}” is missing and has no default.{_more(problems)}"
    key = _key(section, path) or "the whole section"
    return f"“{key}”{_written(origin(path))}: {what}{_value(first['input'], model, path)}.{_more(problems)}"


def _value(value: object, model: type[BaseModel], path: Path) -> str:
    """The refused value, unless it might be a secret."""
    if _holds_secret(model, path) or not isinstance(value, bool | int | float | str):
        return ""
    return f", not “{_CREDENTIALS.sub('***@', str(value))[:60]}”"


def _holds_secret(model: type[BaseModel], path: Path) -> bool:
    if any(looks_secret(step) for step in path):
        return True
    inner: Any = model
    for step in path:
        fields = getattr(inner, "model_fields", {})
        if step not in fields:
            # Inside a list, a table or a choice of models: which one it was is not known.
            break
        inner = fields[step].annotation
    return _mentions_secret(inner, set())


def _mentions_secret(annotation: Any, seen: set[Any]) -> bool:
    """Whether a type is a secret or holds one somewhere."""
    if "Secret" in repr(annotation):
        return True
    inner = list(get_args(annotation))
    if isinstance(annotation, type) and issubclass(annotation, BaseModel) and annotation not in seen:
        seen.add(annotation)
        inner = [field.annotation for field in annotation.model_fields.values()]
    return any(_mentions_secret(each, seen) for each in inner)


def _more(problems: list[Any]) -> str:
    return f" ({len(problems) - 1} more problems.)" if len(problems) > 1 else ""


def looks_secret(key: str) -> bool:
    """Whether a setting of this name is likely to hold a secret."""
    lowered = key.lower()
    return any(
        mark in lowered for mark in ("secret", "token", "password", "passwd", "credential", "api_key", "apikey", "dsn")
    )
