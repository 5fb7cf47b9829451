"""Channels."""

from __future__ import annotations

from citebot.testing.discord import acts
from citebot.testing.discord.api.calling import Call, operation
from citebot.testing.discord.buckets import Rate
from citebot.testing.discord.clock import TYPING
from citebot.testing.discord.events import announce_channel
from citebot.testing.discord.permissions import Permission, in_channel, may_send
from citebot.testing.discord.refusing import Problems, Refused
from citebot.testing.discord.shapes import channel_json
from citebot.testing.discord.state import Channel, Json


@operation("GET", "/channels/{channel_id}")
def get_channel(call: Call) -> Json:
    """One channel or thread."""
    return channel_json(call.core.world, call.channel(), seen_by=call.bot)


@operation("PATCH", "/channels/{channel_id}", rate=Rate(5, 15))
def edit_channel(call: Call) -> Json:
    """Change a thread (archive, lock, rename, tags) or a channel (name, topic, nsfw)."""
    channel, body = call.channel(), call.json
    if channel.is_thread:
        _edit_thread(call, channel, body)
    else:
        call.channel(Permission.MANAGE_CHANNELS)
        channel.name = str(body.get("name") or channel.name)
        channel.topic = str(body.get("topic") or channel.topic)
        channel.nsfw = bool(body.get("nsfw", channel.nsfw))
        announce_channel(call.core, "CHANNEL_UPDATE", channel)
    return channel_json(call.core.world, channel, seen_by=call.bot)


def _edit_thread(call: Call, thread: Channel, body: Json) -> None:
    """Its maker may rename, tag and archive it; locking needs MANAGE_THREADS, and so does what is locked."""
    moderator = bool(in_channel(call.core.world, thread, call.bot) & Permission.MANAGE_THREADS)
    found = Problems()
    found.length(("name",), body.get("name"), 100)
    found.length(("applied_tags",), body.get("applied_tags"), 5)
    found.refuse()
    if not moderator:
        if "locked" in body or thread.locked:
            raise Refused(50013)
        opens = body.get("archived") is False and len([k for k in body if k != "archived"]) == 0
        if thread.owner != call.bot and not (opens and may_send(call.core.world, thread, call.bot)):
            raise Refused(50013)
        moderated = {t["id"] for t in call.core.world.channels[thread.parent].tags if t["moderated"]}
        if moderated & set(body.get("applied_tags") or ()):
            raise Refused(50013)
    if thread.archived and body.get("archived") is not False:
        raise Refused(50083)
    tags = body.get("applied_tags")
    acts.change_thread(
        call.core,
        thread,
        archived=body.get("archived"),
        locked=body.get("locked"),
        name=str(body.get("name") or ""),
        tags=None if tags is None else [str(t) for t in tags],
        archive_after=int(body.get("auto_archive_duration") or 0),
    )


@operation("DELETE", "/channels/{channel_id}")
def delete_channel(call: Call) -> Json:
    """Delete a channel or thread."""
    channel = call.channel()
    call.channel(Permission.MANAGE_THREADS if channel.is_thread else Permission.MANAGE_CHANNELS)
    body = channel_json(call.core.world, channel)
    acts.delete_channel(call.core, channel)
    return body


@operation("POST", "/channels/{channel_id}/typing", rate=Rate(5, 5))
def trigger_typing(call: Call) -> None:
    """Show that the bot types."""
    channel = call.channel()
    if not may_send(call.core.world, channel, call.bot):
        raise Refused(50013)
    acts.type_in(call.core, channel, call.bot, TYPING)
