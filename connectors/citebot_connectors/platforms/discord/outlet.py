"""Shows messages: what `Messages` asks of a platform.

By the token of an interaction as long as that lives, else in the channel, or in a direct message.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime

import discord
import structlog

from citebot.conversing.known import Lately
from citebot.errors import CannotShow, CitebotError
from citebot.ports import Message, Outbound
from citebot_connectors.platforms.discord.calling import (
    ARCHIVED,
    EPHEMERAL,
    EXPIRED,
    UNKNOWN_MESSAGE,
    Body,
    Refused,
    Wire,
)
from citebot_connectors.platforms.discord.drawing import TAKE, Drawing, Setting, button, words
from citebot_connectors.platforms.discord.markup import escaped
from citebot_connectors.platforms.discord.places import (
    DIRECT,
    Token,
    id_of,
    is_alone,
    mark,
    nonce,
    stem,
    thread_of,
    token_of,
    who_is_alone,
)
from citebot_connectors.platforms.discord.reading import Threads, number_of
from citebot_connectors.platforms.discord.texts import Texts

log = structlog.get_logger("citebot.discord")

KEPT = 1_000
"""Interactions of the last minutes; of those before the database knows the question."""
PARTS_KEPT = 10_000
ORIGINAL = "@original"
YOUNG = 4.0
"""Seconds in which an interaction that Discord does not know yet may still be acknowledged by another process."""
AGAIN = 0.2
PATIENCE = 5.0


class Outlet:
    """Messages of all servers."""

    def __init__(
        self, wire: Wire, threads: Threads, *, texts: Callable[[Outbound], Texts], now: Callable[[], datetime]
    ) -> None:
        self._wire = wire
        self._threads = threads
        self._texts = texts
        self._now = now
        self._questions: Lately[str, str] = Lately(KEPT)
        self._acks: Lately[str, asyncio.Event] = Lately(KEPT)
        self._parts: Lately[str, int] = Lately(PARTS_KEPT)
        """By message."""
        self.shown: Callable[[Outbound, Message, str], Awaitable[None]] | None = None
        """Hears of every whole answer, and the channel it is shown in."""

    # -- messages -------------------------------------------------------------------------------------------------

    async def post(self, to: Outbound, message: Message, *, key: str) -> str:
        """Send it, or what is known under its key. Raises `Retry` and `CannotShow`."""
        body = self._draw(to, message, key)
        sent, where = await self._post(to, body, key, first=key.endswith("-0") and message.inquiry is None)
        await self._complete(to, message, where)
        return sent

    async def edit(self, to: Outbound, message_id: str, message: Message) -> None:
        """Show something else in a message."""
        key = f"{to.idempotency_key}-{self._parts.get(message_id, 0)}"
        body = self._draw(to, message, key)
        if not await self._by_token(to, "PATCH", message_id, body):
            if is_alone(to.conversation):
                await self._late(to, message_id, message, body)
                return
            await self._opened(await self._channel(to), message_id, body)
        await self._complete(to, message, await self._channel(to) if not is_alone(to.conversation) else "")

    async def remove(self, to: Outbound, message_id: str) -> None:
        """Take a message back."""
        if await self._by_token(to, "DELETE", message_id) or is_alone(to.conversation):
            return
        await self._wire.delete(await self._channel(to), message_id)

    async def find(self, to: Outbound, *, key: str) -> str | None:
        """Our message with this key.

        What only one person sees cannot be looked for; its first part is sent by a call that may be made twice.
        """
        if is_alone(to.conversation):
            return None
        try:
            async for message in self._threads.ours(await self._channel(to), after=id_of(to.reply_to)):
                if number_of(message) == mark(key):
                    return self._remembered(key, str(message.id))
        except Refused as error:
            log.warning("cannot look for a message that may have been sent", why=str(error))
        return None

    # -- ways of sending ------------------------------------------------------------------------------------------

    async def _post(self, to: Outbound, body: Body, key: str, *, first: bool) -> tuple[str, str]:
        """The id of the message, and the channel where it stands; empty for what one person sees."""
        alone = is_alone(to.conversation)
        token = token_of(to.reply_to)
        if token is not None and token.lives(self._now()):
            hidden = {"flags": body["flags"] | EPHEMERAL} if alone else {}
            method, which, sent = ("PATCH", ORIGINAL, body) if first else ("POST", "", body | hidden)
            try:
                made = await self._hook(token, method, which, sent)
                return self._remembered(key, str(made["id"])), str(made.get("channel_id") or "")
            except Refused as error:
                if error.code not in EXPIRED:
                    raise
        where = await self._wire.direct(who_is_alone(to.conversation)) if alone else await self._channel(to)
        reference = {"message_reference": {"message_id": id_of(to.reply_to), "fail_if_not_exists": False}}
        answers = {} if token is not None or not _is_message(to) else reference
        return self._remembered(key, await self._wire.send(where, body | answers, nonce=nonce(key))), where

    async def _by_token(self, to: Outbound, method: str, message_id: str, body: Body | None = None) -> bool:
        """Change a message by the token of its interaction; whether that still works."""
        token = token_of(to.reply_to)
        if token is None or not token.lives(self._now()):
            return False
        await self._wire.take_turn(message_id)
        try:
            await self._hook(token, method, message_id, body)
        except Refused as error:
            if error.code == UNKNOWN_MESSAGE:
                return method == "DELETE"
            if error.code not in EXPIRED:
                raise
            return False
        return True

    async def _hook(self, token: Token, method: str, message: str, body: Body | None) -> Body:
        """A call by a token, as soon as its interaction is acknowledged, here or by the process that took it."""
        if (event := self._acks.get(token.interaction)) is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(PATIENCE):
                    await event.wait()
        while True:
            try:
                return await self._wire.hook(method, token.token, message, body)
            except Refused as error:
                elsewhere = event is None and 0 <= token.age(self._now()) < YOUNG
                if error.code not in EXPIRED or not elsewhere:
                    raise
            await asyncio.sleep(AGAIN)

    async def _late(self, to: Outbound, message_id: str, message: Message, body: Body) -> None:
        """What one person sees beside a command cannot be changed any more: the end comes in a direct message.

        Where that was too late from the beginning, it stands there already.
        """
        where = await self._wire.direct(who_is_alone(to.conversation))
        try:
            await self._wire.edit(where, message_id, body)
        except Refused as error:
            if error.code != UNKNOWN_MESSAGE:
                raise
            if message.answer is not None or not message.status:
                key = f"{to.idempotency_key}-{self._parts.get(message_id, 0)}"
                await self._wire.send(where, body, nonce=nonce(key))

    async def _opened(self, channel: str, message_id: str, body: Body) -> None:
        """Edit a message; a thread that was archived meanwhile is opened for it, unless it is locked."""
        try:
            await self._wire.edit(channel, message_id, body)
        except Refused as error:
            if error.code != ARCHIVED:
                raise
            await self._wire.call("PATCH", "/channels/{channel_id}", body={"archived": False}, channel_id=channel)
            await self._wire.edit(channel, message_id, body)

    async def _channel(self, to: Outbound) -> str:
        """Where an answer stands."""
        if is_alone(to.conversation):
            raise CannotShow("Only one person sees it.")
        if thread := thread_of(to):
            return thread
        channel = self._wire.at.get_channel(int(to.conversation.id))
        forum = isinstance(channel, discord.ForumChannel)
        return to.conversation.thread if forum else to.conversation.id

    async def offer_alone(self, to: Outbound, answer_id: str) -> None:
        """Tell the asker alone that there is an answer for them: beside their command, else in a direct message."""
        texts, question = self._texts(to), id_of(to.reply_to)
        taking = button(TAKE, f"{answer_id}:{question}", texts.answer_alone)
        said = words(escaped(texts.offer_alone), taking)
        token = token_of(to.reply_to)
        if token is not None and token.lives(self._now()):
            await self._hook(token, "POST", "", said | {"flags": said["flags"] | EPHEMERAL})
        elif to.account:
            where = await self._wire.direct(to.account)
            await self._wire.send(where, said, nonce=nonce(f"alone {answer_id}"))

    # -- for what people do ---------------------------------------------------------------------------------------

    def acknowledging(self, interaction: str) -> asyncio.Event:
        """An interaction is about to be acknowledged; nothing is shown by its token before the event is set."""
        self._acks[interaction] = asyncio.Event()
        return self._acks[interaction]

    def remember_question(self, message_id: str, text: str) -> None:
        """What an interaction asked, which nobody sees otherwise."""
        self._questions[id_of(message_id)] = text

    async def withdraw(self, channel: str, question: str) -> None:
        """Take back what answers a question."""
        try:
            found = [one async for one in self._threads.ours(channel, after=id_of(question), most=50)]
        except CannotShow:
            return
        for message in found:
            if message.reference and str(message.reference.message_id) == id_of(question):
                await self._wire.delete(channel, str(message.id))

    async def delete_whole(self, channel: str, message_id: str, number: int) -> None:
        """Take back all messages of an answer, of which the last is known."""
        for message in await self._threads.messages(channel, most=25, before=int(message_id)):
            ours = message.author == self._wire.at.user
            if ours and number and stem(number_of(message)) == stem(number):
                await self._wire.delete(channel, str(message.id))
        await self._wire.delete(channel, message_id)

    # -- inside ---------------------------------------------------------------------------------------------------

    def _draw(self, to: Outbound, message: Message, key: str) -> Body:
        where = to.conversation
        asked = self._questions.get(id_of(to.reply_to), "")
        if not asked and message.answer is not None and token_of(to.reply_to) is not None:
            asked = message.answer.question.text  # after a restart
        alone = is_alone(where)
        in_channel = not alone and where.tenant != DIRECT and where.visibility != "dm"
        setting = Setting(
            alone=alone,
            shareable=alone and where.tenant != DIRECT,
            direct=not in_channel and not alone,
            threads=in_channel and not thread_of(to) and self._makes_threads(where.id),
            asked=asked if key.endswith("-0") else "",
        )
        return Drawing(self._texts(to), self._now(), setting).message(message, mark=mark(key))

    def _makes_threads(self, channel: str) -> bool:
        found = self._wire.at.get_channel(int(channel)) if channel.isdigit() else None
        return isinstance(found, discord.TextChannel)

    async def _complete(self, to: Outbound, message: Message, channel: str) -> None:
        if self.shown is not None and message.answer is not None and channel:
            try:
                await self.shown(to, message, channel)
            except CitebotError as error:
                log.info("post not tagged", why=str(error))

    def _remembered(self, key: str, message_id: str) -> str:
        self._parts[message_id] = int(key.rpartition("-")[2])
        return message_id


def _is_message(to: Outbound) -> bool:
    return id_of(to.reply_to).isdigit()
