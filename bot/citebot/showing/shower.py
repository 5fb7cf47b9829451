"""Opens answers on a platform that has messages."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import structlog

from citebot.errors import CitebotError, Retry
from citebot.model import Answer, Citation, Conversation, Person, Status
from citebot.ports import Messages, OpenAnswer, OpensAnswers, Outbound, Platform, ShowsStatus
from citebot.showing.board import Board
from citebot.showing.records import Records
from citebot.storage import Database

log = structlog.get_logger("citebot.showing")

KEPT = 200
"""Answers that are open here: of those that another process ends we never hear, and the oldest are let go."""
SOMEBODY = Person("")
"""In place of the asker, whom the readers are not compared by."""

Opener = Callable[[Outbound], Awaitable[OpenAnswer]]


SeenBy = Callable[[Conversation, Person], Awaitable[frozenset[Person] | None]]


def opener(platform: Platform, database: Database, *, seen_by: SeenBy | None = None) -> Opener:
    """How an answer is opened on a platform: its own way if it has one. `seen_by` stands for that of the platform."""
    return platform.open_answer if isinstance(platform, OpensAnswers) else Shower(platform, database, seen_by).open


class Shower:
    """Hands out the writer of an answer; whoever opens it again takes it over, and the earlier writer is mute."""

    def __init__(self, platform: Platform, database: Database, seen_by: SeenBy | None = None) -> None:
        assert isinstance(platform, Messages), "platforms show answers as messages, or open them by themselves"
        self._platform: Messages = platform
        self._seen_by = seen_by or platform.seen_by
        self._capabilities = platform.capabilities
        self._database = database
        self._open: dict[str, _Showing] = {}

    async def open(self, to: Outbound) -> OpenAnswer:
        """Begin to show an answer, or go on with one of the same key."""
        key = to.idempotency_key
        showing = self._open.get(key)
        if showing is None:
            board = Board(self._platform, self._capabilities, to, Records(self._database, key))
            showing = self._open[key] = _Showing(board)
            while len(self._open) > KEPT:
                self.forget(next(iter(self._open)))
        return await _Writer(self, showing, to).begin()

    def forget(self, key: str) -> None:
        """What is on show is in the database: whoever opens the answer again finds it there."""
        self._open.pop(key, None)

    @property
    def platform(self) -> Messages:
        """Where it is shown."""
        return self._platform

    async def readers(self, to: Outbound) -> frozenset[Person] | None:
        """Who reads there now, None when that cannot be known."""
        try:
            return await self._seen_by(to.conversation, SOMEBODY)
        except CitebotError as error:
            log.info("readers not known", why=str(error))
            return None

    @property
    def pause(self) -> float:
        """Seconds between two changes of one message."""
        return 1.0 / self._capabilities.edits_per_second


class _Showing:
    """An answer on show, and who writes it now."""

    def __init__(self, board: Board) -> None:
        self.board = board
        self.turn = asyncio.Lock()
        self.writer: _Writer | None = None


class _Writer:
    """`OpenAnswer`: collects what comes and shows it at the pace of the platform, the end always."""

    def __init__(self, shower: Shower, showing: _Showing, to: Outbound) -> None:
        self._shower = shower
        self._showing = showing
        self._to = to
        self._text = ""
        self._citations: tuple[Citation, ...] = ()
        self._status = ""
        self._readers: frozenset[Person] | None = None
        self._new = asyncio.Event()
        self._flushing: asyncio.Task[None] | None = None

    async def begin(self) -> _Writer:
        """Take the answer over."""
        former, self._showing.writer = self._showing.writer, self
        if former is not None:
            await former._end_flushing()
        async with self._showing.turn:
            await self._showing.board.recall()
        self._readers = await self._shower.readers(self._to)
        self._showing.board.strange = self._may_be_strange
        return self

    async def status(self, status: Status) -> None:
        if self._mute:
            return
        if isinstance(self._shower.platform, ShowsStatus):
            try:
                await self._shower.platform.show_status(self._to, status)
            except CitebotError as error:
                log.info("status not shown", why=str(error))
            return
        self._status = status.note
        self._changed()

    async def append(self, text: str, citations: Sequence[Citation] = ()) -> None:
        if self._mute:
            return
        self._text += text
        self._citations = (*self._citations, *citations)
        if text:
            self._changed()

    async def rest(self) -> None:
        await self._end_flushing()

    async def finish(self, answer: Answer) -> None:
        await self._finish(answer.text, answer)

    async def abort(self, notice: str) -> None:
        await self._finish(notice, None)

    async def _finish(self, text: str, answer: Answer | None) -> None:
        if self._showing.writer is not self:
            return
        await self._end_flushing()
        async with self._showing.turn:
            if not self._showing.board.finished:
                await self._showing.board.finish(text, answer)
        self._shower.forget(self._to.idempotency_key)

    @property
    def _mute(self) -> bool:
        return self._showing.writer is not self or self._showing.board.finished

    def _changed(self) -> None:
        self._new.set()
        if self._flushing is None or self._flushing.done():
            self._flushing = asyncio.create_task(self._flush())

    async def _flush(self) -> None:
        """Show what is new, then rest: a slow platform holds up nobody who writes."""
        while True:
            await self._new.wait()
            self._new.clear()
            rest = self._shower.pause
            try:
                async with self._showing.turn:
                    if await self._may_be_strange():
                        return
                    await self._showing.board.show(self._text, self._citations, self._status or "…")
            except Retry as error:
                rest = max(rest, error.after or 0.0)
                self._new.set()
            except CitebotError as error:
                log.warning("answer not shown in between", why=str(error))
                return
            await asyncio.sleep(rest)

    async def _may_be_strange(self) -> bool:
        """Whether somebody reads there for whom this was not written. They are checked again for the end."""
        now = await self._shower.readers(self._to)
        return now is None or self._readers is None or not now <= self._readers

    async def _end_flushing(self) -> None:
        flushing = self._flushing
        if flushing is None:
            return
        if not flushing.done():
            # Not in the middle of a request: what it has sent must be known.
            async with self._showing.turn:
                flushing.cancel()
            await asyncio.wait({flushing})
        if self._flushing is flushing:
            self._flushing = None  # an ended task keeps all it was doing
