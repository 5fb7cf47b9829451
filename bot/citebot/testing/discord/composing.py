"""Texts: what a person's `@name` becomes, who is called, what can be opened."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from citebot.testing.discord.components import TEXT, every
from citebot.testing.discord.state import Channel, Guild, Json, World

CODE = re.compile(r"```.*?```|``.+?``|`[^`\n]+`", re.DOTALL)
CALL = re.compile(r"<@!?(?P<user>\d+)>|<@&(?P<role>\d+)>|(?P<everyone>@everyone|@here)")
LINK = re.compile(r"https?://[^\s<>\"]+")
MASKED = re.compile(r"\[[^\]\n]+\]\(<?([^)\s>]+)>?[^)]*\)")


def compose(world: World, channel: Channel, text: str) -> str:
    """What Discord stores of what a person types: names of users, roles and channels become ids."""
    guild = world.guilds.get(channel.guild)
    names: dict[str, str] = {}
    if guild:
        names |= {f"@{r.name}": f"<@&{r.id}>" for r in guild.roles.values() if r.id != guild.id}
    for user in world.users.values():
        if guild is None or user.id in guild.members:
            names[f"@{user.name}"] = f"<@{user.id}>"
    if guild:
        names |= {f"#{c.name}": f"<#{c.id}>" for c in world.in_guild(guild.id) if c.name}
    if not names:
        return text
    pattern = "|".join(re.escape(n) for n in sorted(names, key=len, reverse=True))
    return re.sub(rf"(?<!\w)(?:{pattern})(?!\w)", lambda m: names[m[0]], text)


def called(text: str) -> Iterator[tuple[str, str]]:
    """All mentions of a text outside of code: kind (`user`, `role`, `everyone`) and id."""
    for match in CALL.finditer(CODE.sub(" ", text)):
        kind = str(match.lastgroup)
        yield kind, "everyone" if kind == "everyone" else match[kind]


def notified(
    world: World, channel: Channel, texts: Iterable[str], allowed: Any, *, may_everyone: bool, replied: str = ""
) -> list[str]:
    """Who a message calls: users, roles, `everyone`.

    `allowed` is `allowed_mentions`; None lets everything through that the author may.
    """
    guild = world.guilds.get(channel.guild)
    found = [c for text in texts for c in called(text)]
    calls = [key for kind, key in found if _lets(allowed, kind, key) and _exists(world, guild, kind, key, may_everyone)]
    if replied and (allowed is None or allowed.get("replied_user")):
        calls.append(replied)
    return list(dict.fromkeys(calls))


def _lets(allowed: Any, kind: str, key: str) -> bool:
    if not isinstance(allowed, dict):
        return True
    name = {"user": "users", "role": "roles", "everyone": "everyone"}[kind]
    listed = [str(k) for k in allowed.get(name) or ()] if kind != "everyone" else []
    return name in (allowed.get("parse") or ()) or key in listed


def _exists(world: World, guild: Guild | None, kind: str, key: str, may_everyone: bool) -> bool:
    if kind == "user":
        return key in world.users
    if guild is None:
        return False
    if kind == "role":
        return key in guild.roles and (may_everyone or guild.roles[key].mentionable)
    return may_everyone


def linked(text: str) -> Iterator[str]:
    """Every address that a text lets one open."""
    yield from LINK.findall(CODE.sub(" ", text))
    yield from MASKED.findall(CODE.sub(" ", text))


def plain_texts(body: Json) -> Iterator[str]:
    """The texts of a message's fields in which mentions call and links open: content and text displays."""
    if body.get("content"):
        yield str(body["content"])
    for component in every(body.get("components") or []):
        if component.get("type") == TEXT:
            yield str(component.get("content") or "")
