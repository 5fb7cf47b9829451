"""What a person types becomes what Slack stores, and who is called by it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from citebot.testing.slack.state import Json, User, World

TOKEN = re.compile(
    r"(?P<url>https?://[^\s<>]+)|(?P<mail>[\w.+-]+@[\w-]+\.[\w.]+)|@(?P<at>[\w.-]*\w)|\#(?P<channel>[\w-]*\w)"
)
CONTROL = re.compile(r"<(?:[@#!][^<>\s][^<>]*|(?:https?|mailto|slack):[^<>]+)>")
CALLED = re.compile(r"<@([UW]\w+)(?:\|[^>]*)?>|<!(here|channel|everyone)(?:\|[^>]*)?>|<!subteam\^(\w+)(?:\|[^>]*)?>")
LINK = re.compile(r"https?://[^\s<>|)\]\"'`]+|(?:mailto|tel|slack):[^\s<>|)\]]+", re.IGNORECASE)
BROADCASTS = ("here", "channel", "everyone")


def escape(text: str) -> str:
    """The three characters that Slack replaces."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def unescape(text: str) -> str:
    """The reverse."""
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def named(world: World, team: str, name: str) -> User | None:
    """The user of a workspace who is mentioned by a name; people of connected workspaces come last."""
    found = [u for u in world.users.values() if u.name == name and not u.deleted]
    return next((u for u in found if u.team == team), found[0] if found else None)


def compose(world: World, team: str, typed: str) -> tuple[str, list[Json]]:
    """Text and blocks of what a person wrote; only names that exist become mentions."""
    text, elements = "", []
    for plain, element, written in _pieces(world, team, typed):
        text += escape(plain) + written
        if plain:
            elements.append({"type": "text", "text": plain})
        if element:
            elements.append(element)
    section = {"type": "rich_text_section", "elements": elements}
    return text, [{"type": "rich_text", "block_id": world.new_id("b"), "elements": [section]}] if elements else []


def _pieces(world: World, team: str, typed: str) -> Iterator[tuple[str, Json | None, str]]:
    done = 0
    for match in TOKEN.finditer(typed):
        element, written = _control(world, team, match)
        if element is not None:
            yield typed[done : match.start()], element, written
            done = match.end()
    yield typed[done:], None, ""


def _control(world: World, team: str, match: re.Match[str]) -> tuple[Json | None, str]:
    if url := match["url"]:
        return {"type": "link", "url": url}, f"<{escape(url)}>"
    if mail := match["mail"]:
        return {"type": "link", "url": f"mailto:{mail}", "text": mail}, f"<mailto:{mail}|{mail}>"
    if name := match["channel"]:
        channel = next((c for c in world.channels.values() if c.name == name and team in c.teams), None)
        return ({"type": "channel", "channel_id": channel.id}, f"<#{channel.id}|{name}>") if channel else (None, "")
    if match["at"] in BROADCASTS:
        return {"type": "broadcast", "range": match["at"]}, f"<!{match['at']}>"
    group = next((g for g in world.groups.values() if g.handle == match["at"] and g.team == team), None)
    if group:
        return {"type": "usergroup", "usergroup_id": group.id}, f"<!subteam^{group.id}>"
    user = named(world, team, match["at"])
    return ({"type": "user", "user_id": user.id}, f"<@{user.id}>") if user else (None, "")


def normalise(world: World, team: str, text: str, *, names: bool = False) -> str:
    """What Slack stores of an app's text: stray signs escaped; with `names`, plain @names and #names are linked."""
    parts, done = [], 0
    for match in [*CONTROL.finditer(text), None]:
        stray = text[done : match.start() if match else None]
        stray = re.sub(r"&(?!(?:amp|lt|gt);)", "&amp;", stray).replace("<", "&lt;").replace(">", "&gt;")
        parts.append("".join(p + w for p, _, w in _pieces(world, team, stray)) if names else stray)
        if match:
            parts.append(match[0])
            done = match.end()
    return "".join(parts)


def called(text: str) -> set[str]:
    """Who is notified: user ids, group ids, `here`, `channel`, `everyone`."""
    return {name for found in CALLED.findall(text) for name in found if name}


def linked(text: str) -> set[str]:
    """Every address in a text: Slack makes links of all of them, marked up or not."""
    return {unescape(found) for found in LINK.findall(text)}
