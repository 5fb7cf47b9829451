"""What is on show for one answer: its messages, as a stream or as messages that are edited, or only at the end.

A stream is the first choice, then one message that is edited, then nothing until the answer is complete. Whatever the
platform refuses on the way costs a step of this, never the answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Literal

import structlog

from citebot.errors import CannotShow, Retry, StreamEnded
from citebot.model import Answer, Citation
from citebot.ports import Capabilities, Message, Messages, Outbound, Streams
from citebot.showing.records import Records
from citebot.showing.splitting import split

log = structlog.get_logger("citebot.showing")

Way = Literal["stream", "edit", "end"]
Send = Callable[[], Awaitable[str]]
"""Sends a message and gives its id."""
AFTER = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
"""Seconds before each try to take back what we showed beside another process."""
ON_THEIR_WAY: set[asyncio.Task[None]] = set()
"""What is being sent: the event loop alone would not keep it."""


class Board:
    """The messages of one answer. One caller at a time."""

    def __init__(self, platform: Messages, capabilities: Capabilities, to: Outbound, records: Records) -> None:
        self._platform = platform
        self._limit = capabilities.text_limit
        self._stream_seconds = capabilities.stream_seconds
        self._to = to
        self._records = records
        self._streams: Streams | None = platform if capabilities.stream and isinstance(platform, Streams) else None
        self._edits = capabilities.edit
        self._way: Way = "stream" if self._streams else "edit" if capabilities.edit else "end"
        self._messages: list[str] = []
        self._unsure = False
        """The sending of a message was cut off: it may stand there all the same."""
        self._streaming = False
        self._streamed = ""
        self._stream_until = 0.0
        self.strange: Callable[[], Awaitable[bool]] | None = None
        """Whether somebody reads there for whom this was not written."""
        self.finished = False

    async def recall(self) -> None:
        """Take up what is on show, as far as we do not know it: an earlier process began it, or another goes on."""
        rows = await self._records.load()
        if [row.message_id for row in rows] == self._messages:
            return
        self._messages, self._streaming = [], False
        for row in rows:
            found = row.message_id or await self._platform.find(self._to, key=self._records.message_key(row.part))
            if found is None:
                await self._records.forget(row.part, None)
                break
            self._messages.append(await self._records.sent(row.part, found, stream=row.stream))
            self.finished = row.finished
            # Where its text stood is not known: nothing is added to it, it is ended and then edited.
            self._streaming = row.stream and not row.finished
            self._way = "edit" if self._way == "stream" else self._way
        self._unsure = False

    async def show(self, text: str, citations: tuple[Citation, ...], status: str) -> None:
        """Show what there is so far. Raises `Retry` only; a platform that cannot show it in between shows the end."""
        if self.finished:
            return
        try:
            await self._sure()
            if self._way == "stream":
                await self._extend(text)
            elif self._way == "edit":
                await self._edit_all(text, citations, status)
        except _Overtaken:
            await self.recall()
            await self.show(text, citations, status)
        except StreamEnded as error:
            log.info("stream ended early, editing from now on", why=str(error))
            self._way = "edit"
            await self.show(text, citations, status)
        except CannotShow as error:
            log.info("not shown before it is complete", why=str(error))
            self._way = "end"

    async def finish(self, text: str, answer: Answer | None) -> None:
        """Show the end. Raises `Retry` and `CannotShow`."""
        if self.finished:
            return
        pieces = split(text, self._limit)
        try:
            await self._sure()
            if self._streaming and await self._end_stream(text, answer):
                pieces = pieces[:1]
            else:
                await self._show_pieces(pieces, (), "", answer, self._retry(answer))
        except _Overtaken:
            await self.recall()
            await self.finish(text, answer)
            return
        for part in reversed(range(len(pieces), len(self._messages))):
            extra = self._messages.pop(part)
            await self._platform.remove(self._to, extra)
            await self._records.forget(part, extra)
        if answer is None or answer.unwritten != "waiting":
            await self._records.finish()  # else its end is still to come
        self.finished = True

    # --- as a stream ---------------------------------------------------------------------------------------------

    async def _extend(self, text: str) -> None:
        assert self._streams is not None, "the way is only taken with it"
        more = text[len(self._streamed) :]
        if not more:
            return
        if len(text) > self._limit or not text.startswith(self._streamed):
            raise StreamEnded("the text has become too long for one message")
        if not self._streaming:
            await self._begin_stream(self._streams)
        if asyncio.get_running_loop().time() >= self._stream_until:
            raise StreamEnded("its time is over")
        await self._streams.extend_stream(self._to, self._messages[0], more)
        self._streamed = text

    async def _begin_stream(self, streams: Streams) -> None:
        await self._send(0, partial(streams.begin_stream, self._to, key=self._records.message_key(0)), stream=True)
        self._streaming = True
        self._stream_until = asyncio.get_running_loop().time() + self._stream_seconds
        if self.strange is not None and await self.strange():  # it took its time
            raise CannotShow("Others read there now.")

    async def _end_stream(self, text: str, answer: Answer | None) -> bool:
        """End the stream; whether it shows the whole text then."""
        assert self._streams is not None, "the platform began it"
        whole = self._way == "stream" and text.startswith(self._streamed) and len(text) <= self._limit
        if whole and text != self._streamed:
            try:
                await self._streams.extend_stream(self._to, self._messages[0], text[len(self._streamed) :])
                self._streamed = text
            except StreamEnded as error:
                log.info("stream does not grow any more, editing its message", why=str(error))
                whole = False
        try:
            shown = Message(
                text if whole else self._streamed,
                answer=answer if whole else None,
                retry=self._retry(answer) if whole else "",
            )
            await self._streams.end_stream(self._to, self._messages[0], shown)
        except StreamEnded as error:
            log.info("stream cannot be ended, editing its message", why=str(error))
            whole = False
        self._streaming = False
        return whole

    # --- as messages that are edited -----------------------------------------------------------------------------

    async def _edit_all(self, text: str, citations: tuple[Citation, ...], status: str) -> None:
        if self._streaming:
            await self._end_stream(self._streamed, None)
        await self._show_pieces(split(text, self._limit), citations, status, None)

    async def _show_pieces(
        self, pieces: list[str], citations: tuple[Citation, ...], status: str, answer: Answer | None, retry: str = ""
    ) -> None:
        """Only the last piece changes while text comes, and one more when it is full."""
        first = 0 if answer is not None or not status else max(0, min(len(self._messages), len(pieces)) - 1)
        for part in range(first, len(pieces)):
            last = part == len(pieces) - 1
            message = Message(pieces[part])
            if last:
                message = Message(pieces[part], status, citations, answer, retry=retry)
            if part < len(self._messages):
                await self._change(self._messages[part], message)
            else:
                await self._post(part, message)

    def _retry(self, answer: Answer | None) -> str:
        return self._to.idempotency_key if answer is None or answer.unwritten == "given_up" else ""

    async def _change(self, message_id: str, message: Message) -> None:
        # Where nothing can be edited, it was posted whole before we died.
        if self._edits:
            await self._platform.edit(self._to, message_id, message)

    async def _post(self, part: int, message: Message) -> None:
        key = self._records.message_key(part)
        await self._send(part, partial(self._platform.post, self._to, message, key=key), stream=False)

    # --- beside other processes ----------------------------------------------------------------------------------

    async def _sure(self) -> None:
        """Nothing may be shown beside a message that may stand there."""
        if self._unsure:
            await self.recall()

    async def _send(self, part: int, send: Send, *, stream: bool) -> None:
        """Send a new message and note it. Who waits for it may be cut off: then it is noted, or removed, all the same.

        Else a process that stood still for longer than its lease would leave a message that nobody knows of.
        """
        sending = asyncio.create_task(self._send_and_note(part, send, stream=stream))
        ON_THEIR_WAY.add(sending)
        sending.add_done_callback(_arrived)
        try:
            await asyncio.shield(sending)
        except asyncio.CancelledError:
            self._unsure = True
            raise

    async def _send_and_note(self, part: int, send: Send, *, stream: bool) -> None:
        await self._begin(part, stream=stream)
        try:
            found = await send()
        except (StreamEnded, CannotShow, Retry) as error:
            await self._not_sent(part, error)
            raise
        except BaseException:
            self._unsure = True
            raise
        await self._take_up(part, found, stream=stream)

    async def _begin(self, part: int, *, stream: bool) -> None:
        if not await self._records.begin(part, stream=stream):
            raise _Overtaken

    async def _not_sent(self, part: int, error: Exception) -> None:
        """Unless the platform refused it or told us to come later, it may have been sent all the same."""
        self._unsure = isinstance(error, Retry) and error.after is None
        if not self._unsure:
            await self._records.forget(part, None)

    async def _take_up(self, part: int, found: str, *, stream: bool) -> None:
        if await self._records.sent(part, found, stream=stream) != found:
            await self._take_back(found)
            raise _Overtaken
        self._messages.append(found)

    async def _take_back(self, message_id: str) -> None:
        """Nobody else knows of it: what the platform does not do now is tried again, as long as that may help."""
        for pause in AFTER:
            await asyncio.sleep(pause)
            try:
                await self._platform.remove(self._to, message_id)
            except CannotShow as error:
                log.warning("a message that stands there twice cannot be taken back", why=str(error))
                return
            except Retry as error:
                log.info("a message that stands there twice is not taken back yet", why=str(error))
            else:
                return


def _arrived(sending: asyncio.Task[None]) -> None:
    ON_THEIR_WAY.discard(sending)
    if not sending.cancelled():
        sending.exception()  # taken, so that nobody complains of one that no one waits for any more


class _Overtaken(Exception):
    """Another process shows this answer too: what it has noted first is what counts."""
