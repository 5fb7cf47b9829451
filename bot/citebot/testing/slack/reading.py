"""Messages as people read them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from citebot.testing.chat.reading import addresses
from citebot.testing.slack.composing import called, linked
from citebot.testing.slack.state import Channel, Json, Message, Stream, World

# In the order in which they are drawn.
PARTS = (
    *("title", "subtitle", "label", "text", "body", "fields", "accessory", "elements", "rows", "tasks", "blocks"),
    *("details", "output", "sources", "positive_button", "negative_button", "placeholder", "hint", "alt_text"),
)
NOT_FORMATTED = "plain_text"
RUNS = ("rich_text_section", "rich_text_preformatted", "rich_text_quote")


def words(value: Any) -> Iterator[str]:
    """Every text that is drawn for blocks, in order."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from words(item)
    elif isinstance(value, dict) and str(value.get("type")).startswith(RUNS):
        yield "".join(_inline(run) for run in value.get("elements", ()))
    elif isinstance(value, dict):
        for part in PARTS:
            if part in value:
                yield from words(value[part])


def _inline(run: Json) -> str:
    written = {
        "user": f"<@{run.get('user_id')}>",
        "channel": f"<#{run.get('channel_id')}>",
        "broadcast": f"<!{run.get('range')}>",
        "emoji": f":{run.get('name')}:",
    }
    return written.get(run.get("type", "")) or run.get("text") or run.get("url") or ""


def plain(blocks: list[Json]) -> str:
    """Blocks as text, one line for each part."""
    return "\n".join(words(blocks))


def formatted(value: Any) -> Iterator[str]:
    """Every text of blocks in which `<@U1>` calls somebody: all but plain text."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from formatted(item)
    elif isinstance(value, dict) and value.get("type") != NOT_FORMATTED:
        if value.get("type") == "user":
            yield f"<@{value['user_id']}>"
        elif value.get("type") == "broadcast":
            yield f"<!{value['range']}>"
        elif value.get("type") != "text":  # a run of rich text is literal
            for part in PARTS:
                yield from formatted(value.get(part))


def streamed(stream: Stream) -> list[Json]:
    """The blocks that show what has been streamed so far."""
    tasks = [{"type": "task_card", "task_id": key, **task} for key, task in stream.tasks.items()]
    blocks: list[Json] = [{"type": "plan", "title": stream.title, "tasks": tasks}] if stream.plan and tasks else tasks
    if stream.text:
        blocks = [*blocks, {"type": "markdown", "text": stream.text}]
    return blocks + stream.blocks


@dataclass(frozen=True, slots=True)
class Shown:
    """One message as it is on the screen."""

    channel: str
    ts: str
    user: str
    text: str
    """All that can be read: of the blocks if there are any, else the text."""
    fallback: str
    """The text beside the blocks, which notifications show."""
    blocks: list[Json] = field(default_factory=list)
    thread_ts: str = ""
    edited: bool = False
    streaming: str = ""
    """`open`, or how a stream ended: `stopped`, `stopped_by_user`, `died` (stuck until it is updated)."""
    only_for: str = ""
    links: frozenset[str] = frozenset()
    """Every address that can be opened or is fetched: in texts, of buttons, of images."""
    calls: frozenset[str] = frozenset()
    """Who is notified: user ids, group ids, `here`, `channel`, `everyone`."""
    reactions: dict[str, list[str]] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)
    metadata: Json | None = None
    options: Json = field(default_factory=dict)
    """`unfurl_links` and the like."""

    def element(self, action_id: str) -> Json | None:
        """The interactive element with an id."""
        return find_element(self.blocks, action_id)


def shown(message: Message) -> Shown:
    """A message as it is now."""
    stream = message.stream
    blocks = (streamed(stream) if stream else []) + message.blocks
    attached = "\n".join(words(message.attachments))
    text = "\n".join(filter(None, [plain(blocks) if blocks and message.app_id else message.text, attached]))
    texts = "\n".join([message.text, *formatted(blocks), *formatted(message.attachments)])
    return Shown(
        message.channel,
        message.ts,
        message.user,
        text,
        message.text,
        blocks,
        message.thread_ts,
        bool(message.edited),
        (stream.ended or "open") if stream else "",
        message.only_for,
        frozenset(linked(texts)) | {*addresses(blocks), *addresses(message.attachments)},
        frozenset(called(texts)),
        {name: list(users) for name, users in message.reactions.items()},
        [f.name for f in message.files],
        message.metadata,
        dict(message.options),
    )


def visible(world: World, channel: Channel, *, thread_ts: str = "", seen_by: str = "") -> list[Shown]:
    """The messages of a channel or of a thread, with those only `seen_by` sees; joins and leaves are left out."""
    out = []
    for message in [m for ts in list(channel.messages) if (m := world.message(channel, ts))]:
        in_thread = message.ts == thread_ts or message.thread_ts == thread_ts
        at_top = message.thread_ts in ("", message.ts) or message.subtype == "thread_broadcast"
        if (in_thread if thread_ts else at_top) and message.only_for in ("", seen_by):
            out.append(message)
    return [shown(m) for m in out if m.subtype not in ("channel_join", "channel_leave")]


def find_element(blocks: Any, action_id: str) -> Json | None:
    """The interactive element with an id, wherever it is nested; its block's id is added."""
    for block in blocks:
        for element in _elements(block):
            if element.get("action_id") == action_id:
                return {"block_id": block.get("block_id", ""), **element}
    return None


def _elements(value: Any) -> Iterator[Json]:
    if isinstance(value, list):
        for item in value:
            yield from _elements(item)
    elif isinstance(value, dict):
        if "action_id" in value:
            yield value
        for part in ("accessory", "element", "elements", "blocks"):
            yield from _elements(value.get(part))
