"""Application commands: what Discord registers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from citebot.testing.discord.refusing import Problems, Refused
from citebot.testing.discord.state import App, Json, World

SLASH, USER_MENU, MESSAGE_MENU = 1, 2, 3
MOST = {SLASH: 100, USER_MENU: 15, MESSAGE_MENU: 15}
SIZE_MOST = 8000
"""Characters of names, descriptions and values of one command."""
SUB, GROUP, STRING, INTEGER, BOOLEAN, USER, CHANNEL, ROLE, MENTIONABLE, NUMBER, ATTACHMENT = range(1, 12)
NAME = re.compile(r"[-_'\w]{1,32}")
LOCALES = (
    *("id", "da", "de", "en-GB", "en-US", "es-ES", "es-419", "fr", "hr", "it", "lt", "hu", "nl", "no", "pl", "pt-BR"),
    *("ro", "fi", "sv-SE", "vi", "tr", "cs", "el", "bg", "ru", "uk", "hi", "th", "zh-CN", "ja", "zh-TW", "ko"),
)
Path = tuple[str | int, ...]


def check_commands(commands: Any) -> None:
    """Refuse a list of commands that Discord would refuse, naming the fields."""
    found = Problems()
    if not isinstance(commands, list):
        raise Refused(50035, message="Invalid Form Body", errors={"_errors": []})
    seen: set[tuple[int, str]] = set()
    for number, command in enumerate(commands):
        _check(found, command, (number,))
        key = (int(command.get("type") or SLASH), str(command.get("name")))
        if key in seen:
            text = "Application command names must be unique"
            found.add((number,), "APPLICATION_COMMANDS_DUPLICATE_NAME", text)
        seen.add(key)
    found.refuse()
    for kind, most in MOST.items():
        if sum(1 for k, _ in seen if k == kind) > most:
            raise Refused(30032)


def check_command(command: Json) -> None:
    """Refuse one command that Discord would refuse."""
    found = Problems()
    _check(found, command, ())
    found.refuse()


def _check(found: Problems, command: Json, path: Path) -> None:
    kind = command.get("type") or SLASH
    found.choice((*path, "type"), kind, (1, 2, 3, 4))
    if kind == SLASH:
        _check_name(found, command, path)
        found.length((*path, "description"), command.get("description"), 100, 1)
        _check_options(found, command.get("options") or [], path)
        if _size(command) > SIZE_MOST:
            text = f"Command exceeds maximum size ({SIZE_MOST})"
            found.add(path or ("name",), "APPLICATION_COMMAND_TOO_LARGE", text)
    else:
        found.length((*path, "name"), command.get("name"), 32, 1)
        if command.get("description"):
            text = "Context menu commands cannot have description"
            found.add((*path, "description"), "APPLICATION_COMMAND_CONTEXT_MENU_DESCRIPTION_NOT_ALLOWED", text)
        if command.get("options"):
            text = "Context menu commands cannot have options"
            found.add((*path, "options"), "APPLICATION_COMMAND_CONTEXT_MENU_OPTIONS_NOT_ALLOWED", text)
    for name, most in (("name_localizations", 32), ("description_localizations", 100)):
        _check_localized(found, command, path, name, most, exact=kind == SLASH and name == "name_localizations")
    for name, allowed in (("contexts", (0, 1, 2)), ("integration_types", (0, 1))):
        for number, value in enumerate(command.get(name) or ()):
            found.choice((*path, name, number), value, allowed)


def _check_name(found: Problems, part: Json, path: Path) -> None:
    name = part.get("name")
    found.length((*path, "name"), name, 32, 1)
    if isinstance(name, str) and 0 < len(name) <= 32 and (not NAME.fullmatch(name) or name != name.lower()):
        found.add((*path, "name"), "APPLICATION_COMMAND_INVALID_NAME", "Command name is invalid")


def _check_localized(found: Problems, part: Json, path: Path, field: str, most: int, *, exact: bool) -> None:
    for locale, text in (part.get(field) or {}).items():
        found.choice((*path, field, locale), locale, LOCALES)
        found.length((*path, field, locale), text, most, 1)
        if exact and isinstance(text, str) and (not NAME.fullmatch(text) or text != text.lower()):
            found.add((*path, field, locale), "APPLICATION_COMMAND_INVALID_NAME", "Command name is invalid")


def _check_options(found: Problems, options: list[Json], path: Path) -> None:
    found.length((*path, "options"), options, 25)
    optional, names = False, set()
    for number, option in enumerate(options):
        here = (*path, "options", number)
        found.choice((*here, "type"), option.get("type"), tuple(range(1, 12)))
        _check_name(found, option, here)
        found.length((*here, "description"), option.get("description"), 100, 1)
        for name, most in (("name_localizations", 32), ("description_localizations", 100)):
            _check_localized(found, option, here, name, most, exact=name == "name_localizations")
        if option.get("name") in names:
            text = "Option names must be unique"
            found.add((*path, "options"), "APPLICATION_COMMAND_OPTIONS_NAME_ALREADY_EXISTS", text)
        names.add(option.get("name"))
        if option.get("required") and optional:
            text = "Required options must be placed before non-required options"
            found.add(here, "APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID", text)
        optional = optional or not option.get("required")
        _check_values(found, option, here)
        if option.get("type") in (SUB, GROUP):
            _check_options(found, option.get("options") or [], here)


def _check_values(found: Problems, option: Json, here: Path) -> None:
    choices = option.get("choices") or []
    found.length((*here, "choices"), choices, 25)
    for index, choice in enumerate(choices):
        found.length((*here, "choices", index, "name"), choice.get("name"), 100, 1)
        if isinstance(choice.get("value"), str):
            found.length((*here, "choices", index, "value"), choice["value"], 100, 1)
    if choices and option.get("autocomplete"):
        text = "Options cannot have both choices and autocomplete"
        found.add((*here, "autocomplete"), "APPLICATION_COMMAND_OPTIONS_CHOICES_AND_AUTOCOMPLETE", text)
    for name, least in (("min_length", 0), ("max_length", 1)):
        value = option.get(name)
        if value is not None and not least <= value <= 6000:
            found.add((*here, name), "NUMBER_TYPE_MAX", "int value should be less than or equal to 6000.")


def _size(part: Json) -> int:
    """Characters that count; of localized texts the longest one."""
    total = 0
    for name in ("name", "description"):
        texts = [part.get(name) or "", *(part.get(f"{name}_localizations") or {}).values()]
        total += max(len(text) for text in texts)
    total += sum(len(str(c.get("name"))) + len(str(c.get("value"))) for c in part.get("choices") or ())
    return total + sum(_size(o) for o in part.get("options") or ())


def stored(world: World, app: App, command: Json, guild: str, before: Mapping[str, Json]) -> Json:
    """A command as Discord keeps it: with the id it had, if it had one, and all defaults."""
    kind = int(command.get("type") or SLASH)
    known = next((c for c in before.values() if (c["type"], c["name"]) == (kind, command["name"])), None)
    body: Json = {
        "id": known["id"] if known else world.new_id(),
        "application_id": app.id,
        "version": world.new_id(),
        "type": kind,
        "name": command["name"],
        "name_localizations": command.get("name_localizations"),
        "description": command.get("description") or "",
        "description_localizations": command.get("description_localizations"),
        "default_member_permissions": command.get("default_member_permissions"),
        "nsfw": bool(command.get("nsfw")),
        "options": command.get("options") or [],
    }
    if guild:
        return body | {"guild_id": guild}
    dm = command.get("dm_permission")
    contexts = command.get("contexts") or ([0] if dm is False else None)
    types = command.get("integration_types") or [0]
    return body | {"contexts": contexts, "integration_types": types, "dm_permission": dm is not False}
