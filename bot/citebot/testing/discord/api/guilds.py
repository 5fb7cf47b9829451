"""Guilds, their channels, members and roles."""

from __future__ import annotations

from citebot.testing.discord.api.calling import Call, operation
from citebot.testing.discord.refusing import Refused
from citebot.testing.discord.shapes import channel_json, guild_json, member_json, role_json
from citebot.testing.discord.state import Json


@operation("GET", "/guilds/{guild_id}")
def get_guild(call: Call) -> Json:
    """One guild."""
    guild = call.guild()
    body = guild_json(call.core.world, guild)
    if call.query.get("with_counts") in ("1", "true"):
        body |= {"approximate_member_count": len(guild.members), "approximate_presence_count": len(guild.members)}
    return body


@operation("GET", "/guilds/{guild_id}/channels")
def list_guild_channels(call: Call) -> list[Json]:
    """All channels of a guild, threads aside."""
    channels = [c for c in call.core.world.in_guild(call.guild().id) if not c.is_thread]
    return [channel_json(call.core.world, c, seen_by=call.bot) for c in channels]


@operation("GET", "/guilds/{guild_id}/members/{user_id}")
def get_guild_member(call: Call) -> Json:
    """One member."""
    guild = call.guild()
    found = guild.members.get(call.path["user_id"])
    if found is None:
        raise Refused(10007 if call.path["user_id"] in call.core.world.users else 10013)
    return member_json(call.core.world, found)


@operation("GET", "/guilds/{guild_id}/members")
def list_guild_members(call: Call) -> list[Json]:
    """All members; needs the members intent."""
    guild = call.guild()
    if "members" not in call.app.intents:
        raise Refused(50001)
    after = int(call.query.get("after") or 0)
    found = sorted((m for m in guild.members.values() if int(m.user) > after), key=lambda m: int(m.user))
    return [member_json(call.core.world, m) for m in found[: int(call.query.get("limit") or 1)]]


@operation("GET", "/guilds/{guild_id}/roles")
def list_guild_roles(call: Call) -> list[Json]:
    """All roles."""
    return [role_json(r) for r in call.guild().roles.values()]
