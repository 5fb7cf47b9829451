"""Messages of channels."""

from __future__ import annotations

from urllib.parse import unquote

from citebot.testing.discord import acts
from citebot.testing.discord.api.calling import Call, operation
from citebot.testing.discord.buckets import Rate
from citebot.testing.discord.clock import NONCE
from citebot.testing.discord.permissions import Permission, in_channel, may_send
from citebot.testing.discord.refusing import Refused
from citebot.testing.discord.shapes import SUPPRESS_EMBEDS, message_json, user_json, without_content
from citebot.testing.discord.state import Channel, Json, Message
from citebot.testing.discord.writing import rewrite, write

TEXT_KINDS = ("text", "news", "voice", "dm", "public_thread", "private_thread", "news_thread")
HISTORY = Permission.READ_MESSAGE_HISTORY


@operation("POST", "/channels/{channel_id}/messages", rate=Rate(5, 5))
def create_message(call: Call) -> Json:
    """Write a message; a nonce that was used makes no second one."""
    channel, core = call.channel(), call.core
    _check_place(call, channel)
    nonce = (call.app.id, str(call.json.get("nonce") or "")) if call.json.get("enforce_nonce") else ("", "")
    if known := _made_with(call, nonce):
        return message_json(core.world, known, core.url)
    message = write(core, call.app, channel, call.json, call.files)
    if nonce[1]:
        core.nonces[nonce] = (message, core.clock.now() + core.clock.patience(NONCE) * core.clock.speed)
    return message_json(core.world, acts.post(core, channel, message), core.url)


def _check_place(call: Call, channel: Channel) -> None:
    world = call.core.world
    if channel.kind not in TEXT_KINDS:
        raise Refused(50008)
    if channel.kind == "dm" and not all(world.users[u].takes_direct for u in channel.recipients):
        raise Refused(50007)
    if not may_send(world, channel, call.bot):
        raise Refused(50013)
    if channel.locked and not in_channel(world, channel, call.bot) & Permission.MANAGE_THREADS:
        raise Refused(50083 if channel.archived else 160005)


def _made_with(call: Call, nonce: tuple[str, str]) -> Message | None:
    """What the bot wrote with the same nonce in the last few minutes, if it is still there."""
    message, until = call.core.nonces.get(nonce, (None, 0.0))
    if message is None or call.core.clock.now() > until:
        return None
    channel = call.core.world.channels.get(message.channel)
    return channel.messages.get(message.id) if channel else None


@operation("GET", "/channels/{channel_id}/messages", rate=Rate(5, 5))
def list_messages(call: Call) -> list[Json]:
    """The history of a channel, the newest first; without READ_MESSAGE_HISTORY it is empty."""
    channel = call.channel()
    if not in_channel(call.core.world, channel, call.bot) & HISTORY:
        return []
    keys = [k for k, m in channel.messages.items() if not m.only_for]
    most = max(1, min(100, int(call.query.get("limit") or 50)))
    if "after" in call.query:
        keys = [k for k in keys if int(k) > int(call.query["after"])][:most]
    elif "around" in call.query:
        keys.sort(key=lambda k: abs(int(k) - int(call.query["around"])))
        keys = sorted(keys[:most], key=int)
    else:
        before = int(call.query.get("before") or 1 << 63)
        keys = [k for k in keys if int(k) < before][-most:]
    return [_told(call, channel.messages[k]) for k in reversed(keys)]


@operation("GET", "/channels/{channel_id}/messages/{message_id}", rate=Rate(5, 5))
def get_message(call: Call) -> Json:
    """One message."""
    return _told(call, call.message(call.channel(HISTORY)))


def _told(call: Call, message: Message) -> Json:
    """A message as the app may read it: contents of others only with the intent."""
    body = message_json(call.core.world, message, call.core.url)
    channel = call.core.world.channels[message.channel]
    if "message_content" in call.app.intents or not channel.guild:
        return body
    return {k: v for k, v in without_content(body | {"guild_id": channel.guild}, call.bot).items() if k != "guild_id"}


@operation("PATCH", "/channels/{channel_id}/messages/{message_id}", rate=Rate(5, 5))
def edit_message(call: Call) -> Json:
    """Edit the bot's own message; of others', a moderator may only suppress the embeds."""
    channel, core = call.channel(), call.core
    message = call.message(channel)
    if channel.is_thread and channel.archived:
        raise Refused(50083)
    if message.author == call.bot:
        rewrite(core, call.app, message, call.json, call.files)
        acts.changed(core, message)
        return message_json(core.world, message, core.url)
    if set(call.json) - {"flags", "allowed_mentions"}:
        raise Refused(50005)
    if not in_channel(core.world, channel, call.bot) & Permission.MANAGE_MESSAGES:
        raise Refused(50013)
    message.flags = message.flags & ~SUPPRESS_EMBEDS | int(call.json.get("flags") or 0) & SUPPRESS_EMBEDS
    acts.changed(core, message, by_hand=False)
    return message_json(core.world, message, core.url)


@operation("DELETE", "/channels/{channel_id}/messages/{message_id}", rate=Rate(5, 1))
def delete_message(call: Call) -> None:
    """Delete the bot's own message, or with MANAGE_MESSAGES any."""
    channel = call.channel()
    message = call.message(channel)
    if message.author != call.bot and not in_channel(call.core.world, channel, call.bot) & Permission.MANAGE_MESSAGES:
        raise Refused(50003 if channel.kind == "dm" else 50013)
    if channel.is_thread and channel.archived:
        raise Refused(50083)
    acts.delete(call.core, message)


REACTION = "/channels/{channel_id}/messages/{message_id}/reactions/{emoji}"


@operation("PUT", REACTION + "/@me", rate=Rate(1, 0.25), bucket="reactions")
def add_reaction(call: Call) -> None:
    """React to a message; the first of its kind needs ADD_REACTIONS."""
    channel = call.channel(HISTORY)
    message, emoji = call.message(channel), unquote(call.path["emoji"])
    if not emoji or emoji.isascii():
        raise Refused(10014)
    if emoji not in message.reactions and not in_channel(call.core.world, channel, call.bot) & Permission.ADD_REACTIONS:
        raise Refused(50013)
    acts.react(call.core, message, user=call.bot, emoji=emoji, add=True)


@operation("DELETE", REACTION + "/@me", rate=Rate(1, 0.25), bucket="reactions")
def remove_own_reaction(call: Call) -> None:
    """Take the bot's reaction back."""
    message = call.message(call.channel())
    acts.react(call.core, message, user=call.bot, emoji=unquote(call.path["emoji"]), add=False)


@operation("GET", REACTION)
def list_reactions(call: Call) -> list[Json]:
    """Who reacted so."""
    message = call.message(call.channel())
    users = message.reactions.get(unquote(call.path["emoji"]), [])
    return [user_json(call.core.world.users[u]) for u in users][: int(call.query.get("limit") or 25)]
