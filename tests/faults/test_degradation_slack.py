"""Promise P36 in Slack: for every fault the exact text, the exact number of calls, and nothing lost.

What the same faults say in German, and that a late answer says when it was asked, is in `test_slack_faults.py`; deaf
sockets are in `test_slack_outages.py`, what a private answer does in `test_late_answers.py`.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("slack_bolt")
sys.path.insert(0, str(Path(__file__).parent))  # the tests are no package

from degraded import PATIENT, InSlack, Ward, ward
from degraded_rows import ANSWER, DOWN, LONG, PASSAGES, THREE, WAITING, full, locked, play_all

from citebot.answering import rerank
from citebot.app import desk as desks
from citebot.storage import conversations, work
from citebot.storage.conversations import Place as Where


@pytest.mark.timeout(3600)
async def test_each_fault_has_its_words(
    tmp_path: Path, count: Callable[[int, int], int], monkeypatch: pytest.MonkeyPatch, subtests: pytest.Subtests
) -> None:
    monkeypatch.setattr(desks, "STILL_SECONDS", 0.2)
    monkeypatch.setattr(rerank, "RERANK_SECONDS", 0.3)
    await play_all(InSlack, tmp_path, times=count(1, 20), subtests=subtests)


def done(made: Ward) -> set[str]:
    """States of both queues."""
    with made.bot.database.read() as tx:
        return {*work.counts(tx, "inbox"), *work.counts(tx, "outbox")}


def posts(place: InSlack) -> int:
    """Messages that Slack took."""
    return sum(bool(one.result.get("ok")) for one in place.slack.calls("chat.postMessage"))


@pytest.mark.timeout(600)
async def test_a_question_that_was_not_saved_comes_again_and_is_answered_once(
    tmp_path: Path, count: Callable[[int, int], int]
) -> None:
    async with ward(tmp_path / "data", THREE) as made, InSlack(made).open() as place:
        for _ in range(count(1, 20)):
            made.heal()
            before = len(place.slack.deliveries)
            with locked(made):
                seen = await place.ask()
                await place.slack.until(lambda before=before: len(place.slack.deliveries) > before)
                await asyncio.sleep(1.2)
            await place.answer(seen)
            await place.slack.settled()
            await place.look(seen)
            assert (seen.text, seen.messages, made.requests) == (ANSWER, 1, 1)


@pytest.mark.timeout(600)
async def test_on_a_full_disk_the_asker_is_told(tmp_path: Path, count: Callable[[int, int], int]) -> None:
    async with ward(tmp_path / "data", THREE) as made, InSlack(made).open() as place:
        for number in range(count(1, 20)):
            with full(made):
                seen = await place.ask(LONG)
                told = await place.slack.until(lambda number=number: place.alone()[number:])
            assert told == ["I can't save right now. Please tell whoever runs me."]
            await place.answer(seen)  # it comes again
            assert seen.messages == 1


@pytest.mark.parametrize("fault", ["storm", "fail"])
@pytest.mark.timeout(600)
async def test_while_slack_takes_no_messages_the_answer_waits(
    fault: str, tmp_path: Path, count: Callable[[int, int], int]
) -> None:
    async with ward(tmp_path / "data", THREE) as made, InSlack(made, PATIENT).open() as place:
        for _ in range(count(1, 20)):
            made.heal()
            made.writer.ill = DOWN  # passages are sent as one message
            before = posts(place)
            met = getattr(place.slack.faults, fault)("chat.postMessage", times=2)
            seen = await place.until(await place.ask(), lambda now: now.text == WAITING)
            assert (met.met, posts(place) - before, seen.messages) == (2, 1, 1)
            made.writer.ill = None
            met = getattr(place.slack.faults, fault)("chat.update", times=2)
            await place.answer(seen)
            assert (seen.text, seen.messages, met.met, seen.changes) == (ANSWER, 1, 2, 1)
            await place.slack.until(lambda: done(made) == {"done"})


@pytest.mark.timeout(600)
async def test_over_the_budget_passages_are_shown_and_nothing_is_written(
    tmp_path: Path, count: Callable[[int, int], int]
) -> None:
    async with ward(tmp_path / "data", THREE) as made, InSlack(made, PATIENT).open() as place:
        with made.bot.database.write() as tx:
            conversations.change(tx, Where("slack"), {"per_day": 1})
        await place.answer(await place.ask())
        made.heal()
        for _ in range(count(1, 20)):
            seen = await place.answer(await place.ask())
            spent = "Today's limit is used up (resets 00:00 UTC). Passages only: [1] [2] [3]"
            assert (seen.text, seen.messages, made.requests) == (spent, 1, 0)


@pytest.mark.timeout(600)
async def test_a_private_answer_promises_nothing(tmp_path: Path, count: Callable[[int, int], int]) -> None:
    async with ward(tmp_path / "data", THREE) as made, InSlack(made).open() as place:
        for number in range(1, count(1, 20) + 1):
            made.heal()
            made.writer.ill = DOWN
            await place.slack.command(place.alice, place.general, "/ask What does the parking permit cost?")
            await place.slack.until(lambda number=number: "".join(place.alone()).count(PASSAGES) == number)
            assert "I will update" not in "".join(place.alone())
            await place.slack.until(lambda: done(made) == {"done"})
            assert made.requests == 1
