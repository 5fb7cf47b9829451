"""Lines from a person or a pipe, without ever blocking the event loop, and Ctrl-C as a call."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Self, TextIO


class Keyboard:
    """Reads one line each time it is asked; None at the end of input.

    A thread waits at the prompt. It is a daemon: when the conversation ends elsewhere nobody need press Enter first.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdin
        self.interactive = self._stream.isatty()
        self._wanted: queue.SimpleQueue[tuple[str, asyncio.Future[str | None]] | None] = queue.SimpleQueue()
        self._terminal_state: list[object] | None = None

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._terminal_state = _terminal_state(self._stream) if self.interactive else None
        threading.Thread(target=self._serve, name="keyboard", daemon=True).start()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._wanted.put(None)
        if self._terminal_state is not None:
            # A thread left at the prompt would leave the terminal without echo.
            _restore(self._stream, self._terminal_state)

    async def line(self, prompt: str) -> str | None:
        """The next line without its end; the prompt is shown to people only."""
        future: asyncio.Future[str | None] = self._loop.create_future()
        self._wanted.put((prompt, future))
        return await future

    def _serve(self) -> None:
        while (wanted := self._wanted.get()) is not None:
            prompt, future = wanted
            line = self._read(prompt)
            with contextlib.suppress(RuntimeError):  # the loop may have ended while somebody was typing
                self._loop.call_soon_threadsafe(_settle, future, line)

    def _read(self, prompt: str) -> str | None:
        try:
            if self.interactive:
                with contextlib.suppress(ImportError):
                    import readline  # noqa: F401 - importing it gives `input` editing and history
                return input(prompt)
            line = self._stream.readline()
        except (EOFError, ValueError, OSError):
            return None
        return line.rstrip("\r\n") if line else None


def _settle(future: asyncio.Future[str | None], line: str | None) -> None:
    if not future.done():
        future.set_result(line)


@contextlib.contextmanager
def interrupts(call: Callable[[], None]) -> Iterator[None]:
    """While inside, Ctrl-C calls instead of ending the program."""
    loop = asyncio.get_running_loop()
    try:
        loop.add_signal_handler(signal.SIGINT, call)
    except (NotImplementedError, RuntimeError, ValueError):
        yield  # no signals here (Windows, or not the main thread): Ctrl-C ends the program as usual
        return
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGINT)


def _terminal_state(stream: TextIO) -> list[object] | None:
    try:
        import termios

        return termios.tcgetattr(stream)
    except (ImportError, OSError):
        return None


def _restore(stream: TextIO, state: list[object]) -> None:
    import termios

    with contextlib.suppress(termios.error):
        termios.tcsetattr(stream, termios.TCSANOW, state)  # type: ignore[arg-type]  # what tcgetattr gave
