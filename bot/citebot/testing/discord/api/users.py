"""Users, and what the bot is."""

from __future__ import annotations

from citebot.testing.discord.api.calling import Call, operation
from citebot.testing.discord.installing import uninstall
from citebot.testing.discord.permissions import in_guild
from citebot.testing.discord.refusing import Refused
from citebot.testing.discord.shapes import app_json, channel_json, user_json
from citebot.testing.discord.state import Guild, Json


@operation("GET", "/users/@me")
def get_current_user(call: Call) -> Json:
    """The bot itself."""
    return user_json(call.app.bot) | {"verified": True, "mfa_enabled": True, "flags": 0, "locale": "en-US"}


@operation("GET", "/users/{user_id}")
def get_user(call: Call) -> Json:
    """Anybody."""
    found = call.core.world.users.get(call.path["user_id"])
    if found is None:
        raise Refused(10013)
    return user_json(found)


@operation("GET", "/users/@me/guilds")
def list_current_guilds(call: Call) -> list[Json]:
    """The guilds the bot is in."""
    guilds = [g for g in call.core.world.guilds.values() if call.bot in g.members]
    after = int(call.query.get("after") or 0)
    found = [g for g in sorted(guilds, key=lambda g: int(g.id)) if int(g.id) > after]
    return [_partial(g, call.bot) for g in found[: int(call.query.get("limit") or 200)]]


def _partial(guild: Guild, user: str) -> Json:
    """A guild as one of its members sees it in the list of theirs: with what they may there, channels aside."""
    rights = str(int(in_guild(guild, user)))
    return {"id": guild.id, "name": guild.name, "owner": guild.owner == user, "permissions": rights, "features": []}


@operation("DELETE", "/users/@me/guilds/{guild_id}")
def leave_guild(call: Call) -> None:
    """Leave a guild."""
    uninstall(call.core, call.app, call.guild())


@operation("POST", "/users/@me/channels")
def create_dm(call: Call) -> Json:
    """Open the direct message with somebody."""
    found = call.core.world.users.get(str(call.json.get("recipient_id")))
    if found is None:
        raise Refused(10013)
    if found.app_id:
        raise Refused(50007)
    channel = call.core.world.direct(call.bot, found.id)
    return channel_json(call.core.world, channel, seen_by=call.bot)


@operation("GET", "/oauth2/applications/@me")
def get_current_application(call: Call) -> Json:
    """The application."""
    return app_json(call.app, call.core.world.users.get(call.app.owner))


@operation("GET", "/applications/@me")
def get_application(call: Call) -> Json:
    """The application, by its other address."""
    return app_json(call.app, call.core.world.users.get(call.app.owner))


@operation("GET", "/gateway")
def get_gateway(call: Call) -> Json:
    """Where the gateway is."""
    return {"url": _gateway(call)}


@operation("GET", "/gateway/bot")
def get_gateway_bot(call: Call) -> Json:
    """Where the gateway is, and how many sessions may begin."""
    settings = call.core.settings
    limit = {"total": settings.identifies, "remaining": call.app.identifies_left, "reset_after": 86_400_000}
    limit["max_concurrency"] = settings.max_concurrency
    return {"url": _gateway(call), "shards": settings.shards, "session_start_limit": limit}


def _gateway(call: Call) -> str:
    return call.core.url.replace("http", "ws", 1) + "/gateway/"
