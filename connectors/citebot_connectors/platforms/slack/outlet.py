"""Shows messages: what `Messages`, `Streams` and `ShowsStatus` ask of a platform, over the Web API."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import Any

import structlog

from citebot.conversing import translated
from citebot.errors import CannotShow, CitebotError, Retry, StreamEnded
from citebot.model import Status
from citebot.ports import Message, Outbound
from citebot_connectors.platforms.slack.calling import Body, Refused, Unsure, Web
from citebot_connectors.platforms.slack.drawing import Drawing
from citebot_connectors.platforms.slack.markup import safe_markdown
from citebot_connectors.platforms.slack.private import offer
from citebot_connectors.platforms.slack.questions import ts_of
from citebot_connectors.platforms.slack.texts import Texts
from citebot_connectors.platforms.slack.threads import EVENT_TYPE, Threads, payload

log = structlog.get_logger("citebot.slack")

KEPT = 10_000
TOO_MANY = "Slack wants fewer streams now."
PLAIN = {"unfurl_links": False, "unfurl_media": False, "link_names": False, "parse": "none"}
FINAL = frozenset({"account_inactive", "token_revoked", "not_in_channel", "channel_not_found", "is_archived"})
"""Refusals of a stream after which editing would fail as well."""
STATUS_TEXTS = {
    "queued": lambda texts: texts.queued,
    "searching": lambda texts: texts.searching,
    "reading": lambda texts: texts.reading,
    "writing": lambda texts: texts.writing,
}


class Outlet:
    """Messages in threads, under one bot token."""

    def __init__(
        self,
        web: Web,
        threads: Threads,
        *,
        texts: Callable[[Outbound], Texts],
        now: Callable[[], datetime],
    ) -> None:
        self._web = web
        self._threads = threads
        self._texts = texts
        self._now = now
        self._unmarked: set[str] = set()
        self._askers: dict[tuple[str, str], str] = {}
        self._processing: set[tuple[str, str]] = set()
        self._agent = True

    # -- messages -------------------------------------------------------------------------------------------------

    async def post(self, to: Outbound, message: Message, *, key: str) -> str:
        """Send it."""
        drawn = self._drawing(to).message(message)
        sent = await self._send(
            "chat.postMessage",
            channel=to.conversation.id,
            thread_ts=thread_of(to),
            metadata=mark(to, key),
            **drawn,
            **PLAIN,
        )
        await self._settle(to)
        return sent

    async def edit(self, to: Outbound, message_id: str, message: Message) -> None:
        """Show something else in a message."""
        drawn = self._drawing(to).message(message)
        # A stream that could not be ended has no mark yet, without which nobody finds it again.
        marked = mark(to, f"{to.idempotency_key}-0") if message_id in self._unmarked else None
        where = {"channel": to.conversation.id, "ts": message_id, "metadata": marked}
        await self._web.write("chat.update", **where, **drawn, link_names=False, parse="none")
        self._unmarked.discard(message_id)
        await self._settle(to)

    async def remove(self, to: Outbound, message_id: str) -> None:
        """Delete a message."""
        await self.delete(to.conversation.id, message_id)

    async def find(self, to: Outbound, *, key: str) -> str | None:
        """Our message with this key, or the stream we had begun for this question."""
        found: str | None = None
        us = await self._web.identity()
        try:
            messages = await self._threads.messages(to.conversation.id, thread_of(to))
        except Refused as error:
            log.warning("cannot look for a message that may have been sent", why=str(error))
            return None
        for message in messages:
            if message.get("user") != us.user or float(message["ts"]) <= float(ts_of(to.reply_to)):
                continue
            if payload(message).get("key") == key:
                found = message["ts"]
                break
            if message.get("streaming_state") and not payload(message):
                found = message["ts"]  # streams carry their key only once we have ended them, not when they died
        return found

    # -- streams --------------------------------------------------------------------------------------------------

    async def begin_stream(self, to: Outbound, *, key: str) -> str:
        """Begin a message that grows."""
        if not self._web.spare("chat.startStream"):
            raise CannotShow(TOO_MANY)
        asker = await self._asker(to)
        if not asker:
            raise StreamEnded("It is not known for whom the stream would be.")
        team = (await self._web.identity()).team
        try:
            return await self._send(
                "chat.startStream",
                channel=to.conversation.id,
                thread_ts=thread_of(to),
                recipient_user_id=asker,
                recipient_team_id=team,
            )
        except Refused as error:
            raise _ended(error) from error
        except Retry as error:
            if error.after is None:
                raise
            raise CannotShow(TOO_MANY) from error  # the whole answer is one call, and comes in time

    async def extend_stream(self, to: Outbound, message_id: str, text: str) -> None:
        """Add text."""
        try:
            await self._web.write(
                "chat.appendStream", channel=to.conversation.id, ts=message_id, markdown_text=safe_markdown(text)
            )
        except Unsure as error:
            # Sent again it might stand there twice; the edit shows the whole text.
            raise StreamEnded(str(error)) from error
        except Refused as error:
            raise _ended(error) from error

    async def end_stream(self, to: Outbound, message_id: str, message: Message) -> None:
        """End it with what belongs below the text."""
        blocks = self._drawing(to).below(message)
        key = mark(to, f"{to.idempotency_key}-0")
        try:
            await self._web.write(
                "chat.stopStream", channel=to.conversation.id, ts=message_id, blocks=blocks or None, metadata=key
            )
        except Refused as error:
            self._unmarked.add(message_id)
            raise _ended(error) from error
        await self._settle(to)

    # -- status ---------------------------------------------------------------------------------------------------

    async def show_status(self, to: Outbound, status: Status) -> None:
        """The line below the thread, and the stop button where the app is an agent. Never fatal."""
        where = {"channel_id": to.conversation.id, "thread_ts": thread_of(to)}
        texts = self._texts(to)
        note = translated(status.note, texts) if status.note else STATUS_TEXTS[status.stage](texts)
        await self._try("assistant.threads.setStatus", **where, status=note, loading_messages=[note])
        place = (to.conversation.id, thread_of(to))
        if self._agent and place not in self._processing and self._web.spare("agents.sessions.setStatus"):
            self._agent = await self._try("agents.sessions.setStatus", **where, status="processing")
            if self._agent:
                self._processing.add(place)

    async def _settle(self, to: Outbound) -> None:
        place = (to.conversation.id, thread_of(to))
        if place in self._processing:
            self._processing.discard(place)
            await self._try("agents.sessions.setStatus", channel_id=place[0], thread_ts=place[1], status="active")

    async def _try(self, method: str, **arguments: Any) -> bool:
        try:
            await self._web.write(method, **arguments)
        except CitebotError as error:
            log.info("not shown", method=method, why=str(error))
            return not isinstance(error, Refused)
        return True

    async def offer_alone(self, to: Outbound, answer_id: str) -> None:
        """Tell the asker alone that there is an answer for them."""
        if user := await self._asker(to):
            said = offer(self._texts(to), f"{answer_id}:{ts_of(to.reply_to)}")
            where = {"channel": to.conversation.id, "thread_ts": thread_of(to), "user": user}
            await self._web.write("chat.postEphemeral", **where, **said)

    # -- for what people do ---------------------------------------------------------------------------------------

    def remember_asker(self, channel: str, ts: str, user: str) -> None:
        """Who asked, for streams: they are made for somebody."""
        self._askers[channel, ts] = user
        while len(self._askers) > KEPT:
            self._askers.pop(next(iter(self._askers)))

    def asker_of(self, channel: str, ts: str) -> str:
        """The user who asked, as far as it is known already."""
        return self._askers.get((channel, ts), "")

    async def answers_to(self, channel: str, thread: str, message_id: str) -> list[str]:
        """Our messages that answer one question."""
        us = await self._web.identity()
        try:
            messages = await self._threads.messages(channel, thread)
        except Refused:
            return []
        mine = [message for message in messages if message.get("user") == us.user]
        return [message["ts"] for message in mine if payload(message).get("question") == message_id]

    async def delete(self, channel: str, ts: str) -> None:
        """Take a message back; one that is gone is fine."""
        try:
            await self._web.write("chat.delete", channel=channel, ts=ts)
        except Refused as error:
            if error.code == "cant_delete_message":
                await self._stop_and_delete(channel, ts)
            elif error.code != "message_not_found":
                raise

    async def _stop_and_delete(self, channel: str, ts: str) -> None:
        """A message that grows cannot be deleted; whatever else is in the way, the second refusal tells."""
        with suppress(Refused):
            await self._web.write("chat.stopStream", channel=channel, ts=ts)
        await self._web.write("chat.delete", channel=channel, ts=ts)

    # -- inside ---------------------------------------------------------------------------------------------------

    async def _send(self, method: str, **arguments: Any) -> str:
        return str((await self._web.post(method, **arguments))["ts"])

    async def _asker(self, to: Outbound) -> str:
        if to.account:
            return to.account
        ts = ts_of(to.reply_to)
        known = self._askers.get((to.conversation.id, ts))
        if known is None:
            try:
                messages = await self._threads.messages(to.conversation.id, thread_of(to))
            except Refused:
                return ""
            known = next((str(m.get("user") or "") for m in messages if m["ts"] == ts), "")
            self.remember_asker(to.conversation.id, ts, known)
        return known

    def _drawing(self, to: Outbound) -> Drawing:
        return Drawing(self._texts(to), self._now())


def thread_of(to: Outbound) -> str:
    """The thread an answer belongs to."""
    return to.conversation.thread or ts_of(to.reply_to)


def mark(to: Outbound, key: str) -> Body:
    """What our messages carry, so that we know them again."""
    return {"event_type": EVENT_TYPE, "event_payload": {"key": key, "question": to.reply_to}}


def _ended(error: Refused) -> CitebotError:
    return error if error.code in FINAL else StreamEnded(str(error))
