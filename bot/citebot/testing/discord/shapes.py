"""Objects as Discord writes them."""

from __future__ import annotations

from datetime import UTC, datetime

from citebot.testing.discord.permissions import NOTHING, can_see, in_channel
from citebot.testing.discord.state import EPOCH, TYPES, App, Channel, Guild, Json, Member, Message, Role, User, World

EPHEMERAL, LOADING, SUPPRESS_EMBEDS, HAS_THREAD, COMPONENTS_V2 = 1 << 6, 1 << 7, 1 << 2, 1 << 5, 1 << 15
INTENT_FLAGS = {"presences": 1 << 13, "members": 1 << 15, "message_content": 1 << 19}
"""What an unverified app's flags say of the privileged intents its owner switched on."""
FILE_MOST = 10 * 1024 * 1024


def iso(seconds: float) -> str:
    """A time of the wall clock as messages have it."""
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def made_at(key: str) -> str:
    """When something with an id was made."""
    return iso(((int(key) >> 22) + EPOCH) / 1000)


def user_json(user: User) -> Json:
    """A user."""
    return {
        "id": user.id,
        "username": user.name,
        "discriminator": "0000" if user.app_id else "0",
        "global_name": user.display_name or None,
        "avatar": None,
        "bot": bool(user.app_id),
        "system": False,
        "public_flags": 0,
    }


def member_json(world: World, member: Member, *, user: bool = True) -> Json:
    """A member, with or without the user in it."""
    timed_out = member.timed_out_until > world.clock.wall()
    body: Json = {
        "roles": list(member.roles),
        "nick": member.nick or None,
        "avatar": None,
        "joined_at": iso(member.joined_at),
        "premium_since": None,
        "deaf": False,
        "mute": False,
        "flags": 0,
        "pending": False,
        "communication_disabled_until": iso(member.timed_out_until) if timed_out else None,
    }
    return body | ({"user": user_json(world.users[member.user])} if user else {})


def role_json(role: Role) -> Json:
    """A role."""
    body: Json = {
        "id": role.id,
        "name": role.name,
        "color": 0,
        "colors": {"primary_color": 0, "secondary_color": None, "tertiary_color": None},
        "hoist": False,
        "icon": None,
        "unicode_emoji": None,
        "position": role.position,
        "permissions": str(int(role.permissions)),
        "managed": bool(role.app_id),
        "mentionable": role.mentionable,
        "flags": 0,
    }
    return body | ({"tags": {"bot_id": role.app_id}} if role.app_id else {})


def channel_json(world: World, channel: Channel, *, seen_by: str = "") -> Json:
    """A channel of any kind; a thread says whether `seen_by` is in it."""
    last = next(reversed(channel.messages), None)
    body: Json = {"id": channel.id, "type": TYPES[channel.kind], "last_message_id": last, "flags": 0}
    if channel.kind == "dm":
        others = [user_json(world.users[u]) for u in channel.recipients if u != seen_by]
        return body | {"recipients": others}
    body |= {"guild_id": channel.guild, "name": channel.name, "parent_id": channel.parent or None}
    body |= {"rate_limit_per_user": channel.slow_mode}
    if channel.is_thread:
        return body | _thread(channel, seen_by)
    body |= {"position": channel.position, "topic": channel.topic or None, "nsfw": channel.nsfw}
    body["permission_overwrites"] = [
        {"id": k, "type": int(o.kind == "member"), "allow": str(int(o.allow)), "deny": str(int(o.deny))}
        for k, o in channel.overrides.items()
    ]
    if channel.kind == "forum":
        body |= {"available_tags": channel.tags, "default_reaction_emoji": None, "default_sort_order": None}
        body |= {"default_forum_layout": 0, "default_thread_rate_limit_per_user": 0}
    if channel.kind == "voice":
        body |= {"bitrate": 64000, "user_limit": 0, "rtc_region": None}
    return body


