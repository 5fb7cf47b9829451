"""conversations.*, users.conversations: channels, who is in them, and what was said."""

from __future__ import annotations

from citebot.testing.slack.api.calling import Call, method
from citebot.testing.slack.refusing import Refused
from citebot.testing.slack.shapes import channel_json, message_json
from citebot.testing.slack.state import SCOPE_FAMILIES, Channel, Json, Kind, Message
from citebot.testing.slack.tiers import TIER_2, TIER_3, TIER_4, UNLISTED_HISTORY, UNLISTED_PAGE

TYPES: dict[str, Kind] = {"public_channel": "public", "private_channel": "private", "im": "im", "mpim": "mpim"}
READS = tuple(f"{family}:read" for family in SCOPE_FAMILIES.values())
HISTORIES = tuple(f"{family}:history" for family in SCOPE_FAMILIES.values())


def _asked(call: Call) -> list[Channel]:
    kinds = [TYPES.get(t) for t in call.names("types") or ["public_channel"]]
    if None in kinds:
        raise Refused("invalid_types")
    for kind in kinds:
        call.need(f"{SCOPE_FAMILIES[kind or 'public']}:read")
    archived = not call.flag("exclude_archived")
    channels = call.core.world.channels.values()
    return [c for c in channels if c.kind in kinds and call.team in c.teams and (archived or not c.archived)]


def _listed(call: Call, channels: list[Channel]) -> Json:
    page, metadata = call.page(channels, default=100, most=1000)
    return {"channels": [channel_json(c, viewer=call.user.id) for c in page], "response_metadata": metadata}


@method("conversations.list", TIER_2, *READS)
def list_all(call: Call) -> Json:
    """Public channels, and the others the caller is in."""
    return _listed(call, [c for c in _asked(call) if c.kind == "public" or call.user.id in c.members])


@method("users.conversations", TIER_3, *READS)
def list_own(call: Call) -> Json:
    """The conversations of one user, the caller by default; of others only what the caller sees too."""
    user = call.text("user", call.user.id)
    seen = [c for c in _asked(call) if c.kind == "public" or call.user.id in c.members]
    return _listed(call, [c for c in seen if user in c.members])


@method("conversations.info", TIER_3, *READS)
def info(call: Call) -> Json:
    """One conversation."""
    channel = call.channel(scope="read")
    body = channel_json(channel, viewer=call.user.id)
    if not call.flag("include_num_members"):
        body.pop("num_members", None)
    return {"channel": body}


@method("conversations.members", TIER_4, *READS)
def members(call: Call) -> Json:
    """The ids of the members."""
    page, metadata = call.page(call.channel(scope="read").members, default=100, most=1000)
    return {"members": page, "response_metadata": metadata}


@method("conversations.open", TIER_3, "im:write", "mpim:write")
def open_conversation(call: Call) -> Json:
    """A direct message with one person or a few."""
    world = call.core.world
    users = [world.users.get(u) for u in call.names("users")]
    if call.args.get("channel"):
        channel = call.channel()
    elif not users or None in users:
        raise Refused("user_not_found" if users else "users_list_not_supplied")
    elif len(users) == 1 and users[0]:
        channel = world.im(call.user, users[0])
    else:
        ids = [call.user.id, *(u.id for u in users if u)]
        same = (c for c in world.channels.values() if c.kind == "mpim" and set(c.members) == set(ids))
        new_id = world.new_id("C")
        channel = next(same, None) or world.add_channel(Channel(new_id, call.team, f"mpdm-{new_id}", "mpim", ids))
    full = channel_json(channel, viewer=call.user.id)
    return {"channel": full if call.flag("return_im") else {"id": channel.id}}


@method("conversations.history", TIER_3, *HISTORIES)
def history(call: Call) -> Json:
    """Messages that are not replies, newest first."""
    channel = _readable(call)
    top = [m for m in _between(call, channel) if m.thread_ts in ("", m.ts) or m.subtype == "thread_broadcast"]
    page, metadata = call.page(top[::-1], default=100, most=_page_size(call))
    more = bool(metadata["next_cursor"])
    body = {"messages": _shown(call, channel, page), "has_more": more, "pin_count": 0}
    return body | ({"response_metadata": metadata} if more else {})


@method("conversations.replies", TIER_3, *HISTORIES)
def replies(call: Call) -> Json:
    """A thread: its root, then its replies from the oldest on."""
    channel = _readable(call)
    root = call.message(channel, call.text("ts"), error="thread_not_found")
    root = channel.messages.get(root.thread_ts, root)
    found = [root, *(m for m in _between(call, channel) if m.thread_ts == root.ts != m.ts)]
    page, metadata = call.page(found, default=1000, most=_page_size(call))
    more = bool(metadata["next_cursor"])
    body = {"messages": _shown(call, channel, page), "has_more": more}
    return body | ({"response_metadata": metadata} if more else {})


def _readable(call: Call) -> Channel:
    channel = call.channel(scope="history")
    if call.user.id not in channel.members:
        raise Refused("not_in_channel")
    return channel


def _page_size(call: Call) -> int:
    if call.caller.distribution != "unlisted":
        return 1000
    wait = call.core.meter.wait((call.caller.id, call.team, call.method, "unlisted"), UNLISTED_HISTORY)
    if wait and call.core.settings.rates:
        raise Refused("ratelimited", wait=wait)
    return UNLISTED_PAGE


def _between(call: Call, channel: Channel) -> list[Message]:
    oldest, latest = call.text("oldest", "0"), call.text("latest", "9999999999.999999")
    inclusive = call.flag("inclusive")
    found = [m for ts in list(channel.messages) if (m := call.core.world.message(channel, ts)) and not m.only_for]
    try:
        low, high = float(oldest), float(latest)
        if inclusive:
            return [m for m in found if low <= float(m.ts) <= high]
        return [m for m in found if low < float(m.ts) < high]
    except ValueError:
        raise Refused("invalid_ts_oldest") from None


def _shown(call: Call, channel: Channel, messages: list[Message]) -> list[Json]:
    metadata = call.flag("include_all_metadata")
    world, url = call.core.world, call.core.url
    return [message_json(world, channel, m, url, metadata=metadata) for m in messages]
