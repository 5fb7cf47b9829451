"""What anybody does in a channel, person or app: change the world and announce it."""

from __future__ import annotations

from citebot.testing.discord.core import Core
from citebot.testing.discord.events import (
    announce,
    announce_channel,
    announce_in,
    announce_message,
    announce_thread_members,
)
from citebot.testing.discord.permissions import can_see
from citebot.testing.discord.shapes import channel_json, iso, member_json, user_json
from citebot.testing.discord.state import Channel, Json, Member, Message

REPLY, THREAD_MADE, THREAD_START, COMMAND_REPLY, MENU_REPLY = 19, 18, 21, 20, 23


def post(core: Core, channel: Channel, message: Message) -> Message:
    """Put a message into a channel; a thread that was archived is open again, and who is mentioned is in it."""
    if channel.is_thread and not message.only_for:
        if channel.archived:
            change_thread(core, channel, archived=False)
        channel.sent += 1
        guild = core.world.guilds[channel.guild]
        joining = [u for u in (message.author, *message.called) if u in guild.members]
        join_thread(core, channel, joining)
    channel.messages[message.id] = message
    core.world.typing.pop((channel.id, message.author), None)
    announce_message(core, "MESSAGE_CREATE", message)
    core.touch()
    return message


def changed(core: Core, message: Message, *, by_hand: bool = True) -> None:
    """Announce that a message is not what it was; `by_hand` marks it as edited."""
    if by_hand:
        message.edited = iso(core.clock.wall())
    announce_message(core, "MESSAGE_UPDATE", message)
    core.touch()


def delete(core: Core, message: Message) -> None:
    """Take a message away; a thread that hangs on it stays."""
    channel = core.world.channels[message.channel]
    del channel.messages[message.id]
    body: Json = {"id": message.id, "channel_id": channel.id}
    if message.only_for:
        core.publish(core.world.apps[message.app_id], "MESSAGE_DELETE", body, "")
    else:
        announce_in(core, "MESSAGE_DELETE", channel, body)
    core.touch()


def react(core: Core, message: Message, *, user: str, emoji: str, add: bool) -> None:
    """Put a reaction on a message or take it away."""
    users = message.reactions.setdefault(emoji, [])
    if add == (user in users):
        return
    (users.append if add else users.remove)(user)
    if not users:
        del message.reactions[emoji]
    channel = core.world.channels[message.channel]
    body: Json = {"user_id": user, "channel_id": channel.id, "message_id": message.id, "burst": False, "type": 0}
    body |= {"emoji": {"id": None, "name": emoji}, "message_author_id": message.author}
    announce_in(core, f"MESSAGE_REACTION_{'ADD' if add else 'REMOVE'}", channel, body)
    core.touch()


def type_in(core: Core, channel: Channel, user: str, seconds: float) -> None:
    """Show that somebody types."""
    core.world.typing[channel.id, user] = core.clock.now() + core.clock.patience(seconds) * core.clock.speed
    body: Json = {"channel_id": channel.id, "user_id": user, "timestamp": int(core.clock.wall())}
    announce_in(core, "TYPING_START", channel, body)
    core.touch()


def make_thread(core: Core, thread: Channel, *, source: Message | None = None) -> Channel:
    """Begin a thread; in a text channel that is told by a message, unless it hangs on one."""
    world = core.world
    thread.changed_at = core.clock.wall()
    thread.thread_members[thread.owner] = core.clock.wall()
    world.channels[thread.id] = thread
    announce_channel(core, "THREAD_CREATE", thread, newly_created=True)
    parent = world.channels[thread.parent]
    if source:
        reference = {"channel_id": parent.id, "guild_id": parent.guild, "message_id": source.id}
        first = Message(world.new_id(), thread.id, source.author, type=THREAD_START, reference=reference)
        thread.messages[first.id] = first
        announce_message(core, "MESSAGE_CREATE", first)
        changed(core, source, by_hand=False)
    elif parent.kind != "forum" and thread.kind != "private_thread":
        told = Message(world.new_id(), parent.id, thread.owner, thread.name, type=THREAD_MADE)
        told.reference = {"channel_id": thread.id, "guild_id": parent.guild}
        parent.messages[told.id] = told
        announce_message(core, "MESSAGE_CREATE", told)
    core.touch()
    return thread


