"""Who hears of what: the intents that events need, and the apps that can see where they happen."""

from __future__ import annotations

from citebot.testing.discord.core import Core
from citebot.testing.discord.permissions import can_see
from citebot.testing.discord.shapes import channel_json, event_json, thread_member_json, without_content
from citebot.testing.discord.state import App, Channel, Guild, Json, Message

GUILDS, MEMBERS, PRESENCES, MESSAGE_CONTENT = 1 << 0, 1 << 1, 1 << 8, 1 << 15
PRIVILEGED = {"members": MEMBERS, "presences": PRESENCES, "message_content": MESSAGE_CONTENT}
ALL_INTENTS = (1 << 26) - 1
MESSAGES, REACTIONS, TYPING = (1 << 9, 1 << 12), (1 << 10, 1 << 13), (1 << 11, 1 << 14)
INTENTS: dict[str, tuple[int, int]] = {
    "MESSAGE": MESSAGES,
    "MESSAGE_REACTION": REACTIONS,
    "TYPING": TYPING,
    "GUILD": (GUILDS, 0),
    "GUILD_ROLE": (GUILDS, 0),
    "CHANNEL": (GUILDS, 0),
    "CHANNEL_PINS": (GUILDS, 1 << 12),
    "THREAD": (GUILDS, 0),
    "THREAD_MEMBERS": (GUILDS, 0),
    "THREAD_LIST": (GUILDS, 0),
    "GUILD_MEMBER": (MEMBERS, 0),
}
"""By what an event's name begins with: the intent it needs in guilds and in direct messages."""


def needed_intent(name: str, guild: str) -> int:
    """The intent a session must have asked for; 0 for what everybody is told."""
    stem = name.rpartition("_")[0]
    return INTENTS.get(stem, (0, 0))[0 if guild else 1]


def announce(core: Core, name: str, body: Json, *, guild: Guild | None = None, channel: Channel | None = None) -> None:
    """Tell all apps in a guild; with a channel, those that can see it."""
    for app in core.world.apps.values():
        if channel and not can_see(core.world, channel, app.bot.id):
            continue
        if guild and app.bot.id not in guild.members:
            continue
        core.publish(app, name, body, guild.id if guild else "")


def announce_message(core: Core, name: str, message: Message) -> None:
    """Tell of a message that was written or edited; an ephemeral one is between its app and one person."""
    channel = core.world.channels[message.channel]
    body = event_json(core.world, message, core.url)
    if message.only_for:
        for key in ("guild_id", "member"):
            body.pop(key, None)
        core.publish(core.world.apps[message.app_id], name, body, "")
        return
    guild = core.world.guilds.get(channel.guild)
    for _ in range(core.settings.copies if name == "MESSAGE_CREATE" else 1):
        announce(core, name, body, guild=guild, channel=channel)


def announce_in(core: Core, name: str, channel: Channel, body: Json) -> None:
    """Tell of something in a channel."""
    guild = core.world.guilds.get(channel.guild)
    announce(core, name, body | ({"guild_id": guild.id} if guild else {}), guild=guild, channel=channel)


def announce_channel(core: Core, name: str, channel: Channel, **more: object) -> None:
    """Tell of a channel or thread itself; of channels all apps of the guild hear, of threads those that see them."""
    guild = core.world.guilds[channel.guild]
    for app in core.world.apps.values():
        seen = not channel.is_thread or can_see(core.world, channel, app.bot.id)
        if app.bot.id in guild.members and seen:
            core.publish(app, name, channel_json(core.world, channel, seen_by=app.bot.id) | more, guild.id)


def sync_threads(core: Core, app: App, channel: Channel) -> None:
    """Tell an app of the open threads of a channel that it could not see until now."""
    if not can_see(core.world, channel, app.bot.id):
        return
    seen = [t for t in core.world.threads(channel) if not t.archived and can_see(core.world, t, app.bot.id)]
    body: Json = {"guild_id": channel.guild, "channel_ids": [channel.id]}
    body["threads"] = [channel_json(core.world, t, seen_by=app.bot.id) for t in seen]
    body["members"] = [thread_member_json(t, app.bot.id) for t in seen if app.bot.id in t.thread_members]
    core.publish(app, "THREAD_LIST_SYNC", body, channel.guild)


def announce_thread_members(core: Core, thread: Channel, *, added: list[str], removed: list[str]) -> None:
    """Tell of who joined or left a thread; without the members intent an app hears of itself alone."""
    guild = core.world.guilds[thread.guild]
    body: Json = {"id": thread.id, "guild_id": guild.id, "member_count": min(50, len(thread.thread_members))}
    if added:
        body["added_members"] = [thread_member_json(thread, u) for u in added]
    if removed:
        body["removed_member_ids"] = removed
    for app in core.world.apps.values():
        own = app.bot.id in (*added, *removed)
        if app.bot.id in guild.members and (own or can_see(core.world, thread, app.bot.id)):
            core.publish(app, "THREAD_MEMBERS_UPDATE", body, guild.id)


def for_intents(name: str, body: Json, intents: int, app: App) -> Json | None:
    """An event as a session with these intents is told of it; None when it is not."""
    needed = needed_intent(name, str(body.get("guild_id", "")) or ("-" if name.startswith("GUILD_") else ""))
    own = name == "GUILD_MEMBER_UPDATE" and body["user"]["id"] == app.bot.id
    if needed and not needed & intents and not own:
        return None
    if name in ("MESSAGE_CREATE", "MESSAGE_UPDATE") and not intents & MESSAGE_CONTENT and "author" in body:
        return without_content(body, app.bot.id)
    if name == "THREAD_MEMBERS_UPDATE" and not intents & MEMBERS:
        return _own_part(body, app.bot.id)
    return body


def _own_part(body: Json, bot: str) -> Json | None:
    added = [m for m in body.get("added_members", ()) if m["user_id"] == bot]
    removed = [u for u in body.get("removed_member_ids", ()) if u == bot]
    if not added and not removed:
        return None
    kept = {k: v for k, v in body.items() if k not in ("added_members", "removed_member_ids")}
    return kept | ({"added_members": added} if added else {}) | ({"removed_member_ids": removed} if removed else {})
