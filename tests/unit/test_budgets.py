"""What an answer may cost is reserved before, settled after, however it ends; beyond it only passages are shown."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from citebot.answering import texts
from citebot.budgets import Budgets
from citebot.budgets.limits import limits_of
from citebot.errors import ModelUnavailable
from citebot.model import Question, ScoredPassage, Status, TextDelta
from citebot.ports import Draft, GenerationRequest, Usage, Used, unmetered
from citebot.settings import BudgetSettings
from citebot.storage import Database, budgets
from citebot.storage.budgets import NOTHING, Amount, Counter
from citebot.testing.fake_models import FakeReranker, Script, ScriptedGenerator
from citebot.testing.small_world import Page, SmallWorld, answer_of, ask

QUESTION = "How many days of leave do employees get?"
PAGES = [
    Page("Employees get 26 days of leave.", title="Leave"),
    Page("Contractors get no days of leave.", title="Contractors"),
]
MOST = Usage("writer-1", 1000, 500, 300_000)
TWO_DRAFTS = 0.6


class PaidGenerator(ScriptedGenerator):
    """One that costs something; it tells so at the end, also of a stream that was broken off."""

    def __init__(self, *, script: Script = ("Employees get 26 days of leave. [1]\n\n",), **options: Any) -> None:
        super().__init__(script=script, **options)

    def most(self) -> Usage:
        return MOST

    async def generate(self, request: GenerationRequest) -> AsyncIterator[Draft | Status]:
        try:
            async for piece in super().generate(request):
                yield piece
        finally:
            request.used(Usage("writer-1", 100, 20, 50_000))


class PaidReranker(FakeReranker):
    def most(self) -> Usage:
        return Usage("orderer-1", cost=2_000)

    async def rerank(self, question: str, passages: Sequence[ScoredPassage], *, used: Used = unmetered) -> list[float]:
        used(Usage("orderer-1", cost=1_000))
        return await super().rerank(question, passages, used=used)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[SmallWorld]:
    made = SmallWorld(tmp_path)
    await made.open()
    await made.add(PAGES)
    yield made
    await made.close()


def spent(database: Database) -> dict[str, tuple[int, int, int]]:
    with database.read() as tx:
        assert budgets.held(tx) == 0
        rows = [(one.counter.place or one.counter.budget, one.amount) for one in budgets.spent(tx)]
    return {name: (amount.questions, amount.cost, amount.tokens) for name, amount in rows if amount != NOTHING}


def limited(world: SmallWorld, **limits: float) -> Budgets:
    return Budgets(world.database, BudgetSettings(**limits))


async def test_what_was_used_is_counted_and_the_rest_given_back(world: SmallWorld) -> None:
    path = world.path(PaidGenerator(), reranker=PaidReranker(), budgets=limited(world, person_cost=1, everybody_cost=1))
    assert "26 days" in (await answer_of(path, ask(QUESTION))).text
    used = (0, 51_000, 120)
    assert spent(world.database) == {
        "person": used, "everybody": used, "writer-1": (1, 50_000, 120), "orderer-1": (1, 1_000, 0)
    }  # fmt: skip


async def test_beyond_the_budget_passages_are_shown_and_nothing_is_paid_for(world: SmallWorld) -> None:
    generator, reranker = PaidGenerator(), PaidReranker()
    path = world.path(generator, reranker=reranker, budgets=limited(world, person_cost=TWO_DRAFTS))
    answer = await answer_of(path, ask(QUESTION))
    assert answer.text == "Today's limit is used up (resets 00:00 UTC). Passages only: [1] [2]"
    assert (generator.requests, reranker.seen, spent(world.database)) == ([], [], {})


async def test_tokens_are_limited_as_well_as_money(world: SmallWorld) -> None:
    for tokens, text in ((3_000, "26 days"), (2_999, "Passages only")):
        path = world.path(PaidGenerator(), budgets=limited(world, conversation_tokens=tokens))
        assert text in (await answer_of(path, ask(QUESTION))).text


async def test_what_costs_nothing_is_done_without_a_budget(world: SmallWorld) -> None:
    reranker = PaidReranker()
    path = world.path(reranker=reranker, budgets=limited(world, workspace_cost=0.001))
    answer = await answer_of(path, ask(QUESTION))
    assert "26 days" in answer.text
    assert (answer.notes, reranker.seen) == ((texts.SIMPLE_RANKING,), [])


async def test_a_question_over_its_number_pays_for_nothing(world: SmallWorld) -> None:
    reranker = PaidReranker()
    path = world.path(PaidGenerator(), reranker=reranker)
    await answer_of(path, replace(ask(QUESTION), over_budget=True))
    assert (reranker.seen, spent(world.database)) == ([], {})


async def test_a_search_pays_for_its_ranking(world: SmallWorld) -> None:
    path = world.path(PaidGenerator(), reranker=PaidReranker(), budgets=limited(world, everybody_cost=0.003))
    await path.search(ask(QUESTION))
    assert spent(world.database)["everybody"] == (0, 1_000, 0)
    await path.search(ask(QUESTION))
    await path.search(ask(QUESTION))
    assert spent(world.database)["everybody"] == (0, 2_000, 0)


async def test_an_answer_that_fails_counts_what_it_used(world: SmallWorld) -> None:
    failing = PaidGenerator(script=["26 "], error=ModelUnavailable("cut off"))
    path = world.path(failing, budgets=limited(world, person_cost=1))
    assert (await answer_of(path, ask(QUESTION))).text.startswith("I can't write an answer now.")
    assert spent(world.database)["person"] == (0, 50_000, 120)


async def test_an_answer_that_is_broken_off_counts_what_it_used(world: SmallWorld) -> None:
    path = world.path(PaidGenerator(), budgets=limited(world, person_cost=1))
    events = path.answer(ask(QUESTION))
    async for event in events:
        if isinstance(event, TextDelta):
            break
    await events.aclose()
    assert spent(world.database)["person"] == (0, 50_000, 120)


async def test_an_answer_that_is_cancelled_counts_what_it_used(world: SmallWorld) -> None:
    generator = PaidGenerator(wait=60)
    path = world.path(generator, budgets=limited(world, person_cost=1))
    task = asyncio.ensure_future(answer_of(path, ask(QUESTION)))
    while not generator.requests:
        await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.wait({task})
    assert spent(world.database)["person"] == (0, 50_000, 120)


async def test_a_question_tried_again_holds_what_it_may_cost_once(world: SmallWorld) -> None:
    shared = limited(world, person_cost=TWO_DRAFTS)
    asked = replace(ask(QUESTION), key="inbox-1")
    assert (await shared.reserve(asked, [MOST, MOST])).granted
    # Nobody settles it: the process was killed.
    assert (await shared.reserve(asked, [MOST, MOST])).granted
    assert not (await shared.reserve(replace(asked, key="inbox-2"), [MOST])).granted


async def test_a_killed_call_of_the_first_attempt_stays_counted(world: SmallWorld) -> None:
    shared = limited(world, person_cost=2 * TWO_DRAFTS)
    asked = replace(ask(QUESTION), key="inbox-1")
    killed = await shared.reserve(asked, [MOST, MOST])
    await killed.call(PaidGenerator())
    async with await shared.reserve(asked, [MOST, MOST]) as second:
        (await second.call(PaidGenerator()))(Usage("writer-1", cost=50_000))
        with pytest.raises(ModelUnavailable, match="not reserved any more"):
            await killed.call(PaidGenerator())
    assert spent(world.database)["person"] == (0, MOST.cost + 50_000, 1_500)


async def test_what_is_told_after_the_end_is_added(world: SmallWorld) -> None:
    shared = limited(world, person_cost=1)
    async with await shared.reserve(ask(QUESTION), [MOST]) as grant:
        used = await grant.call(PaidGenerator())
        used(Usage("writer-1", cost=10))
    used(Usage("writer-2", 5, cost=7))
    await shared.close()
    assert spent(world.database) == {"person": (0, 17, 5), "writer-1": (1, 10, 0), "writer-2": (1, 7, 5)}


async def test_without_a_limit_only_the_models_are_counted(world: SmallWorld) -> None:
    await answer_of(world.path(PaidGenerator()), ask(QUESTION))
    await answer_of(world.path(PaidGenerator()), ask(QUESTION))
    assert spent(world.database) == {"writer-1": (2, 100_000, 240)}


async def test_a_generator_without_costs_touches_no_budget(world: SmallWorld) -> None:
    await answer_of(world.path(budgets=limited(world, person_cost=0.000001)), ask(QUESTION))
    assert spent(world.database) == {}


async def test_a_limit_of_cost_without_prices_is_told_of_once(world: SmallWorld) -> None:
    shared = limited(world, person_cost=1)
    with capture_logs() as logged:
        for _ in range(2):
            assert (await shared.reserve(ask(QUESTION), [Usage("m", 1000)])).granted
    assert [entry["event"] for entry in logged].count(
        "a limit of cost is set, but no price of a model: it limits nothing"
    ) == 1


async def test_each_person_and_each_place_has_its_own(world: SmallWorld) -> None:
    def question(person: str, channel: str, tenant: str = "T1") -> Question:
        made = ask(QUESTION)
        where = replace(made.conversation, id=channel, tenant=tenant)
        return replace(made, asker=replace(made.asker, id=person), conversation=where)

    shared = limited(world, person_tokens=1500, conversation_tokens=3000, workspace_tokens=4500, everybody_tokens=6000)
    asked = [
        *(question("ann", "C1"), question("ann", "C2")),  # a person's is used up
        *(question("bob", "C1"), question("cleo", "C1")),  # a channel's
        *(question("dan", "C2"), question("eve", "C3")),  # a workspace's
        *(question("flo", "C1", "T2"), question("gus", "C1", "T3")),  # everybody's
    ]
    granted = [(await shared.reserve(one, [MOST])).granted for one in asked]
    assert granted == [True, False, True, False, True, False, True, False]


@pytest.mark.parametrize(
    ("setting", "limit"),
    [
        ({"person_cost": 0.5}, Amount(0, 500_000, 0)),
        ({"person_cost": 1e-9}, Amount(0, 1, 0)),
        ({"person_tokens": 7}, Amount(0, 0, 7)),
    ],
)
def test_limits_are_read_in_millionths_and_never_become_none(setting: Any, limit: Amount) -> None:
    assert limits_of(BudgetSettings(**setting)) == {"person": limit}


def test_the_command_shows_what_is_used_of_what_and_when_it_begins_anew(citebot: Any) -> None:
    assert citebot("db", "upgrade").exit_code == 0
    citebot.options += ("--set", "budgets.person_cost=0.6", "--set", "budgets.everybody_tokens=9000")
    assert citebot("conversation", "set", "slack:T1", "per_day=9").exit_code == 0
    with closing(Database(f"sqlite:///{citebot.folder / 'citebot.db'}")) as database, database.write() as tx:
        counters = (Counter("person", person="ann"), Counter("everybody"), Counter("workspace", "slack:T1"))
        budgets.add(tx, dict.fromkeys(counters, Amount(0, 51_000, 120)))
        budgets.add(
            tx, {Counter("per_day", "slack:T1"): Amount(2), Counter("model", "writer-1"): Amount(3, 51_000, 120)}
        )
    shown = citebot("budget")
    lines = [" ".join(line.split()) for line in shown.stdout.splitlines()]
    assert "one person ann 0.051 of 0.60 120" in lines
    assert "everybody 0.051 120 of 9000" in lines
    assert "questions of all slack:T1 2 of 9" in lines
    assert "writer-1 3 0.051 120" in lines
    assert "one workspace" not in shown.stdout
    assert "All begins anew at 00:00 UTC, in" in shown.stderr
    assert citebot.json("budget")["budgets"][0]["limit"] == {"questions": 9, "cost": 0.0, "tokens": 0}
