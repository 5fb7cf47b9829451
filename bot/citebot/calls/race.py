"""Which model answers: one after the other as they fail, and one beside another that is slow."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from citebot.calls.callee import LONGEST_PAUSE, Callee
from citebot.calls.streams import Stream
from citebot.errors import ModelBusy, ModelRefused, ModelUnavailable
from citebot.ports import GenerationRequest, Generator

LEAVING_SECONDS = 0.25
"""What a call that was left has for its end."""
NEARLY = 0.05
"""Whoever reads has the same deadline as we, and leaves a moment earlier."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait for the first text, in seconds."""

    hedge_after: float = 8.0
    """Then a second model is asked beside the first."""
    first_text: float = 20.0
    """Then nothing more is waited for."""
    retry_within: float = 1.0
    """A retry comes at any moment of so long."""


class Race:
    """Finds the model that gives the first text. At most one retry; every other model is asked at most once."""

    def __init__(
        self,
        callees: Sequence[Callee[Generator]],
        request: GenerationRequest,
        *,
        patience: Patience,
        clock: Callable[[], float],
        jitter: Callable[[float], float],
    ) -> None:
        self._request = request
        self._patience = patience
        self._clock = clock
        self._jitter = jitter
        self._began = clock()
        self._until = self._began + min(patience.first_text, request.deadline)
        self._left = list(callees)
        self._busy: list[Callee[Generator]] = []
        self._again: tuple[float, Callee[Generator]] | None = None
        """Whom to ask when it may be asked again, and when that is."""
        self._busy_for: float | None = None
        self._retried = self._hedged = False
        self._streams: list[Stream] = []
        self._running: list[Stream] = []
        self._winner: Stream | None = None
        self._error = ModelUnavailable("No model is asked now: all have failed too often.")

    async def step(self) -> Stream | None:
        """Wait until something happens: the stream with the first text, or one that ended well without any.

        None when there is none yet; raises `ModelUnavailable` when there will be none.
        """
        self._start_due()
        if self._busy_for is not None:
            return None
        if not self._running and self._again is None:
            raise self._error
        await self._wait()
        for stream in [stream for stream in self._running if stream.ready.done()]:
            if not stream.failed:
                return self._won(stream)
            self._failed(stream)
        if self._clock() >= self._until:
            raise ModelUnavailable("No model began to write in time.")
        return None

    def take_busy(self) -> float | None:
        """For how long a model lets us wait, if that has not been told yet."""
        seconds, self._busy_for = self._busy_for, None
        return seconds

    async def close(self) -> None:
        """Leave all that runs, and see to it that what it used is counted."""
        for stream in self._streams:
            self._leave(stream)
        running = {stream.task for stream in self._streams if not stream.task.done()}
        if running:
            await asyncio.wait(running, timeout=LEAVING_SECONDS)
        for stream in self._streams:
            stream.end()

    # --- starting ------------------------------------------------------------------------------------------------

    def _start_due(self) -> None:
        now = self._clock()
        if self._again is not None and now >= self._again[0]:
            callee, self._again = self._again[1], None
            self._start(callee)
        if not self._running and self._again is None:
            if not self._start_next():
                self._wait_for_busy()
        elif now >= self._began + self._patience.hedge_after and not self._hedged:
            self._hedged = True
            if self._start_next():
                beside = self._running[-1].callee
                for counter in beside.counters:
                    counter.hedge(beside)

    def _start_next(self) -> bool:
        while self._left:
            if self._start(self._left.pop(0)):
                return True
        return False

    def _start(self, callee: Callee[Generator]) -> bool:
        call = callee.begin(self._request.used)
        if call is None:
            if callee.breaker.busy_for:
                self._busy.append(callee)
            return False
        if any(stream.callee is callee for stream in self._streams):
            for counter in callee.counters:
                counter.retry(callee)
        left = max(0.1, self._request.deadline - (self._clock() - self._began))
        stream = Stream(callee, call, replace(self._request, deadline=left))
        self._streams.append(stream)
        self._running.append(stream)
        return True

    def _wait_for_busy(self) -> None:
        """All others have failed: whoever wants no calls for a moment is asked after it, if that is in time."""
        if not self._busy:
            return
        first = min(self._busy, key=lambda callee: callee.breaker.busy_for)
        self._busy.clear()
        pause = first.breaker.busy_for
        due = self._clock() + pause + self._jitter(self._patience.retry_within)
        if due < self._until:
            self._again, self._busy_for = (due, first), pause
        else:
            self._error = ModelBusy(f"{first} wants no calls for {pause:.0f} s.", after=pause)

    # --- ending --------------------------------------------------------------------------------------------------

    async def _wait(self) -> None:
        """Until a stream is ready, or something is due."""
        times = [self._until]
        if self._again is not None:
            times.append(self._again[0])
        if self._left and not self._hedged:
            times.append(self._began + self._patience.hedge_after)
        seconds = max(0.0, min(times) - self._clock())
        if self._running:
            ready = {stream.ready for stream in self._running}
            await asyncio.wait(ready, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        else:
            await asyncio.sleep(seconds)

    def _won(self, stream: Stream) -> Stream:
        self._winner = stream
        for other in self._streams:
            if other is not stream:
                self._leave(other)
        return stream

    def _leave(self, stream: Stream) -> None:
        if stream is self._winner:
            slow = self._clock() - self._began >= self._request.deadline - NEARLY
        else:
            slow = stream.call.age >= min(self._patience.hedge_after, self._until - self._began) - NEARLY
        stream.leave("slow" if slow else "left")

    def _failed(self, stream: Stream) -> None:
        """Ask it once more, unless that would not help: a model whose call before this one failed too is not asked."""
        self._running.remove(stream)
        error = self._error = stream.error or self._error
        if isinstance(error, ModelRefused):
            if error.why == "filtered":
                raise error
            return
        pause = max(0.0, error.after or 0.0) if isinstance(error, ModelBusy) else 0.0
        due = self._clock() + pause + self._jitter(self._patience.retry_within)
        slip = stream.callee.breaker.failures <= 1
        if slip and not self._retried and not self._running and pause <= LONGEST_PAUSE and due < self._until:
            self._retried = True
            if self._left and pause > self._patience.retry_within:
                self._busy.append(stream.callee)  # another may answer before it
            else:
                self._again, self._busy_for = (due, stream.callee), pause or None
