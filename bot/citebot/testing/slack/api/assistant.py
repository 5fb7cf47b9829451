"""assistant.*, agents.*: what an app shows while it thinks, its sessions, and searches for a person."""

from __future__ import annotations

import re

from citebot.testing.slack.api.calling import Call, method
from citebot.testing.slack.api.conversations import TYPES
from citebot.testing.slack.clock import THINKING
from citebot.testing.slack.limits import PROMPTS, SESSION_TITLE
from citebot.testing.slack.reading import shown
from citebot.testing.slack.refusing import Refused, invalid
from citebot.testing.slack.shapes import permalink
from citebot.testing.slack.state import Channel, Json, Kind, Message, Session, Thinking, User
from citebot.testing.slack.tiers import SPECIAL, TIER_2, TIER_3

SESSION_STATUSES = ("active", "processing", "suspended", "closed")
UNSUBSCRIBED = "missing_agent_session_stopped_event_subscription"
SEARCH_SCOPES: dict[Kind, str] = {
    "public": "search:read.public",
    "private": "search:read.private",
    "im": "search:read.im",
    "mpim": "search:read.mpim",
}


def _thread(call: Call, *, required: bool = True) -> tuple[Channel, str]:
    channel = call.channel("channel_id")
    if call.user.id not in channel.members:
        raise Refused("not_in_channel")
    thread_ts = call.text("thread_ts", None if required else "")
    if thread_ts and channel.kind != "im":
        call.message(channel, thread_ts, error="invalid_thread_ts")
    return channel, thread_ts


@method("assistant.threads.setStatus", SPECIAL, "assistant:write", "chat:write")
def set_status(call: Call) -> Json:
    """The line below a thread; it goes away with the app's next message there, or after two minutes."""
    channel, thread_ts = _thread(call)
    key, text = (channel.id, thread_ts), str(call.args.get("status") or "")
    call.core.world.thinking.pop(key, None)
    if text:
        messages = [str(m) for m in call.json("loading_messages") or []]
        until = call.core.clock.now() + THINKING
        call.core.world.thinking[key] = Thinking(text, messages, until, call.caller.id)
    return {}


@method("assistant.threads.setTitle", SPECIAL, "assistant:write")
def set_title(call: Call) -> Json:
    """The name of a thread in the app's history."""
    channel, thread_ts = _thread(call)
    call.core.world.titles[channel.id, thread_ts] = call.text("title")
    return {}


@method("assistant.threads.setSuggestedPrompts", SPECIAL, "assistant:write")
def set_prompts(call: Call) -> Json:
    """Up to four prompts to press, in a thread or at the top of the Messages tab."""
    channel, thread_ts = _thread(call, required=False)
    prompts = call.json("prompts")
    if not isinstance(prompts, list) or not all(
        isinstance(p, dict) and p.get("title") and p.get("message") for p in prompts
    ):
        raise invalid("missing required field: title or message [json-pointer:/prompts]")
    if len(prompts) > PROMPTS:
        raise invalid(f"no more than {PROMPTS} items allowed [json-pointer:/prompts]")
    call.core.world.prompts[channel.id, thread_ts] = {"title": call.text("title", ""), "prompts": prompts}
    return {}


@method("agents.sessions.setStatus", TIER_3, "chat:write")
def set_session_status(call: Call) -> Json:
    """What an agent is at in a thread; `processing` shows a stop button."""
    channel, thread_ts = _thread(call)
    status = call.text("status")
    if status not in SESSION_STATUSES:
        raise Refused("invalid_status")
    session = set_session(call, channel, thread_ts, status)
    if status == "processing" and "agent_session_stopped" not in call.caller.events:
        call.warnings.append(UNSUBSCRIBED)
    return {"session": {"channel_id": session.channel, "thread_ts": session.thread_ts, "status": session.status}}


@method("agents.sessions.rename", TIER_3, "chat:write")
def rename_session(call: Call) -> Json:
    """Another title."""
    channel, thread_ts = _thread(call)
    session = call.core.world.sessions.get((channel.id, thread_ts))
    if session is None:
        raise Refused("session_not_found")
    session.title = _title(call, call.text("title"))
    return {}