def _thread(channel: Channel, seen_by: str) -> Json:
    metadata: Json = {
        "archived": channel.archived,
        "archive_timestamp": iso(channel.changed_at),
        "auto_archive_duration": channel.archive_after,
        "locked": channel.locked,
        "create_timestamp": made_at(channel.id),
    }
    if channel.kind == "private_thread":
        metadata["invitable"] = channel.invitable
    body: Json = {
        "owner_id": channel.owner,
        "message_count": max(0, channel.sent - 1 if channel.id in channel.messages else channel.sent),
        "member_count": min(50, len(channel.thread_members)),
        "total_message_sent": channel.sent,
        "thread_metadata": metadata,
        "applied_tags": list(channel.applied_tags),
    }
    if seen_by in channel.thread_members:
        body["member"] = thread_member_json(channel, seen_by)
    return body


def thread_member_json(channel: Channel, user: str) -> Json:
    """A member of a thread."""
    return {"id": channel.id, "user_id": user, "join_timestamp": iso(channel.thread_members[user]), "flags": 0}


def guild_json(world: World, guild: Guild) -> Json:
    """A guild, without what changes all the time."""
    return {
        "id": guild.id,
        "name": guild.name,
        "icon": None,
        "splash": None,
        "banner": None,
        "description": None,
        "owner_id": guild.owner or guild.id,
        "features": [],
        "emojis": [],
        "stickers": [],
        "roles": [role_json(r) for r in guild.roles.values()],
        "verification_level": 0,
        "default_message_notifications": 0,
        "explicit_content_filter": 0,
        "mfa_level": 0,
        "nsfw_level": 0,
        "preferred_locale": guild.locale,
        "premium_tier": 0,
        "premium_subscription_count": 0,
        "system_channel_id": None,
        "system_channel_flags": 0,
        "afk_channel_id": None,
        "afk_timeout": 300,
        "rules_channel_id": None,
        "public_updates_channel_id": None,
        "vanity_url_code": None,
        "max_members": 500_000,
    }


def guild_create_json(world: World, guild: Guild, bot: str, *, members: bool) -> Json:
    """A guild as a bot hears of it: all channels, the threads it sees, itself or (with the intent) everybody."""
    channels = world.in_guild(guild.id)
    shown = guild.members.values() if members else [guild.members[bot]]
    threads = [c for c in channels if c.is_thread and not c.archived and can_see(world, c, bot)]
    return guild_json(world, guild) | {
        "joined_at": iso(guild.members[bot].joined_at),
        "large": len(guild.members) >= 250,
        "unavailable": False,
        "member_count": len(guild.members),
        "members": [member_json(world, m) for m in shown],
        "channels": [channel_json(world, c, seen_by=bot) for c in channels if not c.is_thread],
        "threads": [channel_json(world, c, seen_by=bot) for c in threads],
        "voice_states": [],
        "presences": [],
        "stage_instances": [],
        "guild_scheduled_events": [],
        "soundboard_sounds": [],
    }


def app_json(app: App, owner: User | None) -> Json:
    """An application as its own bot sees it."""
    flags = sum(INTENT_FLAGS[name] for name in app.intents)
    return {
        "id": app.id,
        "name": app.name,
        "icon": None,
        "description": "",
        "summary": "",
        "bot_public": True,
        "bot_require_code_grant": False,
        "verify_key": app.public_key,
        "flags": flags,
        "owner": user_json(owner or app.bot),
        "team": None,
        "tags": [],
        "redirect_uris": [],
        "interactions_endpoint_url": None,
        "approximate_user_install_count": len(app.users),
        "integration_types_config": {"0": {}, "1": {}},
        **app.facts,
    }


