"""chat.startStream, appendStream, stopStream: messages that are written before people's eyes."""

from __future__ import annotations

from typing import Any

from citebot.testing.slack.acts import changed, post
from citebot.testing.slack.api.assistant import SESSION_STATUSES, set_session
from citebot.testing.slack.api.calling import Call, method
from citebot.testing.slack.api.chat import identified, metadata_of, new_message, paced, shown, thread_of, writable
from citebot.testing.slack.limits import (
    CHUNK_TEXT,
    MARKDOWN_MOST,
    MESSAGE_BLOCKS,
    TASK_STATUSES,
    check_blocks,
)
from citebot.testing.slack.refusing import Refused
from citebot.testing.slack.shapes import message_json
from citebot.testing.slack.state import Channel, Json, Message, Stream
from citebot.testing.slack.tiers import TIER_2, TIER_4

# Chunks and the texts they may carry.
CHUNKS: dict[str, tuple[str, ...]] = {
    "markdown_text": ("text",),
    "plan_update": ("title",),
    "task_update": ("title", "details", "output"),
    "blocks": (),
}
REPLACED = ("title", "status", "sources")
APPENDED = ("details", "output")
DISPLAYS = ("timeline", "plan", "dense")


@method("chat.startStream", TIER_2, "chat:write")
def start(call: Call) -> Json:
    """Begin; outside of direct messages it must be said for whom."""
    channel = call.channel()
    writable(call, channel)
    paced(call, channel)
    for name in () if channel.kind == "im" else ("recipient_user_id", "recipient_team_id"):
        if not call.args.get(name):
            raise Refused(f"missing_{name}")
    recipient = call.text("recipient_user_id", "")
    if recipient and recipient not in channel.members:
        raise Refused("user_not_in_channel")
    thread_ts = thread_of(call, channel)
    if not thread_ts and channel.kind == "im":
        raise Refused("invalid_thread_ts")
    if call.text("task_display_mode", "timeline") not in DISPLAYS:
        raise Refused("invalid_arguments")
    message = new_message(call, channel, "", [], thread_ts)
    message.stream = Stream(call.core.clock.now(), call.text("task_display_mode", "timeline") != "timeline")
    _write(call, message, message.stream)
    post(call.core, channel, message)
    return {"channel": channel.id, "ts": message.ts}


@method("chat.appendStream", TIER_4, "chat:write")
def append(call: Call) -> Json:
    """Go on."""
    channel, message, stream = _open(call)
    if not call.args.get("markdown_text") and not call.json("chunks"):
        raise Refused("no_text")
    _write(call, message, stream)
    call.core.touch()
    return {"channel": channel.id, "ts": message.ts}


@method("chat.stopStream", TIER_2, "chat:write")
def stop(call: Call) -> Json:
    """End with blocks below what was written."""
    channel, message, stream = _open(call)
    blocks = call.json("blocks") or []
    check_blocks(blocks)
    status = call.text("session_status", "")
    if status and status not in SESSION_STATUSES:
        raise Refused("invalid_arguments")
    before = message_json(call.core.world, channel, message, call.core.url)
    _write(call, message, stream)
    message.blocks = identified(call, blocks)
    message.metadata = metadata_of(call) or message.metadata
    stream.ended = "stopped"
    if status:
        set_session(call, channel, message.thread_ts, status)
    changed(call.core, channel, message, before)
    return {"channel": channel.id, "ts": message.ts, "message": shown(call, channel, message)}


def _open(call: Call) -> tuple[Channel, Message, Stream]:
    channel = call.channel()
    message = call.message(channel, call.text("ts"))
    if message.user != call.user.id:
        raise Refused("message_not_owned_by_app")
    if message.stream is None or message.stream.ended:
        by_user = message.stream is not None and message.stream.ended == "stopped_by_user"
        raise Refused("stopped_by_user" if by_user else "message_not_in_streaming_state")
    return channel, message, message.stream


def _write(call: Call, message: Message, stream: Stream) -> None:
    markdown, chunks = call.args.get("markdown_text"), call.json("chunks")
    if markdown and chunks:
        raise Refused("cannot_provide_both_markdown_text_and_chunks")
    if markdown:
        chunks = [{"type": "markdown_text", "text": markdown}]
    for chunk in chunks or []:
        _check(chunk, len(stream.blocks))
    for chunk in chunks or []:
        _add(call, stream, chunk)
    message.text = stream.text


def _check(chunk: Any, blocks: int) -> None:
    if not isinstance(chunk, dict) or chunk.get("type") not in CHUNKS:
        raise Refused("invalid_chunks")
    kind = chunk["type"]
    if kind == "blocks":
        check_blocks(chunk.get("blocks"))
        if blocks + len(chunk["blocks"]) > MESSAGE_BLOCKS:
            raise Refused("msg_blocks_too_long")
    if kind == "task_update" and (not chunk.get("id") or chunk.get("status") not in TASK_STATUSES):
        raise Refused("invalid_chunks")
    most = MARKDOWN_MOST if kind == "markdown_text" else CHUNK_TEXT
    for name in CHUNKS[kind]:
        if name in ("text", "title") and not isinstance(chunk.get(name), str):
            raise Refused("invalid_chunks")
        if len(chunk.get(name) or "") > most:
            raise Refused("msg_too_long")


def _add(call: Call, stream: Stream, chunk: Json) -> None:
    if chunk["type"] == "markdown_text":
        stream.text += chunk["text"]
    elif chunk["type"] == "plan_update":
        stream.title = chunk["title"]
    elif chunk["type"] == "blocks":
        stream.blocks += identified(call, chunk["blocks"])
    else:
        task = stream.tasks.setdefault(chunk["id"], {})
        task |= {name: chunk[name] for name in REPLACED if chunk.get(name) is not None}
        task |= {name: task.get(name, "") + chunk[name] for name in APPENDED if chunk.get(name)}
