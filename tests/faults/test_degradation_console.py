"""Promise P36 on the web chat: for every fault the exact text, the exact number of calls, and nothing lost."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("slack_bolt")  # the ward has both platforms
sys.path.insert(0, str(Path(__file__).parent))  # the tests are no package

from degraded import BUSY, OnConsole, Ward, ward
from degraded_rows import ANSWER, LONG, THREE, full, locked, play_all

from citebot.answering import rerank
from citebot.app import desk as desks
from citebot.storage import work


@pytest.mark.timeout(3600)
async def test_each_fault_has_its_words(
    tmp_path: Path, count: Callable[[int, int], int], monkeypatch: pytest.MonkeyPatch, subtests: pytest.Subtests
) -> None:
    monkeypatch.setattr(desks, "STILL_SECONDS", 0.2)
    monkeypatch.setattr(rerank, "RERANK_SECONDS", 0.3)
    await play_all(OnConsole, tmp_path, times=count(1, 20), subtests=subtests)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (locked, "citebot.db is busy: another"),
        (full, "I can't save right now. Please tell whoever runs me."),
    ],
    ids=["locked", "full"],
)
@pytest.mark.timeout(600)
async def test_what_cannot_be_saved_is_said_and_not_taken(
    fault: Callable[..., object], words: str, tmp_path: Path, count: Callable[[int, int], int]
) -> None:
    async with ward(tmp_path / "data", THREE) as made, OnConsole(made).open() as place:
        for number in range(count(1, 20)):
            made.heal()
            with fault(made):  # type: ignore[attr-defined]  # a context manager
                said = await place.post(LONG)
            assert said.status_code == 503
            assert words in said.json()["error"]
            with made.bot.database.read() as tx:
                assert work.counts(tx, "inbox") == ({"done": number} if number else {})
            assert (await place.answer(await place.ask())).text == ANSWER
            assert made.requests == 1


def sent(made: Ward) -> set[str]:
    """States of the posts."""
    with made.bot.database.read() as tx:
        return {*work.counts(tx, "outbox")}


@pytest.mark.timeout(600)
async def test_a_database_that_is_away_when_the_answer_is_ready_gets_it_later(
    tmp_path: Path, count: Callable[[int, int], int]
) -> None:
    async with ward(tmp_path / "data", THREE, delivery__lease=1.5) as made, OnConsole(made).open() as place:
        for _ in range(count(1, 20)):
            made.heal()
            made.writer.gate.clear()
            seen = await place.until(await place.ask(), lambda now: "Writing" in now.statuses)
            with locked(made):
                made.writer.gate.set()
                await asyncio.sleep(1.5 * BUSY)
                assert not seen.final
            await place.answer(seen)
            assert seen.text == ANSWER
            await place.until(seen, lambda _: sent(made) == {"done"})
