"""The typed facade over pluggy."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from typing import TYPE_CHECKING, Any, Literal

import pluggy
import structlog
from pydantic import BaseModel

from citebot import hookspecs
from citebot.errors import PluginError
from citebot.pluginmanager.loading import Origin, dropped_in, imported, installed, refuse_missing_extras, wanted
from citebot.pluginmanager.moments import Moments
from citebot.pluginmanager.parking import Parked, Parking
from citebot.pluginmanager.parts import KINDS, Parts
from citebot.pluginmanager.running import Implementation
from citebot.ports import Part, PartContext
from citebot.settings import Choice, Settings
from citebot.settings.checking import nearest

if TYPE_CHECKING:
    import click

log = structlog.get_logger("citebot.plugins")

State = Literal["enabled", "available", "blocked", "broken", "parked"]


@dataclass(frozen=True, slots=True)
class PluginInfo:
    """One plugin as people see it."""

    name: str
    distribution: str
    version: str
    summary: str
    state: State
    parts: tuple[str, ...] = ()
    """What it registers, as `kind name`."""
    hooks: tuple[str, ...] = ()
    """The moment hooks it implements."""
    parked: tuple[str, ...] = ()
    """Hooks that are not called any more, and why."""
    problem: str = ""
    """Why it is broken."""


class PluginManager(Moments):
    """The loaded plugins: their parts, commands and routes, and one method per moment hook."""

    def __init__(self, settings: Settings, *, parking: Parking) -> None:
        super().__init__(implementations={}, parking=parking, timeout=settings.plugins.hook_timeout)
        self._pm = pluggy.PluginManager(hookspecs.PROJECT)
        self._pm.add_hookspecs(hookspecs)
        self._parts = Parts()
        self._known: dict[str, Origin] = {}
        self._loaded: dict[str, Origin] = {}
        self._broken: dict[str, str] = {}
        self._blocked = frozenset(settings.plugins.blocked)

    @classmethod
    def load(
        cls,
        settings: Settings,
        *,
        strict: bool = True,
        on_parked: Callable[[Parked], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
        found: Sequence[EntryPoint] | None = None,
    ) -> PluginManager:
        """Import, check and register what the settings enable.

        Raises `PluginError` for the first plugin that cannot be used and `SettingsError` for a wrong section of a part;
        with `strict=False`, for looking at a broken set-up, such plugins are listed as broken instead.
        `found` replaces the installed entry points.
        """
        manager = cls(settings, parking=Parking(clock=clock, on_parked=on_parked))
        manager._known = installed(found)
        drop_ins = dropped_in(settings.plugins.dir)
        for name in drop_ins.keys() & manager._known.keys():
            raise PluginError(
                f"The file {drop_ins[name].file} has the name of the {manager._known[name]}; rename it.", plugin=name
            )
        manager._known |= drop_ins
        names = [name for name in dict.fromkeys([*settings.plugins.enabled, *drop_ins]) if name not in manager._blocked]
        if strict:
            refuse_missing_extras([manager._known[name] for name in names if name in manager._known])
        for name in names:
            try:
                manager._load_one(wanted(name, manager._known))
            except PluginError as error:
                if strict:
                    raise
                manager._broken[name] = str(error)
        manager.implementations = {
            hook: manager._implementations(hook) for hook in (*hookspecs.REGISTRATION, *hookspecs.MOMENTS)
        }
        if strict:
            manager._parts.check_sections(settings)
        return manager

    def register(self, plugin: object, *, name: str, distribution: str = "this process") -> None:
        """Register a plugin object that no entry point names, as tests do."""
        self._register(plugin, Origin(name=name, distribution=distribution))
        self.implementations = {
            hook: self._implementations(hook) for hook in (*hookspecs.REGISTRATION, *hookspecs.MOMENTS)
        }

    # --- parts -------------------------------------------------------------------------------------------------

    def part(self, kind: str, name: str) -> type[Part]:
        """The registered class of this kind and name; raises `SettingsError` with the nearest name."""
        return self._parts.one(kind, name)

    def parts(self, kind: str) -> list[type[Part]]:
        """All registered classes of a kind, by name."""
        return self._parts.every(kind)

    def sections(self) -> dict[str, dict[str, type[BaseModel]]]:
        """The settings models of all parts, by kind and name."""
        return self._parts.sections()

    def build(self, kind: str, choice: Choice, context: PartContext) -> Any:
        """Build the part that `choice` names from its sub-section; raises `SettingsError` naming section and key."""
        return self._parts.build(kind, choice, context)

    # --- commands and routes -----------------------------------------------------------------------------------

    def register_commands(
        self, cli: click.Group, *, reserved: Collection[str] = (), joined: Collection[str] = ()
    ) -> None:
        """Let plugins add commands; a name that is taken or `reserved` is refused.

        The commands of a group with a name in `joined` are added to the one that `cli` has.
        """
        import click

        for implementation in self.implementations["citebot_register_commands"]:
            staged = click.Group()
            self._call(implementation, cli=staged)
            for name, command in staged.commands.items():
                group = cli.commands[name] if name in joined else None
                if isinstance(group, click.Group) and isinstance(command, click.Group):
                    for inner, added in command.commands.items():
                        _add(group, inner, added, implementation.origin)
                else:
                    _add(cli, name, command, implementation.origin, reserved=reserved)

    def routes(self) -> list[object]:
        """The starlette routes of all plugins."""
        routes: list[object] = []
        for implementation in self.implementations["citebot_register_routes"]:
            found = self._call(implementation)
            if found is not None and not isinstance(found, list | tuple):
                raise PluginError(
                    f"The {implementation.origin} returns {type(found).__name__} from citebot_register_routes, "
                    "which is not a list.",
                    plugin=implementation.origin.name,
                )
            routes.extend(found or ())
        return routes

    # --- looking -----------------------------------------------------------------------------------------------

    def plugins(self) -> list[PluginInfo]:
        """Every plugin there is, loaded or not, by name."""
        names = sorted({*self._known, *self._loaded, *self._broken})
        return [self._info(name) for name in names]

    def _info(self, name: str) -> PluginInfo:
        origin = self._loaded.get(name) or self._known.get(name) or Origin(name=name, distribution="")
        parked = self.parking.of(name)
        state: State = "available"
        if name in self._blocked:
            state = "blocked"
        elif name in self._broken:
            state = "broken"
        elif name in self._loaded:
            state = "parked" if parked else "enabled"
        plugin = self._pm.get_plugin(name)
        doc = (plugin.__doc__ or "") if plugin is not None else ""
        return PluginInfo(
            name=name,
            distribution=origin.distribution,
            version=origin.version,
            summary=doc.strip().partition("\n")[0] or origin.summary,
            state=state,
            parts=self._parts.of(origin),
            hooks=tuple(hook for hook in hookspecs.MOMENTS if any(i.origin == origin for i in self._found(hook))),
            parked=tuple(f"{item.hook}: {item.why}" for item in parked),
            problem=self._broken.get(name, ""),
        )

    # --- loading -----------------------------------------------------------------------------------------------

    def _load_one(self, origin: Origin) -> None:
        self._register(imported(origin), origin)

    def _register(self, plugin: object, origin: Origin) -> None:
        try:
            self._pm.register(plugin, origin.name)
        except (pluggy.PluginValidationError, ValueError) as error:
            raise PluginError(
                f"The {origin} does not fit: {' '.join(str(error).split())}", plugin=origin.name
            ) from error
        self._loaded[origin.name] = origin
        try:
            self._check_hooks(plugin, origin)
            for kind, (hook, _) in KINDS.items():
                for implementation in self._implementations(hook):
                    if implementation.origin == origin:
                        self._parts.add(kind, self._call(implementation), origin)
        except PluginError:
            self._pm.unregister(name=origin.name)
            self._parts.remove(origin)
            del self._loaded[origin.name]
            raise

    def _check_hooks(self, plugin: object, origin: Origin) -> None:
        """Refuse misspelt hooks, wrappers and forgotten markers."""
        callers = self._pm.get_hookcallers(plugin) or []
        known = (*hookspecs.REGISTRATION, *hookspecs.MOMENTS)
        for caller in callers:
            if not caller.has_spec():
                raise PluginError(
                    f"The {origin} implements a hook “{caller.name}”, and there is none of that name."
                    f"{nearest(caller.name, list(known))}",
                    plugin=origin.name,
                )
            if any(impl.wrapper or impl.hookwrapper for impl in caller.get_hookimpls() if impl.plugin is plugin):
                raise PluginError(
                    f"The {origin} wraps the hook “{caller.name}”; only plain ones run.", plugin=origin.name
                )
        marked = {caller.name for caller in callers}
        for name in known:
            if name.startswith("citebot_") and name not in marked and callable(getattr(plugin, name, None)):
                raise PluginError(f"The {origin} has a function “{name}” without @hookimpl.", plugin=origin.name)
        if not callers:
            raise PluginError(f"The {origin} has no function marked with @hookimpl.", plugin=origin.name)
        self._pm.check_pending()

    def _implementations(self, hook: str) -> list[Implementation]:
        # pluggy lists the last registered first to be called; for us the order of `plugins.enabled` decides,
        # after any tryfirst and before any trylast.
        impls: Iterable[Any] = getattr(self._pm.hook, hook).get_hookimpls()
        ordered = sorted(impls, key=lambda impl: (impl.trylast, not impl.tryfirst))
        return [
            Implementation(hook, self._loaded[impl.plugin_name], impl.function, tuple(impl.argnames))
            for impl in ordered
            if impl.plugin_name in self._loaded
        ]

    def _found(self, hook: str) -> Sequence[Implementation]:
        return self.implementations.get(hook, ())

    def _call(self, implementation: Implementation, **values: Any) -> Any:
        """Call a registration hook; it runs at start, so whatever goes wrong is said."""
        try:
            return implementation.call(values)
        except ImportError as error:
            raise PluginError(
                f"{implementation.hook} of the {implementation.origin}: {error}.", plugin=implementation.origin.name
            ) from error
        except Exception as error:  # a plugin may raise anything
            raise PluginError(
                f"{implementation.hook} of the {implementation.origin} fails: {type(error).__name__}: {error}",
                plugin=implementation.origin.name,
            ) from error


def _add(
    group: click.Group, name: str, command: click.Command, origin: Origin, *, reserved: Collection[str] = ()
) -> None:
    if name in group.commands or name in reserved:
        where = f"{group.name} {name}" if group.name else name
        raise PluginError(f"The {origin} adds a command “{where}”, and there is one already.", plugin=origin.name)
    group.add_command(command, name)
