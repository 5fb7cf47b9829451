"""Threads."""

from __future__ import annotations

from citebot.testing.discord import acts
from citebot.testing.discord.api.calling import Call, operation
from citebot.testing.discord.buckets import Rate
from citebot.testing.discord.permissions import Permission, can_see, may_send
from citebot.testing.discord.refusing import Problems, Refused
from citebot.testing.discord.shapes import channel_json, member_json, message_json, thread_member_json
from citebot.testing.discord.state import Channel, Json, Kind
from citebot.testing.discord.writing import write

ARCHIVE_AFTER = (60, 1440, 4320, 10080)


def _check(body: Json, name: object) -> int:
    """Look through the fields of a new thread; the minutes until it is archived."""
    found = Problems()
    found.length(("name",), name, 100, 1)
    minutes = body.get("auto_archive_duration") or 4320
    found.choice(("auto_archive_duration",), minutes, ARCHIVE_AFTER)
    found.refuse()
    return int(minutes)


@operation("POST", "/channels/{channel_id}/messages/{message_id}/threads", rate=Rate(50, 300), bucket="threads")
def start_thread_from_message(call: Call) -> Json:
    """A thread on a message; it gets the message's id."""
    channel = call.channel(Permission.CREATE_PUBLIC_THREADS, Permission.READ_MESSAGE_HISTORY)
    if channel.kind not in ("text", "news"):
        raise Refused(50024)
    message = call.message(channel)
    if message.id in call.core.world.channels:
        raise Refused(160004)
    minutes = _check(call.json, call.json.get("name"))
    kind: Kind = "news_thread" if channel.kind == "news" else "public_thread"
    thread = Channel(message.id, str(call.json["name"]), kind, channel.guild, channel.id, owner=call.bot)
    thread.archive_after = minutes
    acts.make_thread(call.core, thread, source=message)
    return channel_json(call.core.world, thread, seen_by=call.bot)


@operation("POST", "/channels/{channel_id}/threads", rate=Rate(50, 300), bucket="threads")
def start_thread(call: Call) -> Json:
    """A thread in a channel, or a post in a forum."""
    channel = call.channel()
    if channel.kind == "forum":
        return _post(call, channel)
    if channel.kind not in ("text", "news"):
        raise Refused(50024)
    minutes = _check(call.json, call.json.get("name"))
    private = int(call.json.get("type") or 12) == 12
    call.channel(Permission.CREATE_PRIVATE_THREADS if private else Permission.CREATE_PUBLIC_THREADS)
    kind: Kind = "private_thread" if private else "news_thread" if channel.kind == "news" else "public_thread"
    thread = Channel(call.core.world.new_id(), str(call.json["name"]), kind, channel.guild, channel.id, owner=call.bot)
    thread.archive_after, thread.invitable = minutes, bool(call.json.get("invitable", True))
    acts.make_thread(call.core, thread)
    return channel_json(call.core.world, thread, seen_by=call.bot)


def _post(call: Call, forum: Channel) -> Json:
    call.channel(Permission.SEND_MESSAGES)
    minutes = _check(call.json, call.json.get("name"))
    tags = [str(t) for t in call.json.get("applied_tags") or ()]
    core = call.core
    thread = Channel(
        core.world.new_id(), str(call.json["name"]), "public_thread", forum.guild, forum.id, owner=call.bot
    )
    thread.archive_after, thread.applied_tags = minutes, tags
    message = write(core, call.app, forum, call.json.get("message") or {}, call.files)
    message.id, message.channel = thread.id, thread.id
    acts.make_thread(core, thread)
    acts.post(core, thread, message)
    body = channel_json(core.world, thread, seen_by=call.bot)
    return body | {"message": message_json(core.world, message, core.url)}


MEMBERS = "/channels/{channel_id}/thread-members"


@operation("PUT", MEMBERS + "/@me")
def join_thread(call: Call) -> None:
    """Join a thread."""
    thread = _open(call)
    acts.join_thread(call.core, thread, [call.bot])


@operation("DELETE", MEMBERS + "/@me")
def leave_thread(call: Call) -> None:
    """Leave a thread."""
    acts.leave_thread(call.core, _open(call), call.bot)


@operation("PUT", MEMBERS + "/{user_id}")
def add_thread_member(call: Call) -> None:
    """Bring somebody into a thread; they must be able to see its channel."""
    thread = _open(call)
    if not may_send(call.core.world, thread, call.bot):
        raise Refused(50013)
    parent = call.core.world.channels[thread.parent]
    if not can_see(call.core.world, parent, call.path["user_id"]):
        raise Refused(50001)
    acts.join_thread(call.core, thread, [call.path["user_id"]])


@operation("DELETE", MEMBERS + "/{user_id}")
def remove_thread_member(call: Call) -> None:
    """Put somebody out of a thread."""
    thread = _open(call)
    if thread.owner != call.bot or thread.kind != "private_thread":
        call.channel(Permission.MANAGE_THREADS)
    acts.leave_thread(call.core, thread, call.path["user_id"])


@operation("GET", MEMBERS)
def list_thread_members(call: Call) -> list[Json]:
    """Who is in a thread; needs the members intent."""
    thread = _thread(call)
    if "members" not in call.app.intents:
        raise Refused(50001)
    found = [thread_member_json(thread, u) for u in thread.thread_members]
    if call.query.get("with_member", "").lower() in ("1", "true"):
        guild = call.core.world.guilds[thread.guild]
        for body in found:
            body["member"] = member_json(call.core.world, guild.members[body["user_id"]])
    return found


@operation("GET", MEMBERS + "/{user_id}")
def get_thread_member(call: Call) -> Json:
    """Whether somebody is in a thread."""
    thread = _thread(call)
    if call.path["user_id"] not in thread.thread_members:
        raise Refused(10007)
    return thread_member_json(thread, call.path["user_id"])


@operation("GET", "/guilds/{guild_id}/threads/active")
def list_active_threads(call: Call) -> Json:
    """The open threads of a guild that the bot sees."""
    threads = [c for c in call.core.world.in_guild(call.guild().id) if c.is_thread and not c.archived]
    return _listed(call, threads)


@operation("GET", "/channels/{channel_id}/threads/archived/public")
def list_public_archived_threads(call: Call) -> Json:
    """The archived public threads of a channel."""
    channel = call.channel(Permission.READ_MESSAGE_HISTORY)
    threads = [t for t in call.core.world.threads(channel) if t.archived and t.kind != "private_thread"]
    return _listed(call, threads) | {"has_more": False}


@operation("GET", "/channels/{channel_id}/threads/archived/private")
def list_private_archived_threads(call: Call) -> Json:
    """The archived private threads of a channel."""
    channel = call.channel(Permission.READ_MESSAGE_HISTORY, Permission.MANAGE_THREADS)
    threads = [t for t in call.core.world.threads(channel) if t.archived and t.kind == "private_thread"]
    return _listed(call, threads) | {"has_more": False}


def _listed(call: Call, threads: list[Channel]) -> Json:
    seen = [t for t in reversed(threads) if can_see(call.core.world, t, call.bot)]
    mine = [thread_member_json(t, call.bot) for t in seen if call.bot in t.thread_members]
    return {"threads": [channel_json(call.core.world, t, seen_by=call.bot) for t in seen], "members": mine}


def _thread(call: Call) -> Channel:
    channel = call.channel()
    if not channel.is_thread:
        raise Refused(50024)
    return channel


def _open(call: Call) -> Channel:
    thread = _thread(call)
    if thread.archived:
        raise Refused(50083)
    return thread
