"""From files, environment and command line to one validated tree."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from citebot.errors import SettingsError
from citebot.settings.checking import refuse_unknown, validated
from citebot.settings.environment import config_path, from_environment, process_environment
from citebot.settings.text import Text
from citebot.settings.tree import Choice, Settings

FILE_NAME = "citebot.toml"
Origins = dict[tuple[str, ...], str]


def load_settings(
    config_file: Path | None = None,
    overrides: Mapping[str, Any] | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> Settings:
    """The settings in force: command line > environment > `citebot.toml` > defaults.

    `overrides` are the command line's, with dotted keys; text is understood as in the environment. The file is the
    first of `config_file`, `$CITEBOT_CONFIG`, `citebot.toml` in `folder` (the working folder), and in the data folder.
    """
    environ = process_environment() if environ is None else environ
    flags, flag_origins = _from_flags(overrides or {})
    variables, variable_origins = from_environment(environ)
    stronger = merged(variables, flags)
    path = _find(config_file, environ, folder or Path.cwd(), stronger)
    tree = merged(_chosen_by_default(), merged(_from_file(path) if path else {}, stronger))
    origins = {**variable_origins, **flag_origins}

    def origin(key: tuple[str, ...]) -> str:
        for length in range(len(key), 0, -1):
            if key[:length] in origins:
                return origins[key[:length]]
        return str(path) if path else ""

    return validated(Settings, tree, origin=origin)


def _chosen_by_default() -> dict[str, Any]:
    # So that a sub-section alone, as in `[index.embedded]`, leaves the choice of the part as it is.
    choices = {
        name: field.default for name, field in Settings.model_fields.items() if isinstance(field.default, Choice)
    }
    return {name: {"use": choice.use} for name, choice in choices.items()}


def merged(weaker: Mapping[str, Any], stronger: Mapping[str, Any]) -> dict[str, Any]:
    """Both trees in one; tables are joined, anything else is replaced."""
    result = dict(weaker)
    for key, value in stronger.items():
        below = result.get(key)
        result[key] = merged(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return result


def _from_flags(overrides: Mapping[str, Any]) -> tuple[dict[str, Any], Origins]:
    tree: dict[str, Any] = {}
    origins: Origins = {}
    for key, value in overrides.items():
        path = tuple(key.split("."))
        nested: Any = Text(value) if isinstance(value, str) else value
        for step in reversed(path):
            nested = {step: nested}
        tree = merged(tree, nested)
        origins[path] = "the command line"
    refuse_unknown(Settings, tree, origin=lambda path: "the command line")
    return tree, origins


def _find(
    config_file: Path | None, environ: Mapping[str, str], folder: Path, stronger: Mapping[str, Any]
) -> Path | None:
    for path, asked_by in ((config_file, "--config"), (config_path(environ), "CITEBOT_CONFIG")):
        if path is not None:
            if not path.is_file():
                raise SettingsError(f"There is no settings file “{path}”, which {asked_by} names.")
            return path
    data_dir = Path(stronger["data_dir"]).expanduser() if "data_dir" in stronger else Settings().data_dir
    candidates = (folder / FILE_NAME, data_dir / FILE_NAME)
    return next((path for path in candidates if path.is_file()), None)


def _from_file(path: Path) -> dict[str, Any]:
    try:
        text = path.read_bytes().decode("utf-8")
        tree = tomllib.loads(text)
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise SettingsError(f"{path}: not UTF-8 text (at line {line}).") from error
    except tomllib.TOMLDecodeError as error:
        what = str(error).replace("at end of document", _end_of(text))
        raise SettingsError(f"{path}: not valid TOML: {what}.") from error
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read: {error.strerror}.") from error
    refuse_unknown(Settings, tree, origin=lambda key: str(path))
    return tree


def _end_of(text: str) -> str:
    lines = text.split("\n")
    return f"at line {len(lines)}, column {len(lines[-1]) + 1}, the end of the file"
