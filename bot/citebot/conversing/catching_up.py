"""Finds what was missed: reads what was said while nobody listened, and takes the questions in it.

How far everything was heard is written down every half minute, in one place for all processes. A message that was taken
before is dropped by the inbox, so it does no harm to read more than was missed, or that several processes do it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol, TypeVar

import structlog

from citebot.conversing.chat import Said
from citebot.conversing.hearing import Hearing
from citebot.conversing.reception import Reception
from citebot.errors import CannotShow, CitebotError, Retry
from citebot.ports import Vault
from citebot.storage.vault import HEARD

log = structlog.get_logger("citebot.conversing")

T = TypeVar("T")
LONGEST_PAUSE = 60.0
LIST_PAGES = 100


@dataclass(frozen=True, slots=True)
class Reach:
    """How far a look back goes; times in seconds."""

    window: float
    """Nothing older is read, no thread that began earlier is looked into; 0 for no look back at all."""
    overlap: float = 600.0
    """Read beyond what was missed: so long a platform tries to deliver an event."""
    places: int = 500
    pages: int = 10
    """Of one conversation, the newest first."""
    keep: float = 30.0
    """Between two writings of how far everything was heard."""


class Archive(Protocol):
    """What a platform lets be read back, in pages. Raises `CannotShow` for what it will never show, and `Retry`."""

    @property
    def kinds(self) -> Sequence[str]:
        """Of conversations; each is listed by itself."""

    async def places(self, kind: str, cursor: str) -> tuple[Sequence[str], str]:
        """Some of the conversations we are in, and where the list goes on; empty at its end."""

    async def said(self, channel: str, kind: str, *, since: float, cursor: str) -> tuple[Sequence[Said], str]:
        """What was said there outside of threads, and what began them; the newest first."""


class CatchUp:
    """The look back into one team's conversations."""

    def __init__(
        self,
        at: Reception,
        hearing: Hearing,
        archive: Archive,
        marks: Vault,
        reach: Reach,
        *,
        heard: Callable[[], float],
        now: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._at = at
        self._hearing = hearing
        self._archive = archive
        self._marks = marks
        self._reach = reach
        self._heard = heard
        """Until when everything came in, 0 if nothing has yet."""
        self._now = now
        self._sleep = sleep
        self._since: float | None = None
        self._wanted = asyncio.Event()

    def missed(self, since: float) -> None:
        """From `since` on something may not have come in."""
        self._since = since if self._since is None else min(self._since, since)
        self._wanted.set()

    async def run(self) -> None:
        """Look back whenever something was missed, until cancelled."""
        if not self._reach.window:
            return
        name = f"{HEARD}{(await self._patiently(self._at.chat.us)).tenant}"
        if known := await self._patiently(lambda: self._marks.get(name)):
            mark = float(known)
            self.missed(mark)
        else:  # nothing before the first start was missed
            mark = self._now()
            await self._patiently(lambda: self._marks.put(name, f"{mark:.6f}"))
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._reach.keep):
                    await self._wanted.wait()
            since, self._since = self._since, None
            self._wanted.clear()
            try:
                if since is not None:
                    await self._look_back(since)
                elif heard := self._heard():
                    await self._marks.put(name, f"{heard:.6f}")
                    mark = heard
            except CitebotError as error:
                # What cannot be written down now could not be accepted either.
                log.warning("reading back is put off", why=str(error))
                self.missed(mark if since is None else since)
                await self._sleep(self._reach.keep)

    # -- reading --------------------------------------------------------------------------------------------------

    async def _look_back(self, since: float) -> None:
        since = max(since - self._reach.overlap, self._now() - self._reach.window)
        log.info("reading what was said while nobody listened", since=since)
        places = [place async for place in self._places()]
        found = 0
        for number, (channel, kind) in enumerate(places[: self._reach.places], start=1):
            try:
                found += await self._look_into(channel, kind, since)
            except CannotShow as error:
                log.warning("not read back", channel=channel, why=str(error))
            if number % 20 == 0:
                log.info("reading back", conversations=number, of=len(places), messages=found)
        if len(places) > self._reach.places:
            log.warning("not all conversations were read back", left_out=len(places) - self._reach.places)
        log.info("caught up", conversations=len(places), messages=found)

    async def _places(self) -> AsyncIterator[tuple[str, str]]:
        for kind in self._archive.kinds:
            try:
                async for channel in self._all(partial(self._archive.places, kind), most=LIST_PAGES):
                    yield channel, kind
            except CannotShow as error:
                log.info("not looked for conversations", kind=kind, why=str(error))

    async def _look_into(self, channel: str, kind: str, since: float) -> int:
        """Take the questions of one conversation, in their order; how many messages were looked at."""
        found: dict[str, tuple[Said, Sequence[Said]]] = {}
        oldest = self._now() - self._reach.window

        def read(cursor: str) -> Awaitable[tuple[Sequence[Said], str]]:
            return self._archive.said(channel, kind, since=oldest, cursor=cursor)

        async for said in self._all(read, most=self._reach.pages):
            if said.at > since:
                found.setdefault(said.id, (said, ()))
            if said.last_reply > since:
                found |= await self._thread(said, since)
        for said, before in sorted(found.values(), key=lambda one: one[0].at):
            await self._patiently(partial(self._take, said, before))
        return len(found)

    async def _thread(self, root: Said, since: float) -> dict[str, tuple[Said, Sequence[Said]]]:
        """The messages of a thread that have no answer, each with those before it."""
        messages = await self._patiently(lambda: self._at.chat.thread(root.channel, root.id))
        answered = {said.question for said in messages}
        return {
            said.id: (replace(said, direct=root.direct), messages[:number])
            for number, said in enumerate(messages)
            if said.at > since and said.id not in answered
        }

    async def _take(self, said: Said, before: Sequence[Said]) -> None:
        if before:  # whether it is for us depends on who talked with us then
            self._at.threads.learn(said.channel, said.root, before)
        await self._hearing.heard(replace(said, late=True))

    async def _all(self, read: Callable[[str], Awaitable[tuple[Sequence[T], str]]], *, most: int) -> AsyncIterator[T]:
        cursor = ""
        for _ in range(most):
            found, cursor = await self._patiently(partial(read, cursor))
            for one in found:
                yield one
            if not cursor:
                return

    async def _patiently(self, doing: Callable[[], Awaitable[T]]) -> T:
        """Do something until it works; only what is refused for good is raised."""
        pause = 1.0
        while True:
            try:
                return await doing()
            except CannotShow:
                raise
            except CitebotError as error:
                wait = (error.after if isinstance(error, Retry) else None) or pause
                pause = min(2 * pause, LONGEST_PAUSE)
                log.info("reading back waits", seconds=wait, why=str(error))
                await self._sleep(wait)