def attachments_json(message: Message, url: str) -> list[Json]:
    """The files on a message."""
    return [
        {
            "id": a.id,
            "filename": a.name,
            "size": len(a.content),
            "url": f"{url}/attachments/{message.channel}/{a.id}/{a.name}",
            "proxy_url": f"{url}/attachments/{message.channel}/{a.id}/{a.name}",
            "content_type": a.kind,
            **({"description": a.description} if a.description else {}),
        }
        for a in message.attachments
    ]


def message_json(world: World, message: Message, url: str, *, nested: bool = False) -> Json:
    """A message."""
    channel = world.channels[message.channel]
    thread = world.channels.get(message.id)
    flags = message.flags | (HAS_THREAD if thread and thread.parent == channel.id else 0)
    roles = [c for c in message.called if channel.guild and c in world.guilds[channel.guild].roles]
    body: Json = {
        "id": message.id,
        "channel_id": message.channel,
        "author": user_json(world.users[message.author]),
        "content": message.content,
        "timestamp": made_at(message.id),
        "edited_timestamp": message.edited or None,
        "tts": False,
        "mention_everyone": "everyone" in message.called,
        "mentions": [user_json(world.users[u]) for u in message.called if u in world.users],
        "mention_roles": roles,
        "attachments": attachments_json(message, url),
        "embeds": [] if flags & SUPPRESS_EMBEDS else message.embeds,
        "components": message.components,
        "pinned": message.pinned,
        "type": message.type,
        "flags": flags,
    }
    if message.reactions:
        body["reactions"] = [_reaction(name, users) for name, users in message.reactions.items()]
    if message.nonce:
        body["nonce"] = message.nonce
    if message.app_id:
        body["application_id"] = message.app_id
    if message.by_token:
        body["webhook_id"] = message.app_id
    if message.interaction:
        body["interaction_metadata"] = message.interaction
    if message.reference and not nested:
        body["message_reference"] = message.reference
        there = world.channels.get(message.reference["channel_id"])
        other = there.messages.get(message.reference.get("message_id", "")) if there else None
        body["referenced_message"] = message_json(world, other, url, nested=True) if other else None
    if thread and flags & HAS_THREAD:
        body["thread"] = channel_json(world, thread)
    return body


def _reaction(name: str, users: list[str]) -> Json:
    counts = {"burst": 0, "normal": len(users)}
    return {"emoji": {"id": None, "name": name}, "count": len(users), "count_details": counts, "me": False}


def event_json(world: World, message: Message, url: str) -> Json:
    """A message as the gateway tells of it: with the guild, and the author as a member."""
    channel, body = world.channels[message.channel], message_json(world, message, url)
    if not channel.guild:
        return body | {"channel_type": TYPES[channel.kind]}
    guild = world.guilds[channel.guild]
    body |= {"guild_id": guild.id, "channel_type": TYPES[channel.kind]}
    member = guild.members.get(message.author)
    if member and not message.by_token:
        body["member"] = member_json(world, member, user=False)
    body["mentions"] = [
        m | ({"member": member_json(world, guild.members[m["id"]], user=False)} if m["id"] in guild.members else {})
        for m in body["mentions"]
    ]
    return body


def without_content(body: Json, bot: str) -> Json:
    """What an app without MESSAGE_CONTENT is told of a message: nothing but its own, mentions of it, and DMs."""
    mentioned = any(u["id"] == bot for u in body["mentions"])
    if body["author"]["id"] == bot or mentioned or "guild_id" not in body:
        return body
    return {k: v for k, v in body.items() if k != "poll"} | {
        "content": "",
        "embeds": [],
        "attachments": [],
        "components": [],
    }


def resolved_channel_json(world: World, channel: Channel, user: str, bot: str) -> Json:
    """A channel in the `resolved` part of an interaction, with what the person and the app may there."""
    body = channel_json(world, channel, seen_by=bot)
    body.pop("permission_overwrites", None)
    there = in_channel(world, channel, bot) if bot else NOTHING
    return body | {"permissions": str(int(in_channel(world, channel, user))), "app_permissions": str(int(there))}
