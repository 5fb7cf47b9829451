"""What the terminal chat shows, with rich; plain lines when nobody looks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markdown import Markdown
from rich.padding import Padding
from rich.panel import Panel
from rich.rule import Rule
from rich.spinner import Spinner
from rich.syntax import Syntax
from rich.text import Text

from citebot.model import Answer, Citation, Passage
from citebot.ports import DocumentView, SourceStatus
from citebot_connectors.platforms.console.present import safe_link

CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
NEIGHBOURS = 1
"""Passages shown before and after the cited one."""


def harmless(text: str) -> str:
    """Text that cannot steer a terminal or turn its writing direction."""
    return CONTROL.sub("", text)


class Screen:
    """Everything that is printed."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._live: Live | None = None
        self._note = ""
        self._pending = ""

    @classmethod
    def of_terminal(cls) -> Screen:
        """Standard output."""
        return cls(Console(highlight=False, soft_wrap=False))

    # -- an answer, as it comes -----------------------------------------------------------------------------------

    def begin(self) -> None:
        """Start to show an answer."""
        self._pending = ""
        if self.console.is_terminal:
            self._live = Live(console=self.console, transient=True, refresh_per_second=12)
            self._live.start()
        self.status("Thinking")

    def status(self, note: str) -> None:
        """Say what is going on; only people watching see it."""
        self._note = harmless(note)
        self._refresh()

    def text(self, piece: str) -> None:
        """Show more text: finished paragraphs stay, the last one is drawn as it grows."""
        self._pending += harmless(piece)
        ready, self._pending = split_blocks(self._pending)
        if ready.strip():
            self._print(Markdown(ready, hyperlinks=False))
            self.console.print()
        self._refresh()

    def end(self, answer: Answer | None, *, streamed: str = "") -> None:
        """Close the answer: the rest of its text, its sources, what to know about it."""
        self._stop_live()
        rest = self._pending
        if answer is not None and harmless(answer.text).strip() != harmless(streamed).strip():
            rest = harmless(answer.text)
        if rest.strip():
            self.console.print(Markdown(rest, hyperlinks=False))
        self._pending = ""
        if answer is None:
            return
        self.console.print()
        for citation in answer.citations:
            self.console.print(_reference(f"[{citation.number}]", citation.passage))
        if not answer.answered and answer.closest:
            self.console.print(Text("Closest documents:", style="bold"))
            for number, near in enumerate(answer.closest, start=1):
                self.console.print(_reference(f"[{number}]", near.passage))
        for note in answer.notes:
            self.console.print(Text(f"· {harmless(note)}", style="yellow"))

    def stopped(self) -> None:
        """Say that the answer ends here."""
        self._stop_live()
        if self._pending.strip():
            self.console.print(Markdown(self._pending, hyperlinks=False))
        self._pending = ""
        self.console.print(Text("Stopped.", style="yellow"))

    # -- everything else ------------------------------------------------------------------------------------------

    def say(self, line: str, *, style: str = "dim") -> None:
        """One line."""
        self._stop_live()
        self.console.print(Text(harmless(line), style=style))

    def question(self, text: str) -> None:
        """Repeat a question that came through a pipe, so that the output can be read alone."""
        self.console.print(Text(f"› {harmless(text)}", style="bold"))

    def document(self, view: DocumentView, citation: Citation) -> None:
        """The cited passage within its document."""
        here = [passage.id for passage in view.passages].index(citation.passage.id)
        around = view.passages[max(0, here - NEIGHBOURS) : here + NEIGHBOURS + 1]
        where = " › ".join([view.source, *view.path, view.title])
        facts = [f"updated {view.updated:%d %B %Y}" if view.updated else "", safe_link(citation.passage.link)]
        self.console.print(Rule(Text(harmless(where), style="bold"), align="left"))
        for passage in around:
            self.console.print(_passage(passage, citation if passage.id == citation.passage.id else None))
        self.console.print(Text(harmless(" · ".join(filter(None, facts))), style="dim"))

    def sources(self, statuses: Sequence[SourceStatus], now: datetime) -> None:
        """What is searched, and how fresh it is."""
        for status in statuses:
            facts = [f"{status.documents:,} documents", _read(status.synced, now)]
            facts += ["paused"] if status.paused else []
            facts += [f"last read failed: {status.failure}"] if status.failure else []
            self.console.print(Text.assemble((status.name, "bold"), (harmless(" · ".join(["", *facts])), "dim")))
        if not statuses:
            self.say("No sources yet: add one with “citebot source add”.")

    def _refresh(self) -> None:
        if self._live is None:
            return
        shown: list[RenderableType] = []
        if self._pending.strip():
            shown.append(Markdown(self._pending, hyperlinks=False))
        else:
            shown.append(Spinner("dots", Text(f"{self._note}…", style="dim")))
        self._live.update(Group(*shown))

    def _print(self, what: RenderableType) -> None:
        if self._live is not None:
            self._live.update(Text(""), refresh=True)
        self.console.print(what)

    def _stop_live(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None


def split_blocks(text: str) -> tuple[str, str]:
    """Text up to the last empty line outside a code fence, and the rest."""
    fence, ready, at = "", 0, 0
    for line in text.splitlines(keepends=True):
        at += len(line)
        mark = re.match(r"\s*(`{3,}|~{3,})", line)
        if mark and not fence:
            fence = mark[1]
        elif mark and fence and line.strip() == line.strip()[0] * len(line.strip()) and len(mark[1]) >= len(fence):
            fence = ""
        elif not line.strip() and line.endswith("\n") and not fence:
            ready = at
    return text[:ready], text[ready:]


def _reference(mark: str, passage: Passage) -> Text:
    headings = [heading for heading in passage.headings if heading != passage.title]
    where = " › ".join([passage.title, *headings])
    facts = [passage.source, f"updated {passage.updated:%d %B %Y}" if passage.updated else ""]
    return Text.assemble((f"{mark} ", "bold cyan"), harmless(where), (f"  {' · '.join(filter(None, facts))}", "dim"))


def _passage(passage: Passage, cited: Citation | None) -> RenderableType:
    text = harmless(passage.text)
    heading = Text(harmless(" › ".join(passage.headings)), style="bold dim") if passage.headings else Text("")
    body: RenderableType
    if passage.kind == "code":
        body = Syntax(text, "text", background_color="default", word_wrap=True)
    else:
        body = _highlighted(text, cited.sentences if cited else ())
    if cited is None:
        return Padding(Group(heading, body), (0, 2))
    return Panel(Group(heading, body), title=f"cited as {cited.number}", title_align="left", border_style="cyan")


def _highlighted(text: str, sentences: Iterable[str]) -> Text:
    shown = Text(text)
    for sentence in sentences:
        words = [re.escape(word) for word in harmless(sentence).split()]
        if words:
            shown.highlight_regex(r"\s+".join(words), style="black on yellow")
    return shown


def _read(moment: datetime | None, now: datetime) -> str:
    if moment is None:
        return "never read"
    seconds = (now - (moment if moment.tzinfo else moment.replace(tzinfo=UTC))).total_seconds()
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"read {int(seconds // size)} {unit} ago"
    return "read just now"
