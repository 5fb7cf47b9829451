"""What all who deal with people have at hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from citebot.conversing.chat import Chat, Markup, Said, Spawn
from citebot.conversing.people import People
from citebot.conversing.threads import Threads
from citebot.conversing.words import Texts
from citebot.model import Conversation, Visibility
from citebot.ports import Desk

PATIENCE = 2.5
"""Seconds to take what somebody typed or filled in: after three a platform says that we did not answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reception:
    """One team on one platform."""

    platform: str
    desk: Desk
    chat: Chat
    markup: Markup
    people: People
    threads: Threads
    texts_of: Callable[[str], Texts]
    """By locale."""
    now: Callable[[], datetime]
    spawn: Spawn
    command: str
    """What people type to ask for themselves."""

    async def help(self, texts: Texts) -> str:
        """How to use us."""
        return texts.help.format(bot=(await self.chat.us()).mention, command=self.command)

    async def where(self, channel: str, *, thread: str = "", visibility: Visibility = "private") -> Conversation:
        """A channel as a conversation."""
        return Conversation(self.platform, channel, (await self.chat.us()).tenant, thread, visibility)

    async def with_names(self, said: Said) -> str:
        """What somebody said, with the names of those it calls."""
        text = said.text
        for account in sorted(said.calls, key=len, reverse=True):
            text = text.replace(f"@{account}", f"@{(await self.people.member_or_guest(account)).name}")
        return text.strip()
