"""One server as the core talks with it, or all direct messages; and all of these together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any

import discord
import structlog

from citebot.answering.attached import fitted
from citebot.conversing.asking import Asking
from citebot.conversing.attachments import FILES_MOST, PATIENCE, is_text, text_of
from citebot.conversing.buttons import Buttons
from citebot.conversing.catching_up import CatchUp, Reach
from citebot.conversing.chat import Said, Us
from citebot.conversing.hearing import Hearing
from citebot.conversing.known import FRESH, Lately
from citebot.conversing.orders import Orders
from citebot.conversing.people import People
from citebot.conversing.reception import Reception
from citebot.conversing.tasks import Tasks
from citebot.conversing.threads import Threads as KnownThreads
from citebot.errors import CitebotError
from citebot.model import Attachment, Conversation
from citebot.ports import Desk, News, Outbound, Vault
from citebot_connectors.platforms.discord.calling import FAILURES, Wire
from citebot_connectors.platforms.discord.drawing import words
from citebot_connectors.platforms.discord.history import History
from citebot_connectors.platforms.discord.markup import MARKUP
from citebot_connectors.platforms.discord.outlet import Outlet
from citebot_connectors.platforms.discord.people import MET, Directory, Faces
from citebot_connectors.platforms.discord.places import DIRECT, nonce, token_of
from citebot_connectors.platforms.discord.reading import Threads
from citebot_connectors.platforms.discord.settings import DiscordSettings
from citebot_connectors.platforms.discord.texts import Texts, texts_for

if TYPE_CHECKING:
    from citebot_connectors.platforms.discord.apart import Apart

log = structlog.get_logger("citebot.discord")

COMMAND = "/ask"
KEPT = 10_000
MARK_EVERY = 120.0
"""Seconds between two writings of how far a server was heard; there may be thousands."""


class Room:
    """`citebot.conversing.chat.Chat` in one server, and what the core does there."""

    def __init__(self, hall: Hall, tenant: str) -> None:
        self._hall = hall
        self._wire = hall.wire
        self.tenant = tenant
        self.directory = Directory(hall.wire, hall.faces, tenant)
        self.people = People(self.directory, clock=hall.clock, fresh=FRESH - MET)
        self._tasks = Tasks()
        self._known = KnownThreads(self.thread)
        self.at = Reception(
            platform="discord",
            desk=hall.desk,
            chat=self,
            markup=MARKUP,
            people=self.people,
            threads=self._known,
            texts_of=self.texts_of,
            now=hall.now,
            spawn=self._tasks.spawn,
            command=COMMAND,
        )
        self.hearing = Hearing(self.at)
        self.asking, self.buttons, self.orders = Asking(self.at), Buttons(self.at), Orders(self.at)
        self.catch_up = CatchUp(
            self.at,
            self.hearing,
            History(self, hall.wire, hall.threads, hall.marks),
            hall.marks,
            Reach(hall.settings.catch_up * 3600, keep=MARK_EVERY),
            heard=hall.heard,
            now=lambda: hall.now().timestamp(),
        )
        self._looking_back = False
        self._spreading = False

    def changed(self) -> None:
        """Others may read here now than before; all processes must know."""
        self.people.forget_places()
        if not self._spreading:
            self._spreading = True
            self._tasks.spawn(self._spread())

    async def _spread(self) -> None:
        self._spreading = False  # what changes from now on is told again
        try:
            await self.at.desk.spread(News("channel", self.tenant, ""))
        except CitebotError as error:
            log.warning("a change is not told to other processes, they find it later", why=str(error))

    def look_back(self) -> None:
        """Find what was missed, from now on whenever something was."""
        if not self._looking_back:
            self._looking_back = True
            self._tasks.spawn(self._keep_looking_back())

    async def _keep_looking_back(self) -> None:
        try:
            await self.catch_up.run()
        finally:
            self._looking_back = False

    async def end(self) -> None:
        """Nothing more is done here."""
        await self._tasks.end()

    @property
    def guild(self) -> discord.Guild | None:
        """The server, None for direct messages and while it is not known."""
        client = self._wire.client
        return client.get_guild(int(self.tenant)) if client is not None and self.tenant.isdigit() else None

    def texts_of(self, locale: str) -> Texts:
        """The texts for somebody with this locale."""
        chosen = self._hall.settings.language
        if chosen == "auto" and not locale and self.guild is not None:
            locale = self.guild.preferred_locale.value
        return texts_for(locale if chosen == "auto" else chosen)

    async def heard(self, said: Said) -> None:
        """Take a message; one that could not be stored is read again later."""
        try:
            await self.hearing.heard(said)
        except CitebotError as error:
            log.warning("message not taken, it is read again", why=str(error))
            self.catch_up.missed(said.at - 1)

    # -- `Chat` ---------------------------------------------------------------------------------------------------

    async def us(self) -> Us:
        user = self._wire.at.user
        assert user is not None, "a client that is ready knows itself"
        return Us(str(user.id), self.tenant, user.mention)

    async def thread(self, channel: str, thread: str) -> Sequence[Said]:
        return await self._hall.threads.said(channel, thread, direct=self.tenant == DIRECT)

    async def attached(self, question: str, files: Sequence[Any]) -> tuple[tuple[Attachment, ...], tuple[str, ...]]:
        found = await asyncio.gather(*(_text(file) for file in files[:FILES_MOST]))
        named = [(str(file.filename), text) for file, text in zip(files, [*found, *[""] * len(files)], strict=False)]
        texts = [Attachment(name, text) for name, text in named if text]
        return fitted(question, texts), tuple(name for name, text in named if not text)

    def asked_by(self, said: Said) -> None:
        """Whom an answer is for comes with it."""

    async def post(self, channel: str, text: str) -> str:
        key = f"{channel}:{text}:{self._hall.now().timestamp()}"
        return await self._wire.send(channel, words(text), nonce=nonce(key))

    async def tell(self, said: Said, text: str) -> None:
        where = said.channel if said.direct else await self._wire.direct(said.author)
        await self._wire.send(where, words(text), nonce=nonce(f"{said.id} {text}"))

    async def withdraw(self, said: Said) -> None:
        inside = said.thread and said.thread != said.id
        await self._hall.outlet.withdraw(said.thread if inside else said.channel, said.id)


class Hall:
    """What all servers share."""

    def __init__(
        self,
        wire: Wire,
        settings: DiscordSettings,
        *,
        marks: Vault,
        now: Callable[[], datetime],
        clock: Callable[[], float],
    ) -> None:
        self.wire = wire
        self.settings = settings
        self.marks = marks
        self.now = now
        self.clock = clock
        self.faces = Faces(wire, settings, clock=clock)
        self.threads = Threads(wire)
        self.outlet = Outlet(wire, self.threads, texts=self._texts_to, now=now)
        self.directs: Lately[str, None] = Lately(KEPT)
        """Direct messages that are noted."""
        self.heard: Callable[[], float] = lambda: 0.0
        self.desk: Desk = None  # type: ignore[assignment]  # set by `open`, before there is a room that asks it
        self.connected = asyncio.Event()
        self.apart: Apart | None = None
        """Set where another process listens."""
        self._rooms: dict[str, Room] = {}

    def open(self, desk: Desk, *, connected: asyncio.Event, heard: Callable[[], float]) -> None:
        """Begin to work for a desk."""
        self.desk, self.heard, self.connected = desk, heard, connected
        self.faces.current = connected.is_set
        self._rooms.clear()  # those from before know no desk

    @staticmethod
    async def come_in(connected: asyncio.Event, *, patience: float) -> None:
        """Wait a little for the connection at the start, and while it is renewed."""
        with suppress(TimeoutError):
            async with asyncio.timeout(patience):
                await connected.wait()

    def room(self, tenant: str) -> Room:
        """One server, or `DIRECT`."""
        if tenant not in self._rooms:
            self._rooms[tenant] = Room(self, tenant)
        return self._rooms[tenant]

    async def looked(self, conversation: Conversation) -> Room:
        """The same, with what is known of it as it is now. Raises `Retry` and `CannotShow`."""
        if self.apart is not None:
            await self.apart.look(conversation.tenant)
        return self.room(conversation.tenant)

    def heed(self, news: News) -> None:
        """Another process was told that something about a server has changed."""
        if self.apart is not None:
            self.apart.forget(news.tenant)
        if (room := self._rooms.get(news.tenant)) is not None:
            room.people.forget_places()

    def met(self, user: discord.Member | discord.User, locale: str = "") -> None:
        """An event tells of somebody; Discord tells of new roles in no other way."""
        if self.faces.met(user, locale):
            for room in self.rooms:
                room.people.forget_member(str(user.id))

    def of(self, where: discord.Guild | None) -> Room:
        """The same, where something happened."""
        return self.room(DIRECT if where is None or where.me is None else str(where.id))

    @property
    def rooms(self) -> list[Room]:
        """Those in which something has happened."""
        return [*self._rooms.values()]

    async def close(self, tenant: str = "") -> None:
        """End one, or all."""
        for name in [tenant] if tenant else [*self._rooms]:
            if (room := self._rooms.pop(name, None)) is not None:
                await room.end()

    def _texts_to(self, to: Outbound) -> Texts:
        token = token_of(to.reply_to)
        locale = token.locale if token else self.faces.locales.get(to.account, "")
        return self.room(to.conversation.tenant).texts_of(locale)


async def _text(file: discord.Attachment) -> str:
    """The text of one file, empty for one that is not read."""
    if not is_text(file.filename, file.content_type or "", file.size):
        return ""
    try:
        async with asyncio.timeout(PATIENCE):
            return text_of(await file.read())
    except FAILURES as error:
        log.info("attached file not read", why=type(error).__name__)
        return ""
