"""The Home tab, and what is suggested in the Messages tab."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

import structlog

from citebot.conversing.people import Member
from citebot.conversing.reception import Reception
from citebot.conversing.sources import source_lines
from citebot.errors import CitebotError
from citebot.ports import SourceStatus
from citebot_connectors.platforms.slack.blocks import context, header, section
from citebot_connectors.platforms.slack.calling import Body, Web
from citebot_connectors.platforms.slack.manifest import prompts
from citebot_connectors.platforms.slack.markup import MARKUP
from citebot_connectors.platforms.slack.texts import Texts

log = structlog.get_logger("citebot.slack")


LINES = 5
"""In one section, which has room for them however long and odd the names are."""


class Home:
    """What people see when they open the app."""

    def __init__(
        self, at: Reception, web: Web, *, texts_of: Callable[[str], Texts], suggestions: Sequence[str] = ()
    ) -> None:
        self._at = at
        self._web = web
        self._texts_of = texts_of
        self._suggestions = suggestions

    async def opened(self, body: Body) -> None:
        """`app_home_opened`: acknowledged at once, because nothing is lost when it fails."""
        self._at.spawn(self._show(body["event"]))

    async def _show(self, event: Body) -> None:
        try:
            member = await self._at.people.member(event["user"])
            if event.get("tab") == "messages":
                await self._suggest(event["channel"], self._texts_of(member.locale))
            else:
                await self._publish(member)
        except CitebotError as error:
            log.info("home not shown", tab=event.get("tab"), why=str(error))

    async def _publish(self, member: Member) -> None:
        texts = self._texts_of(member.locale)
        us = await self._web.identity()
        sources = await self._at.desk.sources(member.person)
        view = home_view(texts, sources, bot=us.user, command=self._at.command, now=self._at.now())
        await self._web.write("views.publish", user_id=member.account, view=view)

    async def _suggest(self, channel: str, texts: Texts) -> None:
        await self._web.write(
            "assistant.threads.setSuggestedPrompts",
            channel_id=channel,
            title=texts.prompts_title,
            prompts=prompts(texts, self._suggestions),
        )


def home_view(texts: Texts, sources: Sequence[SourceStatus], *, bot: str, command: str, now: datetime) -> Body:
    """The Home tab of one person: what is searched for them, how to ask, what happens to their questions."""
    how = texts.how.format(bot=f"<@{bot}>", command=command)
    lines = source_lines(texts, sources, now=now, markup=MARKUP)
    searched = [f"• {line}" for line in lines] or [texts.no_sources]
    return {
        "type": "home",
        "blocks": [
            header(texts.home_title),
            section(texts.home_intro),
            header(texts.how_heading),
            section(how),
            header(texts.sources_heading),
            *(section("\n".join(searched[start : start + LINES])) for start in range(0, len(searched), LINES)),
            header(texts.privacy_heading),
            context(texts.privacy),
        ],
    }
