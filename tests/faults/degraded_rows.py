"""What is shown, and how often what is called, for each fault that looks the same on every platform.

Rows of `docs/reliability.md`, "What people see". Each makes one part ill, asks, and compares the whole text.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from degraded import PAGES, PATIENT, PLENTY, QUICK, Pages, Place, Seen, Ward, ward
from sqlalchemy import update

from citebot.delivery import Patience
from citebot.delivery.answering import GIVEN_UP
from citebot.errors import ModelBusy, ModelRefused, ModelUnavailable
from citebot.hookspecs import hookimpl
from citebot.model import Answer, Group, Question
from citebot.storage import people, tables

DOWN = ModelUnavailable("It is down.")
ANSWER = "The parking permit costs 40 euros a month. [1]"
PASSAGES = "I can't write an answer now. These passages fit best: [1] [2] [3]"
WAITING = f"{PASSAGES}. I will update this message if the model is back within 10 minutes."
OVER = f"{PASSAGES}. The model did not come back within 10 minutes. Please ask again."
SEARCH_DOWN = "Search is down; I saved your question and will answer here."
THREE: Pages = PAGES | {
    "garage": ("Garage", "The garage is open for permit holders at night, a parking card costs extra.", ["everyone"]),
    "bicycles": ("Bicycles", "Bicycles need no parking permit.", ["everyone"]),
}


def well(ward: Ward) -> None:
    """Nothing is ill."""


@dataclass(frozen=True)
class Row:
    """One fault. `text` is what is read first, `later` what stands there in the end, where that is something else."""

    ill: Callable[[Ward], None] = well
    text: str = ANSWER
    later: str = ""
    notes: tuple[str, ...] = ()
    status: str = ""
    requests: int = 1
    """Calls of the model, exactly."""
    calls: Callable[[Ward], int] | None = None
    """Calls of the part that is ill, and how many they are, exactly."""
    times: int = 1
    buttons: frozenset[str] = frozenset({"feedback"})
    given: dict[str, Any] = field(default_factory=dict)
    """Settings."""
    before: Callable[[Ward], None] = well
    """Once, when all is made."""
    patience: Patience = PATIENT

    @property
    def alone(self) -> bool:
        """Whether it leaves a ward in which others are not well."""
        return bool(self.given) or self.before is not well or self.patience is not PATIENT


def ills(*errors: Exception) -> Callable[[Ward], None]:
    """The next calls of the model fail."""

    def make(ward: Ward) -> None:
        ward.writer.ills = [*errors]

    return make


def always(error: Exception) -> Callable[[Ward], None]:
    """All calls of the model fail."""

    def make(ward: Ward) -> None:
        ward.writer.ill = error

    return make


def writing(draft: str, then: Exception | None = None) -> Callable[[Ward], None]:
    """The model writes this, and may break off."""

    def make(ward: Ward) -> None:
        ward.writer.draft, ward.writer.breaks = draft, then

    return make


def set_on(part: str, **values: Any) -> Callable[[Ward], None]:
    """A part gets these."""

    def make(ward: Ward) -> None:
        for name, value in values.items():
            setattr(getattr(ward, part), name, value)

    return make


def silent(ward: Ward) -> None:
    """The model does not say a word."""
    ward.writer.gate = asyncio.Event()


def old_source(ward: Ward) -> None:
    """The source was not read for three hours."""
    with ward.bot.database.write() as tx:
        tx.execute(update(tables.source).values(synced_at=ward.bot.database.now(tx) - timedelta(hours=3, minutes=1)))


def old_groups(ward: Ward) -> None:
    """Whoever asks is in groups that were not checked for long."""
    with ward.bot.database.write() as tx:
        people.replace(tx, "ldap", [Group("parkers", frozenset({"local", "alice@example.com", "bob@example.com"}))])
        tx.execute(update(tables.membership).values(seen_at=ward.bot.database.now(tx) - timedelta(hours=2)))


class Raises:
    """A plugin that breaks at every answer."""

    @hookimpl
    def answer_ready(self, question: Question, answer: Answer) -> Answer:
        raise RuntimeError("broken")


class Hangs:
    """A plugin that never comes back."""

    @hookimpl
    async def answer_ready(self, question: Question, answer: Answer) -> Answer:
        await asyncio.Event().wait()
        return answer


def with_plugin(plugin: type) -> Callable[[Ward], None]:
    """It is loaded."""
    return lambda ward: ward.bot.plugins.register(plugin(), name="ill")


ROWS: dict[str, Row] = {
    "nothing": Row(),
    "model down, and back": Row(ills(DOWN, DOWN), WAITING, later=ANSWER, requests=3),
    "model down for long": Row(
        always(DOWN), WAITING, later=OVER, requests=-1, buttons=frozenset({"feedback", "retry"}), patience=QUICK
    ),
    "model slow": Row(
        silent,
        WAITING,
        later=ANSWER,
        status="Still working…",
        requests=-1,
        given={"answering__deadline": 1.5},
    ),
    "model busy for a moment": Row(ills(ModelBusy("Later.", after=1)), status="Busy: about 1 s.", requests=2),
    "model busy for long": Row(ills(ModelBusy("Later.", after=90)), WAITING, later=ANSWER, requests=2),
    "model refuses": Row(always(ModelRefused("No such key.", why="key")), PASSAGES),
    "model breaks off": Row(writing(f"{ANSWER}\n\n", then=DOWN), notes=("cut off: the model stopped writing",)),
    "model raves": Row(
        writing("The moon is made of green cheese. [1]"),
        "I could not back an answer with sources. The closest I found: “Parking”, “Garage” and “Bicycles”.",
        requests=2,
    ),
    "reranker down": Row(
        set_on("ranker", fail=True), notes=("simple ranking used",), calls=lambda ward: ward.ranker.calls
    ),
    "reranker slow": Row(
        set_on("ranker", delay=30.0), notes=("simple ranking used",), calls=lambda ward: ward.ranker.calls
    ),
    "embedder down": Row(
        set_on("embedder", fail=True), notes=("keyword search only",), calls=lambda ward: ward.embedder.calls
    ),
    "search down, and back": Row(
        set_on("index", down=2), status=SEARCH_DOWN, calls=lambda ward: ward.index.searches, times=3
    ),
    "search down for long": Row(
        set_on("index", down=10**6),
        GIVEN_UP,
        status=SEARCH_DOWN,
        requests=0,
        calls=lambda ward: ward.index.searches,
        times=4,
        buttons=frozenset({"retry"}),
    ),
    "index in part": Row(
        set_on("index", partial=True),
        notes=("part of the index did not answer",),
        calls=lambda ward: ward.index.searches,
    ),
    "source not read": Row(before=old_source, notes=("handbook last read 3 h ago",)),
    "groups not read": Row(
        before=old_groups,
        notes=(
            (
                "documents for your groups in ldap may be left out: "
                "who is in these groups was not checked for too long, and counts again once the source is read"
            ),
        ),
    ),
    "plugin raises": Row(before=with_plugin(Raises)),
    "plugin hangs": Row(before=with_plugin(Hangs), given={"plugins__hook_timeout": 0.2}),
}


async def play(place: Place, row: Row) -> Seen:
    """Make it ill, ask, and compare."""
    made = place.ward
    made.heal()
    row.ill(made)
    seen = await place.until(await place.ask(), lambda now: now.text == row.text or now.final)
    assert seen.text == row.text
    if row.later:
        made.writer.gate.set()
        await place.until(seen, lambda now: now.text == row.later)
    await place.answer(seen)
    assert seen.text == (row.later or row.text)
    assert tuple(seen.notes) == row.notes
    assert row.status in ("", *seen.statuses)
    assert seen.messages == 1
    assert row.buttons <= seen.buttons
    if row.requests >= 0:
        assert made.requests == row.requests
    else:
        # At 0.15, 0.3, 0.6, 0.9 and 1.2 s; a slow machine leaves some out.
        assert 2 <= made.requests <= 6
    if row.calls is not None:
        assert row.calls(made) == row.times
    return seen


async def play_all(platform: Callable[..., Any], folder: Path, *, times: int, subtests: pytest.Subtests) -> None:
    """Every row on a platform."""
    groups = [[name for name in ROWS if not ROWS[name].alone], *([name] for name in ROWS if ROWS[name].alone)]
    for group in groups:
        first = ROWS[group[0]]
        async with (
            ward(folder / group[0], THREE, **first.given) as made,
            platform(made, first.patience).open() as place,
        ):
            first.before(made)
            for name in group:
                with subtests.test(name):
                    for _ in range(times):
                        await play(place, ROWS[name])


# --- a database that cannot be written ---------------------------------------------------------------------------


@contextmanager
def locked(ward: Ward) -> Iterator[None]:
    """Another process writes all the time."""
    other = sqlite3.connect(ward.bot.database.where, isolation_level=None, timeout=30)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.close()


@contextmanager
def full(ward: Ward) -> Iterator[None]:
    """There is no room for another page."""
    ward.disk.pages = 1
    try:
        yield
    finally:
        ward.disk.pages = PLENTY


LONG = f"What does the parking permit cost? {'Please tell. ' * 600}"
"""Needs pages of its own."""
