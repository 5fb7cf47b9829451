"""The classes that plugins register: checked once at start, found by kind and name, built from their settings."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from citebot import ports
from citebot.errors import PluginError, SettingsError
from citebot.pluginmanager.loading import Origin
from citebot.ports import Part, PartContext
from citebot.settings import Choice, GeneratorChoice, Settings, validated
from citebot.settings.checking import nearest

KINDS: Mapping[str, tuple[str, type]] = {
    "platform": ("citebot_register_platforms", ports.Platform),
    "source": ("citebot_register_sources", ports.Source),
    "index": ("citebot_register_indexes", ports.Index),
    "embedder": ("citebot_register_embedders", ports.Embedder),
    "reranker": ("citebot_register_rerankers", ports.Reranker),
    "generator": ("citebot_register_generators", ports.Generator),
    "judge": ("citebot_register_judges", ports.Judge),
}
"""Kind of part → the hook that registers it and the protocol it must fit."""

_NAME = re.compile(r"[a-z][a-z0-9_-]*")


class Parts:
    """All registered classes."""

    def __init__(self) -> None:
        self._classes: dict[str, dict[str, type[Part]]] = {kind: {} for kind in KINDS}
        self._origins: dict[tuple[str, str], Origin] = {}

    def add(self, kind: str, registered: object, origin: Origin) -> None:
        """Take what a registration hook returned: nothing, a class or several."""
        if registered is None:
            return
        for found in registered if isinstance(registered, list | tuple) else [registered]:
            part = _checked(kind, found, origin)
            other = self._classes[kind].get(part.name)
            if other is not None:
                raise PluginError(
                    f"Two plugins bring a {kind} named “{part.name}”: {_place(other)} "
                    f"({self._origins[kind, part.name]}) and {_place(part)} ({origin}). Block one of them.",
                    plugin=origin.name,
                )
            self._classes[kind][part.name] = part
            self._origins[kind, part.name] = origin

    def remove(self, origin: Origin) -> None:
        """Forget what a plugin brought."""
        for (kind, name), owner in list(self._origins.items()):
            if owner == origin:
                del self._classes[kind][name], self._origins[kind, name]

    def one(self, kind: str, name: str) -> type[Part]:
        """The class of this name; the complaint names the nearest one."""
        classes = self._classes[kind]
        if name in classes:
            return classes[name]
        known = ", ".join(sorted(classes)) or "none"
        hint = nearest(name, list(classes)) or f" Loaded are: {known}; “plugins.enabled” lists what is loaded."
        raise SettingsError(f"There is no {kind} “{name}”.{hint}")

    def every(self, kind: str) -> list[type[Part]]:
        """All classes of a kind, by name."""
        return [part for _, part in sorted(self._classes[kind].items())]

    def of(self, origin: Origin) -> tuple[str, ...]:
        """What a plugin brought, as `kind name`."""
        return tuple(f"{kind} {name}" for (kind, name), owner in sorted(self._origins.items()) if owner == origin)

    def sections(self) -> dict[str, dict[str, type[BaseModel]]]:
        """The `Settings` of every part, by kind and name."""
        return {kind: {name: part.Settings for name, part in parts.items()} for kind, parts in self._classes.items()}

    def build(self, kind: str, choice: Choice, context: PartContext) -> Part:
        """Build the chosen part from its validated section."""
        if not choice.use:
            raise SettingsError(f"No {kind} is chosen: set “{kind}.use” to one of {', '.join(self._classes[kind])}.")
        part = self.one(kind, choice.use)
        settings = validated(part.Settings, choice.settings_of(choice.use), section=f"{kind}.{choice.use}")
        return part(settings, context)

    def check_sections(self, settings: Settings) -> None:
        """Validate every section of every part, chosen or not, so that a mistake shows at start."""
        for kind, parts in self._classes.items():
            choice = getattr(settings, kind, None)
            if not isinstance(choice, Choice):
                continue
            for name, values in (choice.model_extra or {}).items():
                if name not in parts:
                    known = nearest(name, list(parts))
                    raise SettingsError(
                        f"There is a section “{kind}.{name}”, but no loaded plugin brings such a part."
                        f"{known or ' Enable its plugin in plugins.enabled, or remove the section.'}"
                    )
                validated(parts[name].Settings, values, section=f"{kind}.{name}")
        self._check_fallbacks(settings.generator)
        self._check_others(settings)

    def _check_fallbacks(self, generator: GeneratorChoice) -> None:
        """Each must be a generator, with a `model` to replace where one is named, and none may be there twice."""
        for choice, entry in zip(generator.fallbacks(), generator.fallback, strict=True):
            try:
                part = self.one("generator", choice.use)
            except SettingsError as error:
                raise SettingsError(f"“generator.fallback” names “{entry}”. {error}") from None
            if "/" in entry and "model" not in part.Settings.model_fields:
                raise SettingsError(f"“generator.fallback” names “{entry}”, but {choice.use} has no setting “model”.")
            if entry == generator.use or generator.fallback.count(entry) > 1:
                raise SettingsError(f"“generator.fallback” names “{entry}”, which is asked before already.")

    def _check_others(self, settings: Settings) -> None:
        """The standby of the index and the embedder before must be there, and another than the chosen one."""
        index, embedder = settings.index, settings.embedder
        for key, kind, entry, chosen in (
            ("index.standby", "index", index.standby, index.use),
            ("embedder.previous", "embedder", embedder.previous, embedder.use),
        ):
            if not entry:
                continue
            if entry == chosen:
                raise SettingsError(f"“{key}” names “{entry}”, which is the chosen one already.")
            try:
                part = self.one(kind, entry.partition("/")[0])
            except SettingsError as error:
                raise SettingsError(f"“{key}” names “{entry}”. {error}") from None
            if "/" in entry and (kind == "index" or "model" not in part.Settings.model_fields):
                raise SettingsError(f"“{key}” names “{entry}”, but {part.name} has no setting “model”.")


def _checked(kind: str, registered: object, origin: Origin) -> type[Part]:
    hook, protocol = KINDS[kind]

    def refuse(why: str) -> PluginError:
        return PluginError(f"The {origin} returns {_place(registered)} from {hook}, {why}.", plugin=origin.name)

    found: Any = registered
    if not isinstance(registered, type):
        raise refuse("which is not a class")
    for attribute in ("name", "summary", "Settings"):
        if not getattr(found, attribute, None):
            raise refuse(f"which has no “{attribute}”")
    if not isinstance(found.name, str) or not _NAME.fullmatch(found.name):
        raise refuse(f"whose name “{found.name}” is not lower-case letters, digits, - and _")
    if not (inspect.isclass(found.Settings) and issubclass(found.Settings, BaseModel)):
        raise refuse("whose “Settings” is not a pydantic model")
    missing = [method for method in _methods(protocol) if not callable(getattr(found, method, None))]
    if missing:
        raise refuse(f"which lacks {', '.join(missing)}: see citebot.ports.{protocol.__name__}")
    part: type[Part] = found
    return part


def _methods(protocol: type) -> list[str]:
    """Its own and those of the protocols it is made of."""
    every = {name: value for base in reversed(protocol.__mro__) for name, value in vars(base).items()}
    return [name for name, value in every.items() if inspect.isfunction(value) and not name.startswith("_")]


def _place(found: object) -> str:
    if inspect.isclass(found):
        return f"{found.__module__}.{found.__qualname__}"
    return f"a {type(found).__name__}"
