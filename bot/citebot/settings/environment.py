"""The environment, read here and nowhere else."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from citebot.errors import SettingsError
from citebot.settings.checking import nearest, refuse_unknown
from citebot.settings.text import FileName, Text
from citebot.settings.tree import Choice, Settings

PREFIX = "CITEBOT_"
CONFIG = "CITEBOT_CONFIG"

# A cluster announces every service to every container; a service called "citebot" must not stop us from starting.
_SERVICE_LINK = re.compile(
    r"CITEBOT_(?:\w+_)?(?:SERVICE_HOST|SERVICE_PORT(?:_\w+)?|PORT_\d+_(?:TCP|UDP|SCTP)(?:_\w+)?)"
)
_SERVICE_ADDRESS = re.compile(r"(?:tcp|udp|sctp)://")


def process_environment() -> Mapping[str, str]:
    """The variables of this process."""
    return os.environ


def config_path(environ: Mapping[str, str]) -> Path | None:
    """The settings file named by the environment."""
    value = environ.get(CONFIG, "")
    return Path(value).expanduser() if value else None


def from_environment(environ: Mapping[str, str]) -> tuple[dict[str, Any], dict[tuple[str, ...], str]]:
    """The settings written in the environment, and the variable each came from. Refuses unknown names."""
    values: dict[str, Any] = {}
    origins: dict[tuple[str, ...], str] = {}
    for name in sorted(environ):
        if not name.startswith(PREFIX) or name == CONFIG or _not_ours(name, environ[name]):
            continue
        path = tuple(name.removeprefix(PREFIX).lower().split("__"))
        text = Text(environ[name])
        if path[-1].endswith("_file") and not _declared(path):
            text, value = FileName(text), (*path[:-1], path[-1].removesuffix("_file"))
            if value in origins:
                raise SettingsError(f"{origins[value]} and {name} are both set; keep one of them.")
            if not _of_part(path):
                path, text = value, text.content(name)
        _place(values, path, text, name)
        _refuse(path, name)
        origins[path] = name
    return values, origins


def variable(path: tuple[str, ...]) -> str:
    """The name of the variable for a setting."""
    return PREFIX + "__".join(path).upper()


def _not_ours(name: str, value: str) -> bool:
    if name.startswith("CITEBOT_TEST_"):  # these steer our test suite
        return True
    if "__" in name:
        return False
    return bool(_SERVICE_LINK.fullmatch(name)) or (name.endswith("_PORT") and bool(_SERVICE_ADDRESS.match(value)))


def _refuse(path: tuple[str, ...], name: str) -> None:
    nested: Any = Text("")
    for step in reversed(path):
        nested = {step: nested}
    try:
        refuse_unknown(Settings, nested)
    except SettingsError as error:
        known = [CONFIG, *(variable(path) for path in declared_paths())]
        raise SettingsError(f"The environment variable {name} names no setting.{nearest(name, known)}") from error


def declared_paths() -> list[tuple[str, ...]]:
    """The path of every setting of the core."""
    paths: list[tuple[str, ...]] = []
    for name, field in Settings.model_fields.items():
        inner = getattr(field.annotation, "model_fields", None)
        paths.extend([(name, key) for key in inner] if inner else [(name,)])
    return paths


def _declared(path: tuple[str, ...]) -> bool:
    return path in declared_paths()


def _of_part(path: tuple[str, ...]) -> bool:
    """Whether a setting is a part's own, in a section such as `index.elasticsearch`."""
    section = Settings.model_fields[path[0]].annotation if path[0] in Settings.model_fields else None
    return len(path) > 2 and isinstance(section, type) and issubclass(section, Choice)


def _place(tree: dict[str, Any], path: tuple[str, ...], value: Text, name: str) -> None:
    for step in path[:-1]:
        tree = tree.setdefault(step, {})
        if not isinstance(tree, dict):
            raise SettingsError(f"{name} contradicts another variable that sets “{step}” as a whole.")
    if isinstance(tree.get(path[-1]), dict):
        raise SettingsError(f"{name} contradicts another variable that sets a part of it.")
    tree[path[-1]] = value
