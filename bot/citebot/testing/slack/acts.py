"""What anybody does in a conversation, person or app: change the world and announce it."""

from __future__ import annotations

from collections.abc import Sequence

from citebot.testing.slack.composing import called
from citebot.testing.slack.core import Core
from citebot.testing.slack.events import announce, announce_mentions, announce_message, foreign
from citebot.testing.slack.reading import formatted
from citebot.testing.slack.shapes import message_json
from citebot.testing.slack.state import Channel, Json, Message, User

TOMBSTONE = "This message was deleted."
SLACKBOT = "USLACKBOT"


def post(core: Core, channel: Channel, message: Message) -> Message:
    """Put a message into a conversation; a reply marks its root as a thread."""
    channel.messages[message.ts] = message
    if message.thread_ts and (root := channel.messages.get(message.thread_ts)):
        root.thread_ts = root.ts
    for file in message.files:
        file.channels.add(channel.id)
    if not message.only_for:
        _settle_status(core, channel, message)
        _announce_post(core, channel, message)
    core.touch()
    return message


def _settle_status(core: Core, channel: Channel, message: Message) -> None:
    key = (channel.id, message.thread_ts or message.ts)
    thinking = core.world.thinking.get(key)
    if thinking and thinking.app_id == message.app_id:
        del core.world.thinking[key]


def _announce_post(core: Core, channel: Channel, message: Message) -> None:
    author = core.world.users[message.user]
    body = message_json(core.world, channel, message, core.url) | foreign(channel, author)
    for key in ("reply_count", "reply_users", "reply_users_count", "latest_reply", "is_locked", "subscribed"):
        body.pop(key, None)
    announce_message(core, channel, body)
    if message.subtype in ("", "file_share"):
        text = "\n".join([message.text, *(formatted(message.blocks) if message.app_id else ())])
        announce_mentions(core, channel, message, called(text), body)
    for file in message.files:
        shared = {"type": "file_shared", "file_id": file.id, "file": {"id": file.id}}
        announce(core, shared | {"user_id": author.id, "channel_id": channel.id}, channel=channel)


def changed(core: Core, channel: Channel, message: Message, before: Json) -> None:
    """Announce that a message is not what it was."""
    body = {"subtype": "message_changed", "hidden": True, "ts": core.world.new_ts()}
    now = message_json(core.world, channel, message, core.url)
    if not message.only_for:
        announce_message(core, channel, {**body, "message": now, "previous_message": before})
    core.touch()


def edit(
    core: Core,
    channel: Channel,
    message: Message,
    *,
    text: str,
    blocks: Sequence[Json],
    by: str,
    options: Json | None = None,
) -> None:
    """Give a message a new text and new blocks."""
    before = message_json(core.world, channel, message, core.url)
    message.text = text
    message.blocks = list(blocks)
    message.options = message.options | (options or {})
    message.stream = None
    message.edited = {"user": by, "ts": core.world.new_ts()}
    changed(core, channel, message, before)


def delete(core: Core, channel: Channel, message: Message) -> None:
    """Take a message away; the root of a thread leaves a tombstone."""
    before = message_json(core.world, channel, message, core.url)
    if core.world.replies(channel, message.ts):
        message.text, message.subtype, message.user = TOMBSTONE, "tombstone", SLACKBOT
        message.blocks, message.attachments, message.files, message.stream = [], [], [], None
        changed(core, channel, message, before)
        return
    del channel.messages[message.ts]
    body = {"subtype": "message_deleted", "hidden": True, "ts": core.world.new_ts(), "deleted_ts": message.ts}
    if not message.only_for:
        announce_message(core, channel, {**body, "previous_message": before})
    core.touch()


def react(core: Core, channel: Channel, message: Message, *, user: User, name: str, add: bool) -> None:
    """Put a reaction on a message or take it away."""
    users = message.reactions.setdefault(name, [])
    (users.append if add else users.remove)(user.id)
    if not users:
        del message.reactions[name]
    event = {
        "type": "reaction_added" if add else "reaction_removed",
        "user": user.id,
        "reaction": name,
        "item": {"type": "message", "channel": channel.id, "ts": message.ts},
        "item_user": message.user,
    }
    announce(core, event, channel=channel)
    core.touch()


def join(core: Core, channel: Channel, user: User, *, inviter: User | None = None) -> None:
    """Become a member."""
    if user.id in channel.members:
        return
    channel.members.append(user.id)
    text = f"<@{user.id}> has joined the channel"
    post(core, channel, Message(core.world.new_ts(), channel.id, user.id, text, subtype="channel_join"))
    event = {"type": "member_joined_channel", **_membership(channel, user)}
    announce(core, event | ({"inviter": inviter.id} if inviter else {}), channel=channel)


def leave(core: Core, channel: Channel, user: User, *, actor: User | None = None) -> None:
    """Stop being a member; an app whose bot was put out is told so apart."""
    channel.members.remove(user.id)
    text = f"<@{user.id}> has left the channel"
    post(core, channel, Message(core.world.new_ts(), channel.id, user.id, text, subtype="channel_leave"))
    announce(core, {"type": "member_left_channel", **_membership(channel, user)}, channel=channel)
    if user.app_id:
        name = "group_left" if channel.kind == "private" else "channel_left"
        event = {"type": name, "channel": channel.id, "actor_id": (actor or user).id}
        announce(core, event, channel=channel, only=core.world.apps[user.app_id])


def _membership(channel: Channel, user: User) -> Json:
    return {"user": user.id, "channel": channel.id, "channel_type": channel.id[0], "team": user.team}


def archive(core: Core, channel: Channel, *, by: User, archived: bool = True) -> None:
    """Close a channel, or open it again."""
    channel.archived = archived
    name = f"{channel.type}_{'' if archived else 'un'}archive"
    announce(core, {"type": name, "channel": channel.id, "user": by.id, "is_moved": 0}, channel=channel)
    core.touch()


def rename(core: Core, channel: Channel, name: str) -> None:
    """Give a channel another name."""
    channel.name = name
    body = {"id": channel.id, "name": name, "name_normalized": name, "created": channel.created}
    announce(core, {"type": f"{channel.type}_rename", "channel": body}, channel=channel)
    core.touch()
