"""Whom Discord offers an app's commands to, and how typed options become data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from citebot.testing.chat.fake import NotPossible
from citebot.testing.discord.commands import (
    BOOLEAN,
    CHANNEL,
    GROUP,
    INTEGER,
    MENTIONABLE,
    NUMBER,
    ROLE,
    STRING,
    SUB,
    USER,
)
from citebot.testing.discord.permissions import Permission, in_channel
from citebot.testing.discord.shapes import member_json, resolved_channel_json, role_json, user_json
from citebot.testing.discord.state import App, Channel, Json, Message, Role, User, World


def offered(world: World, user: User, channel: Channel) -> Iterator[tuple[App, Json]]:
    """The commands somebody may use in a place; a guild's own hide global ones of the same name."""
    for app in world.apps.values():
        own = app.commands.get(channel.guild, {}) if channel.guild else {}
        names = {(c["type"], c["name"]) for c in own.values()}
        shared = [c for c in app.commands.get("", {}).values() if (c["type"], c["name"]) not in names]
        for command in (*own.values(), *shared):
            if _usable(world, app, user, channel, command):
                yield app, command


def _usable(world: World, app: App, user: User, channel: Channel, command: Json) -> bool:
    guild = world.guilds.get(channel.guild)
    context = 0 if guild else 1 if app.bot.id in channel.recipients else 2
    installed = (bool(guild) and app.bot.id in guild.members) if guild else context == 1
    types = command.get("integration_types") or [0]
    if not (installed and 0 in types) and not (user.id in app.users and 1 in types):
        return False
    contexts = command.get("contexts")
    if contexts is not None and context not in contexts:
        return False
    if guild is None:
        return not command["nsfw"]
    may = in_channel(world, channel, user.id)
    home = world.channels.get(channel.parent) if channel.is_thread else channel
    if not may & Permission.USE_APPLICATION_COMMANDS or (command["nsfw"] and not (home and home.nsfw)):
        return False
    needed = command.get("default_member_permissions")
    if needed is None or may & Permission.ADMINISTRATOR:
        return True
    return int(needed) != 0 and int(may) & int(needed) == int(needed)


def find(world: World, user: User, channel: Channel, name: str, kind: int, app: App | None) -> tuple[App, Json]:
    """The command a person means."""
    for owner, command in offered(world, user, channel):
        if command["type"] == kind and command["name"] == name and app in (None, owner):
            return owner, command
    raise NotPossible(f"{user.name} is not offered {name!r} there")


def data_of(
    world: World, channel: Channel, command: Json, path: list[str], given: Mapping[str, object], *, typed: str = ""
) -> Json:
    """The data of a slash command; `typed` names the option that is being completed."""
    options: list[Json] = command["options"]
    for step in path:
        found = next((o for o in options if o["name"] == step and o["type"] in (SUB, GROUP)), None)
        if found is None:
            raise NotPossible(f"/{command['name']} has no {step!r}")
        options = found.get("options") or []
    resolved: Json = {}
    values = _values(world, channel, options, given, typed, resolved)
    steps: list[Json] = command["options"]
    kinds = []
    for step in path:
        found = next(o for o in steps if o["name"] == step)
        kinds.append(found["type"])
        steps = found.get("options") or []
    for step, kind in zip(reversed(path), reversed(kinds), strict=True):
        values = [{"name": step, "type": kind, "options": values}]
    body: Json = {"id": command["id"], "name": command["name"], "type": command["type"], "options": values}
    if "guild_id" in command:
        body["guild_id"] = command["guild_id"]
    return body | ({"resolved": resolved} if resolved else {})


def _values(
    world: World, channel: Channel, options: list[Json], given: Mapping[str, object], typed: str, resolved: Json
) -> list[Json]:
    unknown = set(given) - {o["name"] for o in options}
    if unknown:
        raise NotPossible(f"there is no option {min(unknown)!r}")
    out = []
    for option in options:
        name = option["name"]
        if name not in given:
            if option.get("required") and not typed:
                raise NotPossible(f"{name} must be filled in")
            continue
        value = given[name]
        body: Json = {"name": name, "type": option["type"]}
        if name == typed:
            body["focused"] = True
        elif not typed:
            _check_value(option, value)
        body["value"] = resolve(world, channel, value, resolved)
        out.append(body)
    return out


def _check_value(option: Json, value: object) -> None:
    kinds: dict[int, tuple[type, ...]] = {STRING: (str,), INTEGER: (int,), BOOLEAN: (bool,), NUMBER: (int, float)}
    kinds |= {USER: (User,), CHANNEL: (Channel,), ROLE: (Role,), MENTIONABLE: (User, Role)}
    if option["type"] in kinds and not isinstance(value, kinds[option["type"]]):
        raise NotPossible(f"{option['name']} takes no {value!r}")
    choices = [c["value"] for c in option.get("choices") or ()]
    if choices and value not in choices:
        raise NotPossible(f"{option['name']} offers no {value!r}")
    if isinstance(value, str):
        least, most = option.get("min_length") or 0, option.get("max_length") or 6000
        if not least <= len(value) <= most:
            raise NotPossible(f"{option['name']} must have {least} to {most} characters")


def resolve(world: World, channel: Channel, value: object, resolved: Json) -> object:
    """A value as the app gets it; what stands behind an id goes into `resolved`."""
    guild = world.guilds.get(channel.guild)
    if isinstance(value, App):
        value = value.bot
    if isinstance(value, User):
        resolved.setdefault("users", {})[value.id] = user_json(value)
        if guild and value.id in guild.members:
            member = member_json(world, guild.members[value.id], user=False)
            member["permissions"] = str(int(in_channel(world, channel, value.id)))
            resolved.setdefault("members", {})[value.id] = member
        return value.id
    if isinstance(value, Role):
        resolved.setdefault("roles", {})[value.id] = role_json(value)
        return value.id
    if isinstance(value, Channel):
        resolved.setdefault("channels", {})[value.id] = resolved_channel_json(world, value, "", "")
        return value.id
    return value


def menu_data(world: World, channel: Channel, command: Json, target: User | Message, body: Json) -> Json:
    """The data of a command of the Apps menu; a message comes with its content."""
    out: Json = {"id": command["id"], "name": command["name"], "type": command["type"], "target_id": target.id}
    if isinstance(target, User):
        resolved: Json = {}
        resolve(world, channel, target, resolved)
        return out | {"resolved": resolved}
    return out | {"resolved": {"messages": {target.id: body}}}
