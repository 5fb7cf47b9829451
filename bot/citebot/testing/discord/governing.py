"""What those who run a guild do: permissions, roles, members, channels, and apps coming and going."""

from __future__ import annotations

from typing import Literal

from citebot.testing.chat.fake import NotPossible
from citebot.testing.discord import acts, installing
from citebot.testing.discord.core import Core
from citebot.testing.discord.events import announce, announce_channel, sync_threads
from citebot.testing.discord.gateway import Gateway
from citebot.testing.discord.permissions import BOT, NOTHING, Permission, can_see
from citebot.testing.discord.shapes import guild_json, role_json
from citebot.testing.discord.state import App, Channel, Guild, Member, Override, Role, User, new_token, user_of


class Governing:
    """All of it happens at once and is announced; what Discord would not do raises `NotPossible`."""

    core: Core
    gateway: Gateway
    guild: Guild

    # -- permissions ----------------------------------------------------------------------------------------------

    async def permit(
        self, channel: Channel, who: User | App | Role, *, allow: Permission = NOTHING, deny: Permission = NOTHING
    ) -> None:
        """Set what somebody may in a channel; on a category, also in the channels that are in step with it."""
        key = who.id if isinstance(who, Role) else user_of(who).id
        changed = [channel]
        if channel.kind == "category":
            inside = [c for c in self.core.world.in_guild(channel.guild) if c.parent == channel.id]
            changed += [c for c in inside if c.overrides == channel.overrides]
        world = self.core.world
        kind: Literal["role", "member"] = "role" if isinstance(who, Role) else "member"
        apps = list(world.apps.values())
        blind = [(app, each) for app in apps for each in changed if not can_see(world, each, app.bot.id)]
        for each in changed:
            each.overrides.pop(key, None)
            if allow or deny:
                each.overrides[key] = Override(kind, allow, deny)
            announce_channel(self.core, "CHANNEL_UPDATE", each)
        for app, each in blind:
            sync_threads(self.core, app, each)
        self.core.touch()

    async def set_permissions(self, role: Role, permissions: Permission) -> None:
        """Change what a role may."""
        guild = self._guild_of(role)
        role.permissions = permissions
        announce(self.core, "GUILD_ROLE_UPDATE", {"guild_id": guild.id, "role": role_json(role)}, guild=guild)
        self.core.touch()

    async def give(self, role: Role, user: User | App, *, take: bool = False) -> None:
        """Give a role to somebody, or take it away."""
        guild = self._guild_of(role)
        member = self._member(user, guild)
        if take == (role.id in member.roles):
            (member.roles.remove if take else member.roles.append)(role.id)
        acts.update_member(self.core, guild.id, member.user)

    def role_of(self, app: App, guild: Guild | None = None) -> Role:
        """The role that an app's installation made."""
        return next(r for r in (guild or self.guild).roles.values() if r.app_id == app.bot.id)

    def everyone(self, guild: Guild | None = None) -> Role:
        """The role @everyone."""
        found = guild or self.guild
        return found.roles[found.id]

    # -- members --------------------------------------------------------------------------------------------------

    async def join(self, user: User, guild: Guild) -> None:
        """Become a member of a guild."""
        acts.add_member(self.core, guild.id, Member(user.id, self.core.clock.wall()))

    async def kick(self, user: User, guild: Guild | None = None) -> None:
        """Put somebody out of a guild."""
        acts.remove_member(self.core, (guild or self.guild).id, user.id)

    async def time_out(self, user: User | App, guild: Guild | None = None, *, seconds: float = 60) -> None:
        """Let somebody write nothing for a while (real seconds; 0 ends it)."""
        found = guild or self.guild
        member = self._member(user, found)
        member.timed_out_until = self.core.clock.wall() + seconds
        acts.update_member(self.core, found.id, member.user)

    # -- channels -------------------------------------------------------------------------------------------------

    async def rename(self, channel: Channel, name: str) -> None:
        """Rename a channel or thread."""
        channel.name = name
        announce_channel(self.core, "THREAD_UPDATE" if channel.is_thread else "CHANNEL_UPDATE", channel)
        self.core.touch()

    async def mark_nsfw(self, channel: Channel, *, nsfw: bool = True) -> None:
        """Mark a channel as age-restricted, or not any more."""
        channel.nsfw = nsfw
        announce_channel(self.core, "CHANNEL_UPDATE", channel)
        self.core.touch()

    async def delete_channel(self, channel: Channel) -> None:
        """Delete a channel, its threads too."""
        acts.delete_channel(self.core, channel)

    # -- apps and guilds ------------------------------------------------------------------------------------------

    async def install(self, app: App, guild: Guild, *, permissions: Permission = BOT) -> None:
        """Add an app's bot to a guild (GUILD_CREATE), with a role of its own."""
        installing.install(self.core, app, guild, permissions)
        self.gateway.add_guild(app, guild, joined=True)

    async def install_for(self, app: App, user: User) -> None:
        """Let a person install an app for themselves; its commands go with them everywhere."""
        app.users.add(user.id)

    async def uninstall(self, app: App, guild: Guild | None = None) -> None:
        """Put an app out of a guild (GUILD_DELETE); its commands there are gone."""
        installing.uninstall(self.core, app, guild or self.guild)

    async def delete_guild(self, guild: Guild) -> None:
        """Delete a guild with all in it."""
        world = self.core.world
        for app in [a for a in world.apps.values() if a.bot.id in guild.members]:
            installing.uninstall(self.core, app, guild)
        for channel in world.in_guild(guild.id):
            del world.channels[channel.id]
        del world.guilds[guild.id]
        self.core.touch()

    async def rename_guild(self, guild: Guild, name: str) -> None:
        """Rename a guild."""
        guild.name = name
        announce(self.core, "GUILD_UPDATE", guild_json(self.core.world, guild), guild=guild)
        self.core.touch()

    async def outage(self, guild: Guild, *, over: bool = False) -> None:
        """Make a guild unavailable, as when a part of Discord is down, or bring it back."""
        guild.unavailable = not over
        for app in [a for a in self.core.world.apps.values() if a.bot.id in guild.members]:
            if over:
                self.gateway.add_guild(app, guild, joined=False)
            else:
                body = {"id": guild.id, "guild_id": guild.id, "unavailable": True}
                self.core.publish(app, "GUILD_DELETE", body, guild.id)
        self.core.touch()

    def reset_token(self, app: App) -> str:
        """Give an app a new token; the old one is refused from now on and its sessions are closed with 4004."""
        app.token = new_token(app.id)
        for session in self.gateway.of(app, connected=False):
            self.gateway.end(session, 4004)
        return app.token

    def _guild_of(self, role: Role) -> Guild:
        return next(g for g in self.core.world.guilds.values() if role.id in g.roles)

    def _member(self, user: User | App, guild: Guild) -> Member:
        key = user_of(user).id
        if key not in guild.members:
            raise NotPossible("they are not in the guild")
        return guild.members[key]
