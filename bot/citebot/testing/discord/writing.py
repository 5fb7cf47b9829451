"""Messages that apps write: the body of a call becomes a message, or Discord's refusal."""

from __future__ import annotations

import mimetypes

from citebot.testing.discord.acts import REPLY
from citebot.testing.discord.components import numbered
from citebot.testing.discord.composing import notified, plain_texts
from citebot.testing.discord.core import Core
from citebot.testing.discord.limits import check_files, check_message
from citebot.testing.discord.permissions import Permission, in_channel
from citebot.testing.discord.refusing import Problems, Refused
from citebot.testing.discord.shapes import COMPONENTS_V2, EPHEMERAL, LOADING, SUPPRESS_EMBEDS
from citebot.testing.discord.state import App, Attachment, Channel, Json, Message

SETTABLE = SUPPRESS_EMBEDS | COMPONENTS_V2 | 1 << 12
"""Flags that an app may set on any message; on an answer to an interaction also EPHEMERAL."""
FORM = ("content", "embeds", "components", "allowed_mentions", "attachments", "flags", "nonce")
Files = list[tuple[str, bytes]]


def write(core: Core, app: App, channel: Channel, body: Json, files: Files, *, by_token: bool = False) -> Message:
    """A new message of an app, not yet posted."""
    flags = int(body.get("flags") or 0) & (SETTABLE | (EPHEMERAL if by_token else 0))
    check_message(body, flags=flags, files=len(files))
    check_files(files)
    if not by_token:
        _check_permissions(core, app, channel, body, files)
    message = Message(core.world.new_id(), channel.id, app.bot.id, app_id=app.id, flags=flags, by_token=by_token)
    message.content = str(body.get("content") or "").strip()
    message.embeds = [_embed(e) for e in body.get("embeds") or ()]
    message.components = numbered(body.get("components") or [])
    message.nonce = str(body.get("nonce") or "")
    message.attachments = _attach(core, files, body)
    replied = _reply(core, app, channel, message, body.get("message_reference"))
    message.called = _called(core, app, channel, body, replied=replied)
    return message


def rewrite(core: Core, app: App, message: Message, body: Json, files: Files) -> None:
    """Change the fields of a message that a body names; a layout stays one."""
    flags = message.flags
    if body.get("flags") is not None:
        wanted = int(body["flags"])
        if flags & COMPONENTS_V2 and not wanted & COMPONENTS_V2:
            found = Problems()
            text = "The IS_COMPONENTS_V2 flag cannot be removed"
            found.add(("flags",), "MESSAGE_CANNOT_REMOVE_COMPONENTS_V2_FLAG", text)
            found.refuse()
        flags = flags & ~SETTABLE | wanted & SETTABLE
    whole = {"content": message.content, "embeds": message.embeds} | {k: v for k, v in body.items() if k in FORM}
    check_message(whole, flags=flags, files=len(files), edit=True)
    check_files(files)
    after: Json = {
        "content": message.content if body.get("content", "-") == "-" else str(body["content"] or ""),
        "embeds": body.get("embeds") if "embeds" in body else message.embeds,
        "components": body.get("components") if "components" in body else message.components,
    }
    kept = message.attachments
    if body.get("attachments") is not None:
        ids = {str(a.get("id")) for a in body["attachments"]}
        kept = [a for a in kept if a.id in ids]
    if not any(after.values()) and not kept and not files:
        raise Refused(50006)
    channel = core.world.channels[message.channel]
    message.flags = flags & ~LOADING
    message.content = str(after["content"] or "").strip()
    message.embeds = [_embed(e) for e in after["embeds"] or ()]
    message.components = numbered(after["components"] or [])
    message.attachments = [*kept, *_attach(core, files, body)]
    if any(name in body for name in ("content", "components", "allowed_mentions")):
        now = {"content": message.content, "components": message.components}
        message.called = _called(core, app, channel, now | {"allowed_mentions": body.get("allowed_mentions")})


def _check_permissions(core: Core, app: App, channel: Channel, body: Json, files: Files) -> None:
    """What an app lacks is dropped silently (embeds) or refused (files)."""
    may = in_channel(core.world, channel, app.bot.id)
    if files and not may & Permission.ATTACH_FILES:
        raise Refused(50013)
    if body.get("embeds") and not may & Permission.EMBED_LINKS:
        raise Refused(50013)


def _called(core: Core, app: App, channel: Channel, body: Json, *, replied: str = "") -> list[str]:
    everyone = bool(in_channel(core.world, channel, app.bot.id) & Permission.MENTION_EVERYONE)
    allowed = body.get("allowed_mentions")
    return notified(core.world, channel, plain_texts(body), allowed, may_everyone=everyone, replied=replied)


def _reply(core: Core, app: App, channel: Channel, message: Message, reference: Json | None) -> str:
    """Make a message a reply; the id of who wrote the other one."""
    if not reference:
        return ""
    other = channel.messages.get(str(reference.get("message_id")))
    if other is None or other.only_for:
        if reference.get("fail_if_not_exists", True) is False:
            return ""
        found = Problems()
        found.add(("message_reference",), "REPLIES_UNKNOWN_MESSAGE", "Unknown message")
        found.refuse()
        return ""
    if not in_channel(core.world, channel, app.bot.id) & Permission.READ_MESSAGE_HISTORY:
        raise Refused(160002)
    message.type = REPLY
    message.reference = {"type": 0, "channel_id": channel.id, "message_id": other.id}
    if channel.guild:
        message.reference["guild_id"] = channel.guild
    return other.author


def _attach(core: Core, files: Files, body: Json) -> list[Attachment]:
    descriptions = {str(a.get("id")): a.get("description") or "" for a in body.get("attachments") or ()}
    out = []
    for number, (name, content) in enumerate(files):
        kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
        out.append(Attachment(core.world.new_id(), name, content, kind, descriptions.get(str(number), "")))
    return out


def _embed(embed: Json) -> Json:
    return {"type": "rich", **embed}
