"""The guilds as a page, for a person who tries a bot without Discord."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from citebot.testing.chat.page import Looking as Fields
from citebot.testing.chat.page import Page
from citebot.testing.discord.commands import MESSAGE_MENU
from citebot.testing.discord.drawing import Drawing, fields
from citebot.testing.discord.permissions import can_see
from citebot.testing.discord.reading import Shown
from citebot.testing.discord.state import Channel, Guild, Json, User

if TYPE_CHECKING:
    from citebot.testing.discord.control import FakeDiscord

SIGNS = {"voice": "🔊", "forum": "🗨", "news": "📢"}


@dataclass(frozen=True, slots=True)
class Looking(Fields):
    """Who looks at what."""

    user: User
    channel: Channel | None
    thread: Channel | None = None

    def fields(self) -> dict[str, str]:
        """The view as it is."""
        channel, thread = self.channel.id if self.channel else "", self.thread.id if self.thread else ""
        return {"as": self.user.id, "in": channel, "thread": thread}


class GuildPage(Page):
    """Draws what one person sees."""

    def __init__(self, discord: FakeDiscord, looking: Looking) -> None:
        self._discord = discord
        self._at = looking
        self.title = discord.guild.name

    def parts(self) -> dict[str, str]:
        """What changes while one looks."""
        at = self._at
        return {
            "side": "".join(self._side()),
            "main": self._channel(at.channel) if at.channel else "<p>Choose a channel.</p>",
            "thread": self._thread(at.thread) if at.thread else "",
            "modal": self._modal(),
        }

    def inputs(self) -> dict[str, str]:
        """Where one writes."""
        at = self._at
        hint = "Title and text of a new post" if at.channel and at.channel.kind == "forum" else "Message, or /command"
        say = at.line(hint, place=at.channel.id) if at.channel else ""
        return {"say": say, "reply": at.line("Reply", place=at.thread.id) if at.thread else ""}

    def _side(self) -> Iterator[str]:
        discord, at = self._discord, self._at
        for guild in discord.world.guilds.values():
            if at.user.id in guild.members:
                yield f"<h2>{escape(guild.name)}</h2>"
                yield from self._channels(guild)
        yield "<h2>Apps</h2>"
        for app in discord.world.apps.values():
            state = "" if discord.ready(app) else " (offline)"
            yield self._to(app.name + state, discord.direct(at.user, app))
        yield "<h2>You are</h2>"
        people = [u for u in discord.world.users.values() if not u.app_id]
        yield from (at.link(u.display_name, u.id == at.user.id, **{"as": u.id, "thread": ""}) for u in people)

    def _channels(self, guild: Guild) -> Iterator[str]:
        world = self._discord.world
        for channel in world.in_guild(guild.id):
            if channel.is_thread or channel.kind == "category" or not can_see(world, channel, self._at.user.id):
                continue
            notes = {"private": guild.id in channel.overrides, "18+": channel.nsfw}
            label = f"{SIGNS.get(channel.kind, '#')} {channel.name}"
            yield self._to(" ".join([label, *(f"({note})" for note, so in notes.items() if so)]), channel)

    def _to(self, label: str, channel: Channel) -> str:
        return self._at.link(label, channel == self._at.channel, **{"in": channel.id, "thread": ""})

    def _channel(self, channel: Channel) -> str:
        if channel.kind == "forum":
            posts = [t for t in self._discord.threads(channel) if can_see(self._discord.world, t, self._at.user.id)]
            return "".join(f"<article>{self._post(channel, post)}</article>" for post in posts)
        messages = self._discord.messages(channel, seen_by=self._at.user)
        return "".join(self._message(m) for m in messages) + self._below(channel)

    def _post(self, forum: Channel, post: Channel) -> str:
        tags = [t["name"] for t in forum.tags if t["id"] in post.applied_tags]
        notes = " · ".join([*tags, *(["archived"] if post.archived else []), *(["locked"] if post.locked else [])])
        return f"{self._at.link(post.name, post == self._at.thread, thread=post.id)} <small>{escape(notes)}</small>"

    def _thread(self, thread: Channel) -> str:
        close = f'<a class="close" href="{self._at.query(thread="")}">Close thread</a>'
        notes = " · ".join(n for n, so in {"archived": thread.archived, "locked": thread.locked}.items() if so)
        head = f"<h3>{escape(thread.name)} <small>{notes}</small></h3>"
        messages = self._discord.messages(thread, seen_by=self._at.user)
        return close + head + "".join(self._message(m) for m in messages) + self._below(thread)

    def _below(self, channel: Channel) -> str:
        typing = [a.name for a in self._discord.world.apps.values() if self._discord.typing(channel, a)]
        return f"<p class=thinking>{escape(', '.join(typing))} types …</p>" if typing else ""

    def _message(self, message: Shown) -> str:
        world, at = self._discord.world, self._at
        author, channel = world.users[message.author], world.channels[message.channel]
        draw = self._draw(message)
        body = f"<div class=block>{draw.text(message.content)}</div>" if message.content else ""
        body += "".join(draw.embed(e) for e in message.embeds) + draw.components(message.components)
        if message.loading:
            body = f"<p class=thinking>{escape(author.name)} is thinking …</p>"
        replied = channel.messages.get(message.reply_to)
        quote = f"<small>↪ {escape(world.users[replied.author].name)}</small> " if replied else ""
        files = "".join(f"<p>📄 {escape(name)}</p>" for name in message.files)
        reactions = " ".join(f"<small>{escape(name)} {len(users)}</small>" for name, users in message.reactions.items())
        notes = ["edited"] if message.edited else []
        notes += ["only you see this"] if message.only_for else []
        badge = " <small>APP</small>" if author.app_id else ""
        head = f"<b>{escape(author.display_name or author.name)}</b>{badge} <small>{' · '.join(notes)}</small>"
        thread = at.link("Thread", False, thread=message.thread) if message.thread else ""
        kind = "only" if message.only_for else ""
        inner = f"{quote}{head}{body}{files}{reactions} {thread} {self._menu(message, channel)}"
        return f'<article class="{kind}" id="m{message.id}">{inner}</article>'

    def _menu(self, message: Shown, channel: Channel) -> str:
        place = {"message": message.id, "place": channel.id}
        if message.only_for:
            return self._at.form("dismiss", "Dismiss", **place)
        menus = [c["name"] for c in self._discord.offered(self._at.user, channel) if c["type"] == MESSAGE_MENU]
        by_app = bool(self._discord.world.users[message.author].app_id)
        return "" if by_app else " ".join(self._at.form("menu", name, name=name, **place) for name in menus)

    def _draw(self, message: Shown) -> Drawing:
        def act(element: Json, value: str, label: str) -> str:
            place = {"message": message.id, "place": message.channel}
            return self._at.form("click", label, action=element["custom_id"], value=value, **place)

        return Drawing(self._discord.world, act)

    def _modal(self) -> str:
        modal = self._discord.modal(self._at.user)
        return self._at.dialog(modal.title, fields(modal.components), submit="Submit") if modal else ""
