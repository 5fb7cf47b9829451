"""Promise P26: 200 ask at once from 4 processes that are killed between reserving and settling: never over a limit.

What counts is the provider's bill, which is written outside when a model is asked, whoever lives to hear of it.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # the tests are no package

from sqlalchemy import text
from zygote import Zygote, state_of, zygote_of

from citebot.budgets import HOLD_SECONDS, Budgets
from citebot.model import Audience, Conversation, Person, Question
from citebot.ports import Usage
from citebot.settings import AnsweringSettings, BudgetSettings
from citebot.storage import Database, budgets, clock

ZYGOTE = Path(__file__).parent / "budget_zygote.py"
PROCESSES = 4
PEOPLE, CHANNELS, MOST = 25, 5, 1000
STOPPED = 1.0
SHARES = {"person": 60, "conversation": 240, "workspace": 800, "everybody": 750}
"""Limits in millionths for each of those who ask; one question costs 1000 on average, and 3000 at most."""


class Askers:
    """Starts processes that ask, kills them, and lets what they did not finish be asked again."""

    def __init__(self, database: Database, url: str, folder: Path, zygote: Zygote, *, askers: int, seed: int) -> None:
        self.database = database
        self.askers = askers
        self.limits = {scope: share * askers for scope, share in SHARES.items()}
        self.chance = random.Random(seed)
        self.kills = 0
        self.over: list[str] = []
        self._url, self._folder, self._zygote = url, folder, zygote
        self._running: dict[int, list[int]] = {}
        self._stopped: dict[int, float] = {}

    def start(self, questions: list[int], *, failpoint: str = "", stop_at: int = 0) -> int:
        config = {
            "url": self._url, "folder": str(self._folder), "questions": questions, "failpoint": failpoint,
            "hit": self.chance.randint(1, 5), "stop_at": stop_at, "seed": self.chance.random(),
            "limits": {f"{scope}_cost": limit / 1_000_000 for scope, limit in self.limits.items()},
        }  # fmt: skip
        pid = self._zygote.fork(config)
        self._running[pid] = questions
        return pid

    def run(self) -> None:
        """All questions, asked until each is answered or refused."""
        waiting = self.chance.sample(range(self.askers), self.askers)
        shares = [waiting[at::PROCESSES] for at in range(PROCESSES)]
        self.start(shares[0], failpoint="after-reserve")
        self.start(shares[1], failpoint="before-settle")
        self.start(shares[2], stop_at=self.chance.randint(2, 8))
        victim = self.start(shares[3])
        kill_after = self.chance.randint(1, 8)
        deadline = time.monotonic() + 100
        while self._running:
            assert time.monotonic() < deadline, "took too long"
            if victim in self._running and self._calls_of(victim) >= kill_after:
                with suppress(ProcessLookupError):
                    os.kill(victim, signal.SIGKILL)
                victim = 0
            self._look_after()
            self._note_what_is_over()
            time.sleep(0.02)

    def _look_after(self) -> None:
        for pid, questions in list(self._running.items()):
            state = state_of(pid)
            if state == "T":
                if time.monotonic() - self._stopped.setdefault(pid, time.monotonic()) > STOPPED:
                    os.kill(pid, signal.SIGCONT)
                elif questions:
                    # Somebody else takes its questions over, as when a lease has run out; it wakes up to find that.
                    self._running[pid] = []
                    self.start(self._open(questions))
            elif state == "gone":
                del self._running[pid]
                left = self._open(questions)
                self.kills += bool(left)
                if left:
                    self.start(left)

    def _open(self, questions: list[int]) -> list[int]:
        return [number for number in questions if number not in self.ended()]

    def _note_what_is_over(self) -> None:
        with self.database.read() as tx:
            for one in budgets.spent(tx):
                if one.amount.cost > self.limits.get(one.counter.budget, one.amount.cost):
                    self.over.append(f"{one.counter} {one.amount.cost}")

    def outside(self) -> list[tuple[str, str, int, int]]:
        """What the world has seen: of which process, what, of which question, how much."""
        lines = [
            (path.name, line.split()) for path in self._folder.glob("*.log") for line in path.read_text().splitlines()
        ]
        return [(pid, words[0], int(words[1]), int(words[2]) if words[2:] else 0) for pid, words in lines]

    def _calls_of(self, pid: int) -> int:
        return sum(name == f"{pid}.log" and what == "paid" for name, what, _, _ in self.outside())

    def ended(self) -> set[int]:
        """The questions that were answered or refused."""
        return {number for _, what, number, _ in self.outside() if what in ("settled", "refused")}

    def bills(self) -> dict[str, Counter[str]]:
        """What was paid, of each kind of budget."""
        found = {scope: Counter[str]() for scope in SHARES}
        for _, what, number, cost in self.outside():
            owners = {"person": f"p{number % PEOPLE}", "conversation": f"c{number % CHANNELS}"}
            for scope, bill in found.items():
                bill[owners.get(scope, "")] += cost if what == "paid" else 0
        return found

    def broken_off(self) -> int:
        """How many answers were killed when they may have been in a call."""
        calls, settled = (
            {(pid, n) for pid, what, n, _ in self.outside() if what == one} for one in ("calls", "settled")
        )
        return len(calls - settled)

    def end(self) -> None:
        for pid in self._running:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


@pytest.fixture
def zygote(tmp_path: Path) -> Iterator[Zygote]:
    with zygote_of(ZYGOTE, tmp_path) as started:
        yield started


def heal_later(database: Database, monkeypatch: pytest.MonkeyPatch) -> int:
    """What whoever reserves five minutes from now closes; nothing is held then."""
    with database.read() as tx:
        later = clock.now(tx) + timedelta(minutes=5)
    with monkeypatch.context() as patched, database.write() as tx:
        patched.setattr(clock, "now", lambda tx: later)
        closed = budgets.heal(tx)
        assert budgets.held(tx) == 0
    return closed


@pytest.mark.timeout(1800)
def test_no_budget_is_passed_and_nothing_stays_held(
    database: Database,
    url: str,
    zygote: Zygote,
    tmp_path: Path,
    count: Callable[[int, int], int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    figures: Counter[str] = Counter()
    for run in range(count(1, 50)):
        with database.write() as tx:
            tx.execute(text("DELETE FROM spending"))
            tx.execute(text("DELETE FROM reservation"))
        folder = tmp_path / f"run{run}"
        folder.mkdir()
        askers = Askers(database, url, folder, zygote, askers=count(60, 200), seed=run)
        try:
            askers.run()
        finally:
            askers.end()
        check(askers)
        figures.update(left=heal_later(database, monkeypatch))
        figures.update(figures_of(askers))
    print(database.dialect, dict(figures))


def check(askers: Askers) -> None:
    """Nothing was ever over a limit, neither by the counters nor by the bills."""
    assert askers.over == []
    assert askers.ended() == set(range(askers.askers))
    assert all(max(bill.values()) <= askers.limits[scope] for scope, bill in askers.bills().items())
    assert askers.kills > 0


def figures_of(askers: Askers) -> dict[str, int]:
    """Once all is healed: what is counted is the bill, and one call of each answer that was killed in one."""
    with askers.database.read() as tx:
        counted = next(one.amount.cost for one in budgets.spent(tx) if one.counter.budget == "everybody")
    paid, broken = askers.bills()["everybody"].total(), askers.broken_off()
    assert paid <= counted <= paid + MOST * broken
    kinds = Counter(f"{what} answers" for _, what, _, _ in askers.outside() if what in ("settled", "refused", "unheld"))
    assert kinds["refused answers"] > 0
    return {"kills": askers.kills, "killed in a call": broken, "paid": paid, "counted": counted, **kinds}


def test_what_a_killed_answer_holds_is_free_within_five_minutes() -> None:
    assert AnsweringSettings().deadline < HOLD_SECONDS < 300


async def test_what_is_left_of_a_budget_can_be_used_after_a_kill(database: Database) -> None:
    """Planted as a kill leaves it: reserved, and the process is gone."""
    one, other = (
        Question("?", Person(name), Conversation("scripted", "c1"), Audience(frozenset())) for name in ("ann", "bob")
    )
    shared = Budgets(database, BudgetSettings(everybody_cost=3 * MOST / 1_000_000), hold=0.2)
    assert (await shared.reserve(one, [Usage("m", cost=MOST)] * 3)).granted
    assert not (await shared.reserve(other, [Usage("m", cost=MOST)])).granted
    await asyncio.sleep(0.25)
    assert (await shared.reserve(other, [Usage("m", cost=MOST)] * 3)).granted