def change_thread(
    core: Core,
    thread: Channel,
    *,
    archived: bool | None = None,
    locked: bool | None = None,
    name: str = "",
    tags: list[str] | None = None,
    archive_after: int = 0,
) -> None:
    """Archive, lock, rename or tag a thread."""
    if archived is not None and archived != thread.archived:
        thread.archived, thread.changed_at = archived, core.clock.wall()
    thread.locked = thread.locked if locked is None else locked
    thread.name = name or thread.name
    thread.applied_tags = thread.applied_tags if tags is None else tags
    thread.archive_after = archive_after or thread.archive_after
    announce_channel(core, "THREAD_UPDATE", thread)
    core.touch()


def join_thread(core: Core, thread: Channel, users: list[str]) -> None:
    """Become members of a thread; an app that did not see it hears that it is there."""
    new = [u for u in dict.fromkeys(users) if u not in thread.thread_members and u in core.world.users]
    blind = [
        app for app in core.world.apps.values() if app.bot.id in new and not can_see(core.world, thread, app.bot.id)
    ]
    for user in new:
        thread.thread_members[user] = core.clock.wall()
    for app in blind:
        if can_see(core.world, thread, app.bot.id):
            body = channel_json(core.world, thread, seen_by=app.bot.id)
            core.publish(app, "THREAD_CREATE", body, thread.guild)
    if new:
        announce_thread_members(core, thread, added=new, removed=[])
        core.touch()


def leave_thread(core: Core, thread: Channel, user: str) -> None:
    """Stop being a member of a thread."""
    if thread.thread_members.pop(user, None) is not None:
        announce_thread_members(core, thread, added=[], removed=[user])
        core.touch()


def delete_channel(core: Core, channel: Channel) -> None:
    """Take a channel or thread away; threads go with their channel, channels stay without their category."""
    world = core.world
    if channel.is_thread:
        guild = world.guilds[channel.guild]
        body: Json = {"id": channel.id, "guild_id": channel.guild, "parent_id": channel.parent}
        announce(core, "THREAD_DELETE", body | {"type": 11}, guild=guild, channel=channel)
        del world.channels[channel.id]
    else:
        for thread in world.threads(channel):
            del world.channels[thread.id]
        for other in world.in_guild(channel.guild):
            if other.parent == channel.id:
                other.parent = ""
                announce_channel(core, "CHANNEL_UPDATE", other)
        announce_channel(core, "CHANNEL_DELETE", channel)
        del world.channels[channel.id]
    core.touch()


def add_member(core: Core, guild: str, member: Member) -> None:
    """Let somebody into a guild."""
    found = core.world.guilds[guild]
    found.members[member.user] = member
    announce(core, "GUILD_MEMBER_ADD", member_json(core.world, member) | {"guild_id": guild}, guild=found)
    core.touch()


def update_member(core: Core, guild: str, user: str) -> None:
    """Announce a member's new roles, name or time-out."""
    found = core.world.guilds[guild]
    body = member_json(core.world, found.members[user]) | {"guild_id": guild}
    announce(core, "GUILD_MEMBER_UPDATE", body, guild=found)
    core.touch()


def remove_member(core: Core, guild: str, user: str) -> None:
    """Take somebody out of a guild and its threads."""
    found = core.world.guilds[guild]
    found.members.pop(user, None)
    for channel in core.world.in_guild(guild):
        channel.thread_members.pop(user, None)
    announce(core, "GUILD_MEMBER_REMOVE", {"guild_id": guild, "user": user_json(core.world.users[user])}, guild=found)
    core.touch()
