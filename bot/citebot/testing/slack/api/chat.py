"""chat.*: messages, but for streams."""

from __future__ import annotations

from citebot.testing.slack.acts import delete, edit, post
from citebot.testing.slack.api.calling import Call, method
from citebot.testing.slack.composing import normalise
from citebot.testing.slack.limits import MARKDOWN_MOST, TEXT_MOST, UPDATE_MOST, check_blocks
from citebot.testing.slack.refusing import Refused
from citebot.testing.slack.shapes import message_json, permalink
from citebot.testing.slack.state import Channel, Json, Message
from citebot.testing.slack.tiers import CHANNEL_POSTS, SPECIAL, TIER_3, TIER_4

OPTIONS = ("unfurl_links", "unfurl_media", "username", "icon_emoji", "icon_url", "parse", "link_names", "mrkdwn")


@method("chat.postMessage", SPECIAL, "chat:write")
def post_message(call: Call) -> Json:
    """Say something in a conversation."""
    channel = call.channel(opened=True)
    writable(call, channel)
    paced(call, channel)
    thread_ts = thread_of(call, channel)
    text, blocks, attachments = content(call)
    message = new_message(call, channel, text, blocks, thread_ts)
    message.attachments = attachments
    if thread_ts and call.flag("reply_broadcast"):
        message.subtype = "thread_broadcast"
    post(call.core, channel, message)
    return {"channel": channel.id, "ts": message.ts, "message": shown(call, channel, message)}


@method("chat.postEphemeral", TIER_4, "chat:write")
def post_ephemeral(call: Call) -> Json:
    """Say something to one person in a conversation."""
    channel = call.channel()
    writable(call, channel)
    if call.text("user") not in channel.members:
        raise Refused("user_not_in_channel")
    text, blocks, attachments = content(call)
    message = new_message(call, channel, text, blocks, thread_of(call, channel))
    message.attachments, message.only_for = attachments, call.text("user")
    post(call.core, channel, message)
    return {"message_ts": message.ts}


@method("chat.update", TIER_3, "chat:write")
def update(call: Call) -> Json:
    """Change a message of one's own."""
    channel = call.channel()
    message = own(call, channel, "cant_update_message")
    if message.stream and not message.stream.ended:
        raise Refused("streaming_state_conflict")
    if channel.archived:
        raise Refused("is_archived")
    kept = [] if call.args.get("markdown_text") or call.json("blocks") is not None else message.blocks
    text, blocks, attachments = content(call, most=UPDATE_MOST, kept=bool(kept))
    if call.json("attachments") is not None:
        message.attachments = attachments
    if call.json("metadata") is not None:
        message.metadata = metadata_of(call)
    edit(call.core, channel, message, text=text, blocks=blocks or kept, by=call.user.id, options=options(call))
    return {"channel": channel.id, "ts": message.ts, "text": text, "message": shown(call, channel, message)}


@method("chat.delete", TIER_3, "chat:write")
def delete_message(call: Call) -> Json:
    """Take back a message of one's own."""
    channel = call.channel()
    message = own(call, channel, "cant_delete_message")
    if message.stream and not message.stream.ended:
        raise Refused("cant_delete_message")
    delete(call.core, channel, message)
    return {"channel": channel.id, "ts": message.ts}


@method("chat.getPermalink", SPECIAL)
def get_permalink(call: Call) -> Json:
    """The address of a message."""
    channel = call.channel()
    message = call.message(channel, call.text("message_ts"))
    return {"channel": channel.id, "permalink": permalink(call.core.world, channel, message)}


def writable(call: Call, channel: Channel) -> None:
    """Refuse where the caller may not post."""
    if channel.archived:
        raise Refused("is_archived")
    public = channel.kind == "public" and "chat:write.public" in call.granted.scopes
    if call.user.id not in channel.members and not public:
        raise Refused("not_in_channel")


def paced(call: Call, channel: Channel) -> None:
    """Refuse more than about a message a second in one conversation."""
    wait = call.core.meter.wait((call.caller.id, channel.id, "posts"), CHANNEL_POSTS)
    if wait and call.core.settings.rates:
        raise Refused("ratelimited", wait=wait)


def thread_of(call: Call, channel: Channel) -> str:
    """The thread a message goes to; it must exist."""
    thread_ts = call.text("thread_ts", "")
    if thread_ts:
        root = call.message(channel, thread_ts, error="thread_not_found")
        if root.thread_ts not in ("", root.ts):
            raise Refused("thread_not_found")
    return thread_ts


def own(call: Call, channel: Channel, error: str) -> Message:
    """A message that the caller wrote."""
    message = call.message(channel, call.text("ts"))
    if message.user != call.user.id or message.only_for:
        raise Refused(error if not message.only_for else "message_not_found")
    return message


def options(call: Call) -> Json:
    """How a message wants to be treated."""
    return {name: call.args[name] for name in OPTIONS if name in call.args}


def metadata_of(call: Call) -> Json | None:
    """What an app keeps on its message."""
    metadata = call.json("metadata")
    if metadata is None:
        return None
    if not isinstance(metadata, dict) or not isinstance(metadata.get("event_type"), str):
        raise Refused("invalid_metadata_format")
    return metadata


def content(call: Call, *, most: int = 0, kept: bool = False) -> tuple[str, list[Json], list[Json]]:
    """Text, blocks and attachments of a call, within the limits; over `most`, text is refused, not cut."""
    markdown = call.args.get("markdown_text")
    blocks, attachments = call.json("blocks") or [], call.json("attachments") or []
    if markdown and (call.args.get("text") or blocks):
        raise Refused("markdown_text_conflict")
    if markdown:
        if len(markdown) > MARKDOWN_MOST:
            raise Refused("msg_too_long")
        return markdown, [{"type": "markdown", "block_id": call.core.world.new_id("b"), "text": markdown}], attachments
    check_blocks(blocks)
    if not (call.args.get("text") or blocks or attachments or kept):
        raise Refused("no_text")
    names = call.flag("link_names") or call.text("parse", "") == "full"
    text = normalise(call.core.world, call.team, call.text("text", ""), names=names)
    if most and len(text) > most:
        raise Refused("msg_too_long")
    if len(text) > TEXT_MOST:
        call.warnings.append("message_truncated")
        text = text[:TEXT_MOST]
    if not text:
        call.warnings.append("missing_text_in_message")
    return text, identified(call, blocks), attachments


def identified(call: Call, blocks: list[Json]) -> list[Json]:
    """Blocks with the ids that Slack gives where an app gave none."""
    return [b if b.get("block_id") else {**b, "block_id": call.core.world.new_id("b")} for b in blocks]


def new_message(call: Call, channel: Channel, text: str, blocks: list[Json], thread_ts: str) -> Message:
    """A message of the caller's."""
    return Message(
        call.core.world.new_ts(),
        channel.id,
        call.user.id,
        text,
        thread_ts,
        blocks,
        app_id=call.caller.id,
        bot_id=call.user.bot_id,
        metadata=metadata_of(call),
        options=options(call),
    )


def shown(call: Call, channel: Channel, message: Message) -> Json:
    """A message as its sender gets it back."""
    return message_json(call.core.world, channel, message, call.core.url)
