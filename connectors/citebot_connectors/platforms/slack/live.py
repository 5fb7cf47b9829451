"""Slack's own search at the moment of a question, as whoever asks it. Nothing of it is kept.

Slack lets an app search as a person with a ticket (`action_token`) that comes with what they write to the app. Tickets
are in memory alone: after a restart, or in another process, a question is answered from the documents.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from citebot.conversing.chat import Said
from citebot.conversing.known import Lately
from citebot.conversing.people import People
from citebot.errors import CannotShow
from citebot.model import EVERYONE, Readers, channel_principal
from citebot.ports import LivePassage, Outbound
from citebot_connectors.platforms.slack.calling import Body, Web
from citebot_connectors.platforms.slack.markup import plain
from citebot_connectors.platforms.slack.private import is_private
from citebot_connectors.platforms.slack.questions import ts_of

TICKETS = 1_000
TICKET_SECONDS = 600.0
FOUND_MOST = 10
QUERY_MOST = 500
NO_TICKET = "Slack did not let us search for this question."


class Live:
    """Searches the public channels of one workspace."""

    def __init__(self, web: Web, people: People, *, clock: Callable[[], float]) -> None:
        self._web = web
        self._people = people
        self._clock = clock
        self._tickets: Lately[tuple[str, str], tuple[float, str]] = Lately(TICKETS)

    def keep(self, said: Said) -> None:
        """Remember the ticket of a question."""
        if said.ticket:
            self._tickets[said.channel, said.named] = (self._clock() + TICKET_SECONDS, said.ticket)

    async def search(self, to: Outbound, text: str) -> Sequence[LivePassage] | None:
        """Messages about a text; None for questions that never have a ticket. Raises `Retry` and `CannotShow`."""
        if is_private(to.conversation):
            return None
        until, ticket = self._tickets.get((to.conversation.id, to.reply_to), (0.0, ""))
        if self._clock() >= until:
            raise CannotShow(NO_TICKET)
        asked = ts_of(to.reply_to)
        body = await self._web.form(
            "assistant.search.context",
            query=text[:QUERY_MOST],
            action_token=ticket,
            channel_types="public_channel",
            content_types="messages",
            before=str(int(float(asked)) + 1),
            limit=str(FOUND_MOST),
        )
        found: Sequence[Body] = (body.get("results") or {}).get("messages") or ()
        # The question itself is a message too, and fits best.
        others = [one for one in found if one.get("message_ts") != asked and not one.get("is_author_bot")]
        passages = await asyncio.gather(*(self._passage(one, to.conversation.tenant) for one in others))
        return [one for one in passages if one is not None]

    async def _passage(self, message: Body, team: str) -> LivePassage | None:
        channel, ts = str(message["channel_id"]), str(message["message_ts"])
        try:
            place = await self._people.place(channel)
        except CannotShow:
            return None  # who reads there is not known
        # Of what the asker may read only this is open to more than one channel: Slack's guests see no public ones.
        everyone = {EVERYONE} if place.visibility == "public" else set()
        readers = Readers(frozenset({channel_principal("slack", team, channel), *everyone}))
        return LivePassage(
            source="slack",
            id=f"{channel}:{ts}",
            title=place.name or channel,
            text=plain(str(message.get("content") or ""), self._people.name_of),
            url=str(message.get("permalink") or ""),
            readers=readers,
            written=datetime.fromtimestamp(float(ts), UTC),
            trust="team" if everyone else "open",
        )
