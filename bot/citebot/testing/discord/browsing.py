"""What a person looks at in the browser, and what they do there."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from citebot.testing.chat.browsing import Browsing
from citebot.testing.chat.fake import NotPossible
from citebot.testing.discord.commands import BOOLEAN, INTEGER, NUMBER, SLASH
from citebot.testing.discord.people import Outcome
from citebot.testing.discord.permissions import can_see
from citebot.testing.discord.reading import find_element
from citebot.testing.discord.state import Channel, Json, Modal, User
from citebot.testing.discord.view import GuildPage, Looking

if TYPE_CHECKING:
    from citebot.testing.discord.control import FakeDiscord

TITLE_MOST = 100
YES = ("true", "yes", "on", "1")


class DiscordBrowsing(Browsing[Looking]):
    """Serves the guilds."""

    nobody = "There is nobody in this guild yet."

    def __init__(self, discord: FakeDiscord) -> None:
        self._discord = discord

    def draw(self, at: Looking) -> GuildPage:
        """The guilds as they see them."""
        return GuildPage(self._discord, at)

    def looking(self, query: dict[str, str]) -> Looking | None:
        """Who looks at what; the first person at their first channel unless the address says otherwise."""
        world = self._discord.world
        people = [u for u in world.users.values() if not u.app_id]
        user = world.users.get(query.get("as", "")) or (people[0] if people else None)
        if user is None:
            return None
        seen = [c for c in world.channels.values() if can_see(world, c, user.id)]
        wanted, thread = world.channels.get(query.get("in", "")), world.channels.get(query.get("thread", ""))
        first = next((c for c in seen if c.kind == "text"), None)
        return Looking(user, wanted if wanted in seen else first, thread if thread in seen else None)

    async def do(self, at: Looking, form: dict[str, str], many: dict[str, list[str]]) -> Outcome | None:
        """What a form asks for."""
        discord, user = self._discord, at.user
        place, modal = discord.world.channels.get(form.get("place", "")), discord.modal(user)
        message = place.messages.get(form.get("message", "")) if place else None
        match form["do"]:
            case "say" if place and form["line"].startswith("/"):
                return await self._command(user, place, form["line"])
            case "say" if place and place.kind == "forum":
                await discord.post(user, place, form["line"][:TITLE_MOST], form["line"])
            case "say" if place:
                await discord.say(user, place, form["line"])
            case "click" if message:
                values = [form["value"]] if form["value"] else []
                return await discord.click(user, message, form["action"], values)
            case "menu" if message:
                return await discord.context_menu(user, form["name"], message)
            case "dismiss" if message:
                await discord.dismiss(user, message)
            case "submit" if modal:
                return await discord.submit(user, modal, _filled(modal, form, many))
            case "close":
                await discord.close(user)
            case _:
                raise NotPossible("that is gone")
        return None

    async def _command(self, user: User, place: Channel, line: str) -> Outcome:
        name, _, rest = line.removeprefix("/").partition(" ")
        offered = self._discord.offered(user, place)
        command = next((c for c in offered if c["type"] == SLASH and c["name"] == name), None)
        if command is None:
            raise NotPossible(f"/{name} is not offered here")
        path, options = [name], command["options"]
        while options and options[0]["type"] <= 2:  # the next word names a subcommand
            step, _, rest = rest.partition(" ")
            found = next((o for o in options if o["name"] == step), None)
            if found is None:
                raise NotPossible(f"/{' '.join(path)} is followed by one of: {', '.join(o['name'] for o in options)}")
            path, options = [*path, step], found.get("options") or []
        return await self._discord.command(user, place, " ".join(path), typed_options(options, rest))


def typed_options(options: list[Json], line: str) -> dict[str, object]:
    """What `first words private: yes` gives the options; words without a name are the first option's."""
    names = {o["name"]: o for o in options}
    if not names or not line.strip():
        return {}
    parts = re.split(rf"(?:^|\s)({'|'.join(map(re.escape, names))}):", line)
    given = {next(iter(names)): parts[0].strip()} if parts[0].strip() else {}
    given |= {name: text.strip() for name, text in zip(parts[1::2], parts[2::2], strict=True)}
    return {name: _typed(names[name], text) for name, text in given.items()}


def _typed(option: Json, text: str) -> object:
    if option["type"] == BOOLEAN:
        return text.lower() in YES
    if option["type"] in (INTEGER, NUMBER):
        try:
            return int(text) if option["type"] == INTEGER else float(text)
        except ValueError:
            raise NotPossible(f"{option['name']} takes a number") from None
    return text


def _filled(modal: Modal, form: dict[str, str], many: dict[str, list[str]]) -> dict[str, object]:
    values: dict[str, object] = {}
    for key, value in {**form, **many}.items():
        name = key.removeprefix("value.")
        if name != key and (value or _is_text(modal, name)):
            values[name] = value
    return values


def _is_text(modal: Modal, name: str) -> bool:
    found = find_element(modal.components, name)
    return bool(found and found["type"] == 4)
