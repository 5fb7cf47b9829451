"""Slack's messages, and the messages as the core knows them."""

from __future__ import annotations

from citebot.conversing.chat import Said
from citebot_connectors.platforms.slack.calling import Body, Web
from citebot_connectors.platforms.slack.markup import called, plain, without_mention
from citebot_connectors.platforms.slack.paging import pages

EVENT_TYPE = "citebot_answer"
PAGE = 200
PAGES = 5
SPOKEN = frozenset({"", "file_share", "thread_broadcast"})
"""Subtypes of messages that people write."""


class Threads:
    """Reads threads."""

    def __init__(self, web: Web) -> None:
        self._web = web

    async def messages(self, channel: str, thread: str) -> list[Body]:
        """The messages of a thread, the oldest first."""
        where = {"channel": channel, "ts": thread, "limit": PAGE, "include_all_metadata": True}
        return [one async for one in pages(self._web, "conversations.replies", "messages", most=PAGES, **where)]

    async def said(self, channel: str, thread: str) -> list[Said]:
        """The same as the core knows it."""
        us = (await self._web.identity()).user
        return [said_of(message, us, channel) for message in await self.messages(channel, thread)]


def said_of(message: Body, us: str, channel: str, *, direct: bool = False) -> Said:
    """A message, or an event about a new one."""
    text, author = str(message.get("text") or ""), str(message.get("user") or "")
    return Said(
        channel,
        str(message["ts"]),
        float(message["ts"]),
        author,
        plain(without_mention(text, us), str).strip(),
        thread=str(message.get("thread_ts") or ""),
        direct=direct,
        ours=author == us,
        question=str(payload(message).get("question") or ""),
        machine=author != us and bool(message.get("bot_id") or message.get("bot_profile")),
        spoken=(message.get("subtype") or "") in SPOKEN,
        calls_us=us in called(text),
        calls=frozenset(called(text) - {us}),
        calls_many="<!" in text,
        edited=str((message.get("edited") or {}).get("ts") or ""),
        files=message.get("files") or (),
        last_reply=float(message.get("latest_reply") or 0),
        ticket=str((message.get("assistant_thread") or {}).get("action_token") or ""),
    )


def payload(message: Body) -> Body:
    """What we keep on our own message: the `key` of its part, the `question` it answers."""
    metadata = message.get("metadata") or {}
    found = metadata.get("event_payload") if metadata.get("event_type") == EVENT_TYPE else None
    return found if isinstance(found, dict) else {}
