"""The terminal chat: piped, typed, interrupted."""

from __future__ import annotations

import asyncio
import io
import os
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime

import click
import pytest
from click.testing import CliRunner
from rich.console import Console

from citebot.errors import IndexUnavailable
from citebot.model import (
    AnswerEvent,
    Conversation,
    Done,
    Person,
    Status,
    TextDelta,
    Turn,
)
from citebot.ports import ChatApp, DocumentView, Inbound, SourceStatus
from citebot.testing.scripted_desk import Finish, GiveUp, Pause, answer_to
from citebot.testing.scripted_handbook import handbook_documents, handbook_script, handbook_sources
from citebot_connectors.platforms.console import citebot_register_commands
from citebot_connectors.platforms.console.screen import Screen, harmless, split_blocks
from citebot_connectors.platforms.console.terminal import Terminal

NOW = datetime(2026, 11, 24, tzinfo=UTC)


class Handbook:
    """A `ChatApp` over the scripted handbook."""

    def __init__(self, pause: Pause | None = None) -> None:
        self.script = handbook_script(lambda inbound: pause)
        self.asked: list[tuple[str, tuple[Turn, ...], str | None, tuple[str, ...]]] = []
        self.closed = 0
        self.gone: set[int] = set()

    async def ask(
        self, text: str, *, history: Sequence[Turn] = (), person: str | None = None, sources: Sequence[str] = ()
    ) -> AsyncIterator[AnswerEvent]:
        self.asked.append((text, tuple(history), person, tuple(sources)))
        inbound = Inbound("d", "m", Conversation("console", "c"), Person("me"), text, tuple(history), tuple(sources))
        streamed = ""
        try:
            for step in self.script(inbound):
                match step:
                    case Pause():
                        await step.gate.wait()
                    case GiveUp(notice=notice):
                        raise IndexUnavailable(notice)
                    case Finish():
                        yield Done(answer_to(inbound, step, streamed=streamed))
                    case _:
                        streamed += step.text if isinstance(step, TextDelta) else ""
                        yield step
        finally:
            self.closed += 1

    async def show_document(self, passage_id: int, person: str | None = None) -> DocumentView | None:
        return None if passage_id in self.gone else handbook_documents().get(passage_id)

    async def sources(self, person: str | None = None) -> Sequence[SourceStatus]:
        return handbook_sources()

    def open(self) -> AbstractAsyncContextManager[ChatApp]:
        @asynccontextmanager
        async def opened() -> AsyncIterator[ChatApp]:
            yield self

        return opened()


class Lines:
    interactive = False

    def __init__(self, *lines: str) -> None:
        self._lines = list(lines)

    async def line(self, prompt: str) -> str | None:
        return self._lines.pop(0) if self._lines else None


async def said(app: ChatApp, *lines: str) -> str:
    out = io.StringIO()
    screen = Screen(Console(file=out, width=100, highlight=False))
    await Terminal(app, screen=screen, now=lambda: NOW).chat(Lines(*lines))
    return out.getvalue()


async def test_an_answer_with_its_sources_and_notes() -> None:
    text = await said(Handbook(), "What is the daily allowance?")
    assert "28 euros for a full day" in text
    assert "[1] Travel and expenses › Daily allowance  handbook · updated 14 September 2026" in text
    assert "· An older version of “Travel and expenses” says 24 euros" in text
    assert text.count("28 euros for a full day") == 1


async def test_follow_ups_carry_the_history_until_a_new_conversation() -> None:
    app = Handbook()
    await said(app, "What is the daily allowance?", "And with breakfast?", "/new", "First day?")
    assert [len(history) for _, history, _, _ in app.asked] == [0, 2, 0]
    assert app.asked[1][1][0] == Turn("user", "What is the daily allowance?")


async def test_a_number_opens_the_passage_in_its_document() -> None:
    text = await said(Handbook(), "What is the daily allowance?", "1", "[2]", "7")
    assert "handbook › Handbook › Working here › Travel and expenses" in text
    assert "cited as 1" in text
    assert "Flights need the approval of your lead." in text
    assert "https://wiki.example.com/handbook/travel#daily-allowance" in text
    assert "There is no citation 7; there are: 1, 2." in text


async def test_a_document_taken_away_meanwhile_is_not_shown() -> None:
    app = Handbook()
    app.gone.add(3)
    assert "not yours to read any more" in await said(app, "What is the daily allowance?", "1")


