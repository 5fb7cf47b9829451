"""Forum posts: answered where the forum was opened for it, tagged when they are answered, and when the answer helped.

The text of a post cannot be read unless it mentions us; what it is called can, and is mostly the question.
"""

from __future__ import annotations

import discord
import structlog

from citebot.conversing.chat import Said
from citebot.errors import CannotShow, CitebotError
from citebot.ports import Message, Outbound
from citebot_connectors.platforms.discord.calling import Wire
from citebot_connectors.platforms.discord.people import age_restricted
from citebot_connectors.platforms.discord.reading import Threads, said_of
from citebot_connectors.platforms.discord.rooms import Hall

log = structlog.get_logger("citebot.discord")

TAGS_MOST = 5


class Forums:
    """What happens in forums."""

    def __init__(self, hall: Hall) -> None:
        self._hall = hall
        self._wire: Wire = hall.wire
        self._threads: Threads = hall.threads

    async def opened(self, thread: discord.Thread) -> None:
        """A post: a question that calls nobody, unless its text mentions us, which is heard as a message."""
        if not isinstance(thread.parent, discord.ForumChannel) or age_restricted(thread):
            return
        room = self._hall.of(thread.guild)
        us = (await room.us()).account
        try:
            found = await self._threads.messages(str(thread.id), most=5, after=thread.id - 1)
        except CannotShow:
            return
        first = next((one for one in found if one.id == thread.id), None)
        if first is None or first.author.bot or (said := said_of(first, us)).calls_us:
            return
        self._hall.met(first.author)
        post = Said(str(thread.parent_id), str(thread.id), said.at, said.author, f"{thread.name}\n{said.text}".strip())
        await room.heard(post)

    async def shown(self, to: Outbound, message: Message, channel: str) -> None:
        """An answer is shown."""
        if message.answer is not None and message.answer.answered:
            await self._tag(channel, self._hall.settings.answered_tag)

    async def solved(self, channel: str) -> None:
        """Somebody says that it helped."""
        try:
            await self._tag(channel, self._hall.settings.solved_tag)
        except CitebotError as error:
            log.info("post not tagged", why=str(error))

    async def _tag(self, channel: str, name: str) -> None:
        thread = self._wire.at.get_channel(int(channel))
        if not isinstance(thread, discord.Thread) or not isinstance(thread.parent, discord.ForumChannel):
            return
        tag = next((one for one in thread.parent.available_tags if one.name.casefold() == name.casefold()), None)
        has = [one.id for one in thread.applied_tags]
        if tag is None or tag.id in has or len(has) >= TAGS_MOST:
            return
        if thread.permissions_for(thread.guild.me).manage_threads:
            body = {"applied_tags": [str(one) for one in (*has, tag.id)]}
            await self._wire.call("PATCH", "/channels/{channel_id}", body=body, channel_id=channel)
