"""A conversation in the terminal."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Protocol

from citebot.errors import CitebotError
from citebot.model import Answer, Citation, CitationAdded, Done, Status, TextDelta, Turn
from citebot.ports import ChatApp
from citebot_connectors.platforms.console.screen import Screen

HELP = """Ask anything; a follow-up may lean on what was said before.
  1, 2, …     open the passage that a number stands for
  /sources    what is searched, and how fresh it is
  /new        begin a new conversation
  /quit       end (or Ctrl-D); Ctrl-C stops the answer that is being written"""
TURNS = 16


class Lines(Protocol):
    """Where the person's lines come from."""

    interactive: bool

    async def line(self, prompt: str) -> str | None:
        """The next line; None at the end."""


class Terminal:
    """Asks, shows, remembers; one answer at a time."""

    def __init__(
        self,
        app: ChatApp,
        *,
        screen: Screen,
        person: str | None = None,
        sources: Sequence[str] = (),
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._app = app
        self._screen = screen
        self._person = person
        self._sources = tuple(sources)
        self._now = now
        self._history: list[Turn] = []
        self._open: dict[int, Citation] = {}
        self._answering: asyncio.Task[None] | None = None

    async def chat(self, lines: Lines) -> None:
        """Talk until the lines end or somebody leaves."""
        if lines.interactive:
            self._screen.say("Ask a question. /help shows what else you can type; Ctrl-D ends.")
        while (line := await lines.line("› ")) is not None:
            line = line.strip()
            if not line:
                continue
            if not lines.interactive:
                self._screen.question(line)
            if line in ("/quit", "/exit", "/q"):
                break
            await self._obey(line)
            self._screen.console.print()

    def interrupt(self) -> None:
        """Ctrl-C: stop the answer, or say how to leave."""
        if self._answering is not None:
            self._answering.cancel()
        else:
            self._screen.say("\nTo leave, type /quit or press Ctrl-D.")

    async def _obey(self, line: str) -> None:
        if line in ("/help", "/?"):
            self._screen.say(HELP)
        elif line == "/new":
            self._history.clear()
            self._open.clear()
            self._screen.say("A new conversation.")
        elif line == "/sources":
            self._screen.sources(await self._app.sources(self._person), self._now())
        elif line.startswith("/"):
            self._screen.say(f"There is no command {line.split()[0]}. /help shows the commands.", style="yellow")
        elif (number := _number(line)) is not None:
            await self._show(number)
        else:
            await self._ask(line)

    async def _ask(self, text: str) -> None:
        self._answering = asyncio.create_task(self._answer(text))
        try:
            await self._answering
        except asyncio.CancelledError:
            self._screen.stopped()
            if (task := asyncio.current_task()) is not None and task.cancelling():
                raise
        except CitebotError as error:
            self._screen.say(str(error), style="red")
        finally:
            self._answering = None

    async def _answer(self, text: str) -> None:
        streamed = ""
        answer: Answer | None = None
        self._screen.begin()
        self._open.clear()
        events = self._app.ask(text, history=tuple(self._history), person=self._person, sources=self._sources)
        async with contextlib.aclosing(events):  # type: ignore[type-var]  # every path ends an async generator
            async for event in events:
                match event:
                    case Status(note=note):
                        self._screen.status(note)
                    case TextDelta(text=piece):
                        streamed += piece
                        self._screen.text(piece)
                    case CitationAdded(citation=citation):
                        self._open[citation.number] = citation
                    case Done(answer=done):
                        answer = done
        self._screen.end(answer, streamed=streamed)
        if answer is not None:
            self._remember(text, answer)

    def _remember(self, text: str, answer: Answer) -> None:
        self._open = {citation.number: citation for citation in answer.citations}
        if not answer.answered:
            near = (Citation(number, hit.passage) for number, hit in enumerate(answer.closest, start=1))
            self._open.update({citation.number: citation for citation in near})
        self._history += [Turn("user", text), Turn("assistant", answer.text)]
        del self._history[:-TURNS]

    async def _show(self, number: int) -> None:
        citation = self._open.get(number)
        if citation is None:
            known = ", ".join(str(known) for known in sorted(self._open)) or "none yet"
            self._screen.say(f"There is no citation {number}; there are: {known}.", style="yellow")
            return
        view = await self._app.show_document(citation.passage.id, self._person)
        if view is None or all(passage.id != citation.passage.id for passage in view.passages):
            self._screen.say("This document is gone, or it is not yours to read any more.", style="yellow")
            return
        self._screen.document(view, citation)


def _number(line: str) -> int | None:
    bare = line.removeprefix("[").removesuffix("]")
    return int(bare) if bare.isascii() and bare.isdigit() and len(bare) <= 3 else None