async def test_not_knowing_names_the_closest_and_opens_them() -> None:
    text = await said(Handbook(), "Who won the world cup?", "2")
    assert "I don't know" in text
    assert "Closest documents:" in text
    assert "pg_restore" in text


async def test_commands() -> None:
    text = await said(Handbook(), "/help", "/sources", "/nonsense", "/quit", "never asked")
    assert "Ctrl-C stops the answer" in text
    assert "handbook · 84 documents · read" in text
    assert "There is no command /nonsense." in text
    assert "never asked" not in text


async def test_a_failure_is_one_line_and_the_talk_goes_on() -> None:
    text = await said(Handbook(), "Please fail", "First day?")
    assert "The search is not answering at the moment." in text
    assert "badge" in text


async def test_interrupting_closes_the_answer_and_the_talk_goes_on() -> None:
    pause = Pause()
    app = Handbook(pause)
    out = io.StringIO()
    terminal = Terminal(app, screen=Screen(Console(file=out, width=100)), now=lambda: NOW)
    talk = asyncio.create_task(terminal.chat(Lines("What is the daily allowance?", "First day?")))
    while "14 euros" not in out.getvalue():
        await asyncio.sleep(0.01)
    terminal.interrupt()
    await asyncio.wait_for(talk, 5)
    assert "Stopped." in out.getvalue()
    assert app.closed == 2
    assert app.asked[1][1] == ()


async def test_text_cannot_steer_the_terminal() -> None:
    class Evil(Handbook):
        async def ask(self, text: str, **_: object) -> AsyncIterator[AnswerEvent]:  # type: ignore[override]
            yield Status("writing", "\x1b[2JWriting")
            yield TextDelta("\x1b]8;;https://evil.example\x07click\x1b]8;;\x07 \x9b31m \u202ered")

    text = await said(Evil(), "anything")
    assert not {"\x1b", "\x07", "\x9b", "\u202e"} & set(text)
    assert harmless("a\tb\nc\rd\x00") == "a\tb\ncd"


def test_blocks_are_split_outside_fences_only() -> None:
    assert split_blocks("one\n\ntwo") == ("one\n\n", "two")
    assert split_blocks("```\na\n\nb") == ("", "```\na\n\nb")
    assert split_blocks("```\na\n\nb\n```\n\nend") == ("```\na\n\nb\n```\n\n", "end")
    assert split_blocks("no end") == ("", "no end")


def test_the_command_answers_piped_questions() -> None:
    @click.group()
    def cli() -> None:
        pass

    citebot_register_commands(cli)
    app = Handbook()
    result = CliRunner().invoke(
        cli, ["chat", "--as", "maria", "--source", "handbook"], input="First day?\n\n1\n", obj=app
    )
    assert result.exit_code == 0, result.output
    assert "› First day?" in result.output
    assert "badge and a buddy" in result.output
    assert "cited as 1" in result.output
    assert app.asked == [("First day?", (), "maria", ("handbook",))]


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_ctrl_c_in_a_real_terminal_stops_the_answer_and_ctrl_d_leaves() -> None:
    script = textwrap.dedent(
        """
        import asyncio, click
        from contextlib import asynccontextmanager
        from citebot.model import TextDelta
        from citebot_connectors.platforms.console.command import chat

        class App:
            async def ask(self, text, **_):
                yield TextDelta("A beginning.\\n\\n")
                await asyncio.sleep(3600)

        class Opener:
            @asynccontextmanager
            async def open(self):
                yield App()

        chat.main([], obj=Opener(), standalone_mode=False)
        print("LEFT")
        """
    )
    # A terminal needs a process of its own that owns it; `pty.spawn` makes one and copies what is typed and shown.
    spawn = (
        f"import os, pty; raise SystemExit(os.waitstatus_to_exitcode(pty.spawn({[sys.executable, '-c', script]!r})))"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", spawn],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "90"},
    )
    assert child.stdin is not None
    assert child.stdout is not None
    seen = b""
    try:
        for words, keys in [("›", b"anything\n"), ("A beginning.", b"\x03"), ("Stopped.", b""), ("›", b"\x04")]:
            while words.encode() not in seen:
                piece = os.read(child.stdout.fileno(), 4096)
                assert piece, f"ended before {words!r}: {seen.decode()}"
                seen += piece
            seen = seen.split(words.encode(), 1)[1]
            os.write(child.stdin.fileno(), keys)
        rest, _ = child.communicate(timeout=20)
    finally:
        child.kill()
    assert b"LEFT" in seen + rest
    assert child.returncode == 0
