"""What a test sets up: guilds, people, roles, channels, apps. All of it is announced to apps that are there already."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from citebot.testing.discord import acts, installing
from citebot.testing.discord.core import Core
from citebot.testing.discord.events import announce, announce_channel
from citebot.testing.discord.permissions import BOT, EVERYONE, EVERYTHING, NOTHING, Permission
from citebot.testing.discord.shapes import role_json
from citebot.testing.discord.state import App, Channel, Guild, Json, Member, Override, Role, User, new_token, user_of

INTENTS = ("message_content", "members", "presences")


class Founding:
    """Everything is put into the first guild, `guild`, unless another is named."""

    core: Core
    guild: Guild

    def add_guild(self, name: str, *, locale: str = "en-US", everyone: Permission = EVERYONE) -> Guild:
        """Another guild; there is one from the start, `guild`. Nobody owns it unless `add_user` says so."""
        guild = Guild(self.core.world.new_id(), name, locale=locale)
        guild.roles[guild.id] = Role(guild.id, "@everyone", everyone)
        self.core.world.guilds[guild.id] = guild
        return guild

    def add_user(
        self,
        name: str,
        *,
        guilds: Iterable[Guild] | None = None,
        owner: bool = False,
        admin: bool = False,
        roles: Iterable[Role] = (),
        locale: str = "en-US",
    ) -> User:
        """A person, member of the first guild unless others (or none) are named.

        Owners may all in their guilds without a role; admins have a role that may all.
        """
        user = User(self.core.world.new_id(), name.lower(), name.capitalize(), locale)
        self.core.world.users[user.id] = user
        for guild in (self.guild,) if guilds is None else guilds:
            mine = [r.id for r in roles if r.id in guild.roles]
            acts.add_member(self.core, guild.id, Member(user.id, self.core.clock.wall(), mine))
            guild.owner = user.id if owner else guild.owner
            if admin:
                self.add_role(f"admin-{name}", [user], permissions=EVERYTHING, guild=guild)
        return user

    def add_role(
        self,
        name: str,
        members: Iterable[User | App] = (),
        *,
        permissions: Permission = NOTHING,
        guild: Guild | None = None,
        mentionable: bool = False,
    ) -> Role:
        """A role."""
        found = guild or self.guild
        role = Role(self.core.world.new_id(), name, permissions, len(found.roles), mentionable)
        found.roles[role.id] = role
        announce(self.core, "GUILD_ROLE_CREATE", {"guild_id": found.id, "role": role_json(role)}, guild=found)
        for member in members:
            key = user_of(member).id
            found.members[key].roles.append(role.id)
            acts.update_member(self.core, found.id, key)
        return role

    def add_category(
        self, name: str, members: Iterable[User | App | Role] | None = None, *, guild: Guild | None = None
    ) -> Channel:
        """A category; with `members` only they see it and what is in step with it."""
        return self._add(Channel(self.core.world.new_id(), name, "category", (guild or self.guild).id), members)

    def add_channel(
        self,
        name: str,
        members: Iterable[User | App | Role] | None = None,
        *,
        kind: Literal["text", "news", "voice", "forum"] = "text",
        guild: Guild | None = None,
        category: Channel | None = None,
        nsfw: bool = False,
        topic: str = "",
        tags: Iterable[str] = (),
    ) -> Channel:
        """A channel; with `members` it is private: @everyone loses VIEW_CHANNEL, they get it.

        In a category it has the category's overrides unless `members` are named. `tags` are those of a forum; a
        moderated one begins with `!`.
        """
        channel = Channel(self.core.world.new_id(), name, kind, (guild or self.guild).id, topic=topic, nsfw=nsfw)
        if category:
            channel.guild, channel.parent = category.guild, category.id
            channel.overrides = {k: Override(o.kind, o.allow, o.deny) for k, o in category.overrides.items()}
        for tag in tags:
            emoji: Json = {"emoji_id": None, "emoji_name": None}
            moderated = tag.startswith("!")
            channel.tags.append(
                {"id": self.core.world.new_id(), "name": tag.lstrip("!"), "moderated": moderated} | emoji
            )
        return self._add(channel, members)

    def _add(self, channel: Channel, members: Iterable[User | App | Role] | None) -> Channel:
        channel.position = len(self.core.world.in_guild(channel.guild))
        if members is not None:
            view = Permission.VIEW_CHANNEL
            channel.overrides = {channel.guild: Override("role", deny=view)}
            for who in members:
                kind: Literal["role", "member"] = "role" if isinstance(who, Role) else "member"
                key = who.id if isinstance(who, Role) else user_of(who).id
                channel.overrides[key] = Override(kind, allow=view)
        self.core.world.channels[channel.id] = channel
        announce_channel(self.core, "CHANNEL_CREATE", channel)
        return channel

    def add_app(
        self,
        name: str = "citebot",
        *,
        intents: Iterable[str] = INTENTS,
        guilds: Iterable[Guild] | None = None,
        permissions: Permission = BOT,
    ) -> App:
        """An app with a bot in the first guild unless others (or none) are named.

        `intents` are the privileged ones that its owner has switched on: `message_content`, `members`, `presences`.
        """
        key = self.core.world.new_id()
        bot = User(key, name.lower(), app_id=key)
        app = App(key, name, bot, new_token(key), frozenset(intents))
        app.day, app.identifies_left = self.core.clock.now(), self.core.settings.identifies
        app.owner = next((u.id for u in self.core.world.users.values() if not u.app_id), "")
        self.core.world.users[key], self.core.world.apps[key] = bot, app
        for guild in (self.guild,) if guilds is None else guilds:
            installing.install(self.core, app, guild, permissions)
        return app
