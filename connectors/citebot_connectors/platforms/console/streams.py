"""What is shown of each question: written once by the core, read by any number of browser tabs, also later ones."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from citebot.model import Answer, Citation, Status
from citebot_connectors.platforms.console.present import answer_to_json, citation_to_json


def owner_key(person_id: str) -> str:
    """How a person is named inside conversation ids, so that an answer finds its only reader after a restart."""
    return hashlib.sha256(person_id.encode()).hexdigest()[:24]


@dataclass(frozen=True, slots=True)
class StreamEvent:
    """One event as the browser gets it; ids count up within one question."""

    id: int
    name: str
    data: dict[str, Any]


class Stream:
    """The events of one question. After the end only the last one is kept."""

    def __init__(self, *, owner: str, question: str, started: float) -> None:
        self.owner = owner
        self.question = question
        self.started = started
        self.job: int | None = None
        self.answer_id = ""
        self.ended = False
        self.held = ""
        """The answer for now that is shown, whose place a better one may take."""
        self.writers = 0
        self._events: list[StreamEvent] = []
        self._next = 1
        self._changed = asyncio.Event()
        self._released = False

    @property
    def untouched(self) -> bool:
        """Whether nobody has written anything yet."""
        return not self._events

    def open(self) -> StreamedAnswer:
        """Begin to write; what an earlier attempt had written is taken back once this one has something to show."""
        self.writers += 1
        return StreamedAnswer(self, self.writers)

    def start_over(self) -> None:
        """Take back what has been shown."""
        if self._events:
            self._events.clear()
            self.emit("reset", {})

    def emit(self, name: str, data: dict[str, Any]) -> None:
        """Add an event and wake the readers."""
        self._events.append(StreamEvent(self._next, name, data))
        self._next += 1
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def end(self, name: str, data: dict[str, Any], *, answer_id: str = "") -> None:
        """Add the last event; the pieces before it are no longer needed."""
        self._events.clear()
        self.ended = True
        self.answer_id = answer_id
        self.emit(name, data)

    def end_with(self, answer: Answer) -> None:
        """End with the stored answer, or show it until there is a better one."""
        if answer.unwritten != "waiting":
            self.end("done", {"answer": answer_to_json(answer)}, answer_id=answer.id)
        elif not self.held:
            self._events.clear()
            self.held = answer.id
            self.emit("for_now", {"answer": answer_to_json(answer)})

    def release(self) -> None:
        """Let the readers go: the server stops."""
        self._released = True
        self._changed.set()

    @property
    def last(self) -> int:
        """The number of the newest event."""
        return self._next - 1

    async def follow(self, after: int, *, patience: float) -> AsyncIterator[StreamEvent | None]:
        """The events after number `after`, as they come; None when nothing came for `patience` seconds."""
        position = after if after < self._next else 0
        while True:
            changed = self._changed
            for event in [event for event in self._events if event.id > position]:
                yield event
                position = event.id
            if self.ended or self._released:
                return
            try:
                await asyncio.wait_for(changed.wait(), patience)
            except TimeoutError:
                yield None


class StreamedAnswer:
    """One attempt to write an answer; mute once another attempt has begun or the answer has ended."""

    def __init__(self, stream: Stream, attempt: int) -> None:
        self._stream = stream
        self._attempt = attempt
        self._silent = True

    async def status(self, status: Status) -> None:
        if self._begins_to_speak():
            self._stream.emit("status", {"stage": status.stage, "note": status.note})

    async def append(self, text: str, citations: Sequence[Citation] = ()) -> None:
        if self._begins_to_speak():
            shown = [citation_to_json(citation) for citation in citations]
            self._stream.emit("text", {"text": text, "citations": shown})

    async def finish(self, answer: Answer) -> None:
        if self._speaks():
            self._stream.end_with(answer)

    async def rest(self) -> None:
        return

    async def abort(self, notice: str) -> None:
        if self._speaks():
            self._stream.end("failed", {"notice": notice})

    def _begins_to_speak(self) -> bool:
        if self._speaks() and self._silent:
            self._silent = False
            self._stream.start_over()
        return self._speaks()

    def _speaks(self) -> bool:
        return self._attempt == self._stream.writers and not self._stream.ended


class Streams:
    """All questions this process knows of, the oldest forgotten first."""

    def __init__(self, *, keep: int = 500, clock: Callable[[], float]) -> None:
        self._streams: dict[tuple[str, str], Stream] = {}
        self._keep = keep
        self._clock = clock

    def find(self, owner: str, question: str) -> Stream | None:
        """The stream of somebody's question."""
        return self._streams.get((owner, question))

    def find_or_add(self, owner: str, question: str) -> Stream:
        """The stream of somebody's question, new if need be."""
        key = (owner, question)
        if key not in self._streams:
            self._streams[key] = Stream(owner=owner, question=question, started=self._clock())
            self._forget()
        return self._streams[key]

    def drop(self, stream: Stream) -> None:
        """Forget a question that was never taken."""
        self._streams.pop((stream.owner, stream.question), None)

    def waiting(self, owner: str, *, within: float) -> int:
        """How many questions somebody asked within so many seconds that have no answer yet."""
        since = self._clock() - within
        streams = self._streams.values()
        open_ones = (stream for stream in streams if stream.owner == owner and not stream.ended and not stream.held)
        return sum(1 for stream in open_ones if stream.started > since)

    def release(self) -> None:
        """Let all readers go."""
        for stream in self._streams.values():
            stream.release()

    def _forget(self) -> None:
        while len(self._streams) > self._keep:
            ended = next((key for key, stream in self._streams.items() if stream.ended), None)
            del self._streams[ended or next(iter(self._streams))]
