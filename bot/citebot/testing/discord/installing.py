"""How apps come into guilds and leave them."""

from __future__ import annotations

from citebot.testing.discord.core import Core
from citebot.testing.discord.events import announce
from citebot.testing.discord.permissions import Permission
from citebot.testing.discord.shapes import member_json, role_json
from citebot.testing.discord.state import App, Guild, Member, Role


def install(core: Core, app: App, guild: Guild, permissions: Permission) -> None:
    """Make an app's bot a member, with a role of its own; the app is told of the guild by the gateway."""
    if app.bot.id in guild.members:
        return
    role = Role(core.world.new_id(), app.name, permissions, len(guild.roles), app_id=app.bot.id)
    guild.roles[role.id] = role
    announce(core, "GUILD_ROLE_CREATE", {"guild_id": guild.id, "role": role_json(role)}, guild=guild)
    member = Member(app.bot.id, core.clock.wall(), [role.id])
    body = member_json(core.world, member) | {"guild_id": guild.id}
    announce(core, "GUILD_MEMBER_ADD", body, guild=guild)
    guild.members[app.bot.id] = member
    core.touch()


def uninstall(core: Core, app: App, guild: Guild) -> None:
    """Put an app's bot out of a guild; its commands and role there are gone."""
    core.publish(app, "GUILD_DELETE", {"id": guild.id, "guild_id": guild.id}, guild.id)
    guild.members.pop(app.bot.id, None)
    app.commands.pop(guild.id, None)
    for role in [r for r in guild.roles.values() if r.app_id == app.bot.id]:
        del guild.roles[role.id]
    for channel in core.world.in_guild(guild.id):
        channel.thread_members.pop(app.bot.id, None)
    core.touch()
