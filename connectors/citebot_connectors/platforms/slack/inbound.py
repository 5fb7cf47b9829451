"""What Slack brings to the core. A handler returns only once a question is stored; then Bolt acknowledges."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from citebot.conversing.chat import Said, Us
from citebot.conversing.hearing import Hearing
from citebot.conversing.people import People
from citebot.model import Attachment
from citebot.ports import News
from citebot_connectors.platforms.slack.calling import Body, Web
from citebot_connectors.platforms.slack.files import Files
from citebot_connectors.platforms.slack.live import Live
from citebot_connectors.platforms.slack.outlet import Outlet
from citebot_connectors.platforms.slack.paging import next_cursor
from citebot_connectors.platforms.slack.threads import SPOKEN, Threads, said_of

KINDS = ("public_channel", "private_channel", "mpim", "im")
PAGE = 200


class Room:
    """One workspace as the core talks with it: `citebot.conversing.chat.Chat`."""

    def __init__(self, web: Web, threads: Threads, outlet: Outlet, live: Live | None) -> None:
        self._web = web
        self._threads = threads
        self._outlet = outlet
        self._live = live
        self._files = Files(web)

    async def us(self) -> Us:
        us = await self._web.identity()
        return Us(us.user, us.team, f"<@{us.user}>")

    async def thread(self, channel: str, thread: str) -> Sequence[Said]:
        return await self._threads.said(channel, thread)

    async def attached(self, question: str, files: Sequence[Any]) -> tuple[tuple[Attachment, ...], tuple[str, ...]]:
        return await self._files.read(question, files)

    def asked_by(self, said: Said) -> None:
        self._outlet.remember_asker(said.channel, said.id, said.author)
        if self._live is not None:
            self._live.keep(said)

    async def post(self, channel: str, text: str) -> str:
        return str(
            (
                await self._web.post(
                    "chat.postMessage", channel=channel, text=text, unfurl_links=False, unfurl_media=False
                )
            )["ts"]
        )

    async def tell(self, said: Said, text: str) -> None:
        where: Body = {"channel": said.channel, "thread_ts": said.thread or None, "text": text}
        if said.direct:
            await self._web.post("chat.postMessage", **where, unfurl_links=False, unfurl_media=False)
        else:
            await self._web.write("chat.postEphemeral", **where, user=said.author)

    async def withdraw(self, said: Said) -> None:
        for ts in await self._outlet.answers_to(said.channel, said.root, said.id):
            await self._outlet.delete(said.channel, ts)


class Events:
    """Handlers of events, whichever way they came in."""

    def __init__(
        self, web: Web, people: People, hearing: Hearing, *, spread: Callable[[News], Awaitable[None]]
    ) -> None:
        self._web = web
        self._people = people
        self._hearing = hearing
        self._spread = spread

    async def mention(self, body: Body) -> None:
        """`app_mention`; a `message` event about the same message comes too where we get these."""
        await self._hearing.heard(await self._said(body["event"], body["event"]))

    async def message(self, body: Body) -> None:
        """`message`: in a direct message a question, in a channel one where we are meant."""
        event = body["event"]
        now, before = event.get("message") or {}, event.get("previous_message") or {}
        match event.get("subtype") or "":
            case "message_changed" if now.get("subtype") != "tombstone":
                was = await self._said({**before, "ts": now["ts"]}, event)
                await self._hearing.changed(await self._said(now, event), was)
            case "message_changed" | "message_deleted":  # with a tombstone the first message of a thread
                ts = now.get("ts") or event.get("deleted_ts") or before.get("ts")
                await self._hearing.deleted(await self._said({**before, "ts": ts}, event))
            case subtype if subtype in SPOKEN:
                await self.mention(body)

    async def membership(self, body: Body) -> None:
        """Somebody came or went, or the channel is another one now."""
        channel = _id(body["event"].get("channel"))
        self._people.forget_channel(channel)
        await self._spread(News("channel", (await self._web.identity()).team, channel))

    async def person_changed(self, body: Body) -> None:
        """What is known of a user may be wrong."""
        user = _id(body["event"].get("user"))
        self._people.forget_member(user)
        await self._spread(News("person", (await self._web.identity()).team, user))

    async def stopped(self, body: Body) -> None:
        """The native stop button."""
        await self._hearing.stopped(body["event"]["channel"], body["event"]["thread_ts"])

    async def _said(self, message: Body, event: Body) -> Said:
        us = (await self._web.identity()).user
        return said_of(message, us, str(event["channel"]), direct=event.get("channel_type") == "im")


class History:
    """What can be read back: `citebot.conversing.catching_up.Archive`."""

    kinds = KINDS

    def __init__(self, web: Web) -> None:
        self._web = web

    async def places(self, kind: str, cursor: str) -> tuple[Sequence[str], str]:
        body = await self._web.read(
            "users.conversations", types=kind, exclude_archived=True, limit=PAGE, cursor=cursor or None
        )
        # A channel that is taken for a direct message would be all questions.
        found = [str(one["id"]) for one in body["channels"] if bool(one.get("is_im")) == (kind == "im")]
        return found, next_cursor(body)

    async def said(self, channel: str, kind: str, *, since: float, cursor: str) -> tuple[Sequence[Said], str]:
        us = (await self._web.identity()).user
        body = await self._web.read(
            "conversations.history", channel=channel, oldest=f"{since:.6f}", limit=PAGE, cursor=cursor or None
        )
        return [said_of(one, us, channel, direct=kind == "im") for one in body["messages"]], next_cursor(body)


def _id(found: object) -> str:
    return str(found["id"] if isinstance(found, dict) else found)
