"""Who may read is asked of the source once more, for what an answer shows: a wiki that can say it decides at once."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from citebot.app.core import Citebot
from citebot.app.desk import WITHHELD, Desk
from citebot.app.opening import open_citebot
from citebot.app.sources import add_source
from citebot.model import Answer, Done, Person
from citebot.storage import sources
from citebot.testing.scripted_platform import ScriptedPlatform

ALICE = Person("alice@example.org", "Alice")
QUESTION = "What does the parking permit cost?"
GATE = '''
"""A source of one page and a gate in front of it, kept in two files."""

import time
from pathlib import Path
from pydantic import BaseModel
from citebot import Batch, Document, Readers, Ref, SourceSpec, hookimpl


class GateSource:
    name = "gate"
    summary = "one page"
    spec = SourceSpec()

    class Settings(BaseModel):
        folder: Path

    def __init__(self, settings, context):
        self._folder = settings.folder

    def list(self, ctx, cursor):
        yield Batch((Ref("permit", "1"),), None)

    def fetch(self, ctx, ids):
        for one in ids:
            yield Document(one, "Parking", "The parking permit costs 40 euros a month.", Readers.everyone())

    def may_read(self, ctx, person, ids):
        with (self._folder / "asked").open("a") as asked:
            asked.write(person + chr(10))
        said = (self._folder / "gate").read_text()
        if said == "hangs":
            time.sleep(3)
        if said == "raises":
            raise RuntimeError("the wiki is down")
        return set(ids) | {"another"} if person in said.split() else set()


@hookimpl
def citebot_register_sources():
    return [GateSource]
'''


class Gate:
    """The place the source reads."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        self.open_to(ALICE.id)

    def open_to(self, *people: str) -> None:
        (self.folder / "gate").write_text(" ".join(people))

    def asked(self) -> list[str]:
        asked = self.folder / "asked"
        return asked.read_text().split() if asked.exists() else []


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    return Gate(tmp_path / "gate")


@pytest.fixture
async def bot(
    tmp_path: Path, gate: Gate, citebot_settings: Callable[..., Any], plugin_manager: Callable[..., Any]
) -> AsyncIterator[Citebot]:
    dropped_in = tmp_path / "plugins"
    dropped_in.mkdir()
    (dropped_in / "gate.py").write_text(GATE)
    overrides = {
        "plugins.dir": str(dropped_in),
        "answering.threshold": 0.0,
        "access.live_seconds": 1.0,
        "embedder.use": "none",
        "reranker.use": "",
    }
    settings = citebot_settings(overrides)
    plugins = plugin_manager("embedded", "local", overrides=overrides)
    async with open_citebot(settings, plugins, owner=True) as opened:
        add_source(opened.database, plugins, settings, kind="gate", name="wiki", values={"folder": str(gate.folder)})
        await opened.sync("wiki")
        yield opened


async def answer(bot: Citebot, person: str = ALICE.id) -> Answer:
    events = [event async for event in bot.ask(QUESTION, person=person)]
    assert isinstance(events[-1], Done)
    return events[-1].answer


async def test_whom_the_source_lets_in_is_answered(bot: Citebot, gate: Gate) -> None:
    assert "40 euros" in (await answer(bot)).text
    assert set(gate.asked()) == {ALICE.id}
    assert len(gate.asked()) == 2, "before the text is written, and when it is"


async def test_whom_it_does_not_let_in_sees_nothing_of_it(bot: Citebot, gate: Gate) -> None:
    gate.open_to("bob@example.org")
    made = await answer(bot)
    assert "40 euros" not in made.text
    assert "Parking" not in made.text
    assert not made.citations
    assert not made.closest
    found = await bot.search(QUESTION, person=ALICE.id)
    assert found.hits == ()


@pytest.mark.parametrize("ill", ["raises", "hangs"])
async def test_a_source_that_does_not_say_it_hides_its_documents_and_the_asker_is_told(
    bot: Citebot, gate: Gate, ill: str
) -> None:
    gate.open_to(ill)
    made = await answer(bot)
    assert "40 euros" not in made.text
    assert any("wiki" in note for note in made.notes)


async def test_what_is_closed_while_the_text_is_written_is_not_shown(bot: Citebot, gate: Gate) -> None:
    closed = False
    texts: list[str] = []
    async for event in bot.ask(QUESTION, person=ALICE.id):
        if type(event).__name__ == "PassagesFound" and not closed:
            gate.open_to("bob@example.org")
            closed = True
        if isinstance(event, Done):
            texts.append(event.answer.text)
    assert closed
    assert "40 euros" not in texts[0]


async def test_someone_without_an_id_is_not_asked_about(bot: Citebot, gate: Gate) -> None:
    gate.open_to()
    assert "40 euros" in (await answer(bot, "")).text
    assert gate.asked() == []


async def test_a_paused_source_is_left_in_peace(bot: Citebot, gate: Gate) -> None:
    with bot.database.write() as tx:
        sources.set_paused(tx, "wiki", True)
    gate.open_to()
    assert "40 euros" in (await answer(bot)).text
    assert gate.asked() == []


async def test_an_answer_shown_again_and_its_document_are_asked_about_again(bot: Citebot, gate: Gate) -> None:
    made = await answer(bot)
    desk = Desk(bot, ScriptedPlatform())  # type: ignore[arg-type]
    try:
        passage = made.citations[0].passage.id
        assert await desk.show_document(passage, ALICE) is not None
        gate.open_to()
        again = await desk.show_answer(made.id, ALICE)
        assert again is not None
        assert again.text == WITHHELD
        assert await desk.show_document(passage, ALICE) is None
    finally:
        desk.delivery.close()