def set_session(call: Call, channel: Channel, thread_ts: str, status: str) -> Session:
    """Give a session a status; the first one makes it."""
    if not call.caller.agent:
        raise Refused("app_not_agent")
    key = (channel.id, thread_ts)
    new = Session(channel.id, thread_ts, call.caller.id, status, initiator=call.text("initiator_user_id", ""))
    session = call.core.world.sessions.setdefault(key, new)
    session.status = status
    session.title = session.title or _title(call, call.text("title", ""))
    return session


def _title(call: Call, title: str) -> str:
    if len(title) > SESSION_TITLE:
        raise invalid(f"must be less than {SESSION_TITLE + 1} characters [json-pointer:/title]")
    return title


@method("assistant.search.info", TIER_2, "search:read.public", "search:read.private")
def search_info(call: Call) -> Json:
    """What search can do here."""
    return {"is_ai_search_enabled": True}


@method("assistant.search.context", TIER_2, *SEARCH_SCOPES.values())
def search(call: Call) -> Json:
    """What the person behind a token or an action may read and that shares a word with the query."""
    user = _searcher(call)
    wanted = {TYPES.get(t) for t in call.names("channel_types") or ["public_channel"]}
    kinds = {kind for kind in wanted if kind and SEARCH_SCOPES[kind] in call.granted.scopes}
    words = _words(call.text("query"))
    found: list[tuple[int, str, Json]] = []
    for channel in call.core.world.channels.values():
        if channel.kind in kinds and _may_read(user, channel, archived=call.flag("include_archived_channels")):
            hits = [(_shared(m, words), m) for m in channel.messages.values() if _is_searched(call, m)]
            found += [(score, m.ts, _hit(call, channel, m)) for score, m in hits if score]
    # By how many words they share, then the newest first.
    ranked = [hit for _, _, hit in sorted(found, key=lambda one: one[:2], reverse=True)]
    page, metadata = call.page(ranked, default=20, most=20)
    messages = page if "messages" in (call.names("content_types") or ["messages"]) else []
    return {"results": {"messages": messages, "files": [], "channels": []}, "response_metadata": metadata}


def _searcher(call: Call) -> User:
    if call.granted.kind == "user":
        return call.user
    app_id, user, until = call.core.action_tokens.get(call.text("action_token"), ("", "", 0.0))
    if app_id != call.caller.id or call.core.clock.now() > until:
        raise Refused("invalid_action_token")
    return call.core.world.users[user]


def _may_read(user: User, channel: Channel, *, archived: bool) -> bool:
    if user.team not in channel.teams or (channel.archived and not archived):
        return False
    guest = user.is_restricted or user.is_ultra_restricted
    return user.id in channel.members or (channel.kind == "public" and not guest)


def _is_searched(call: Call, message: Message) -> bool:
    if message.only_for or message.subtype not in ("", "file_share", "thread_broadcast"):
        return False
    if call.core.world.users[message.user].app_id and not call.flag("include_bots"):
        return False
    # Slack's filters are whole seconds.
    before, after = call.text("before", ""), call.text("after", "")
    try:
        at = float(message.ts)
        return (not before or at < int(before)) and (not after or at > int(after))
    except ValueError:
        raise invalid("must be a valid integer [json-pointer:/before]") from None


def _words(text: str) -> set[str]:
    return {word for word in re.findall(r"\w+", text.casefold()) if len(word) > 2}


def _shared(message: Message, words: set[str]) -> int:
    return len(words & _words(shown(message).text))


def _hit(call: Call, channel: Channel, message: Message) -> Json:
    author = call.core.world.users[message.user]
    return {
        "author_user_id": author.id,
        "author_name": author.real_name,
        "team_id": author.team,
        "channel_id": channel.id,
        "channel_name": channel.name,
        "message_ts": message.ts,
        "content": shown(message).text,
        "is_author_bot": bool(author.app_id),
        "permalink": permalink(call.core.world, channel, message),
    }
