"""Our ranking measures are those of trec_eval, by way of ir-measures."""

from __future__ import annotations

from random import Random

import ir_measures
import pytest
from ir_measures import RR, R, Success, nDCG

from citebot.errors import WrongUse
from citebot.evaluation import Metric, ranked, score_run

PAIRS = {
    "ndcg@5": nDCG @ 5,
    "ndcg@10": nDCG @ 10,
    "recall@3": R @ 3,
    "recall@10": R @ 10,
    "mrr@1000": RR,
    "hit@1": Success @ 1,
    "hit@5": Success @ 5,
}


def world(seed: int, *, ties: bool) -> tuple[dict[str, dict[str, int]], dict[str, dict[str, float]]]:
    """Random grades (0 to 3, also negative ones) and a random run; some questions find nothing, some have no gold."""
    random = Random(seed)
    documents = [f"d{number}" for number in range(60)]
    grades = {
        f"q{number}": {document: random.choice([0, 0, 1, 2, 3]) for document in random.sample(documents, 12)}
        for number in range(40)
    }
    grades["no gold"] = {"d1": 0}
    run = {
        query: {
            document: float(random.randint(0, 4)) if ties else random.random()
            for document in random.sample(documents, random.randint(1, 40))
        }
        for query in list(grades)[:35]
    }
    return grades, run


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_equal_to_ir_measures_on_every_question(seed: int, *, ties: bool) -> None:
    grades, run = world(seed, ties=ties)
    ours = score_run(run, grades, metrics=[Metric.parse(name) for name in PAIRS])
    seen = 0
    for result in ir_measures.iter_calc(list(PAIRS.values()), grades, run):
        name = next(name for name, measure in PAIRS.items() if measure == result.measure)
        assert ours[name][result.query_id] == pytest.approx(result.value, abs=1e-9), (name, result.query_id)
        seen += 1
    assert seen == len(PAIRS) * len(grades)


def test_means_are_equal_too_when_questions_are_missing_from_the_run() -> None:
    grades, run = world(7, ties=True)
    theirs = ir_measures.calc_aggregate([nDCG @ 10, R @ 10], grades, run)
    ours = score_run(run, grades, metrics=[Metric.parse("ndcg@10"), Metric.parse("recall@10")])
    for name, measure in (("ndcg@10", nDCG @ 10), ("recall@10", R @ 10)):
        assert sum(ours[name].values()) / len(grades) == pytest.approx(theirs[measure])


def test_scores_that_differ_only_beyond_single_precision_tie() -> None:
    assert ranked({"a": 0.5, "b": 0.5 + 1e-12, "c": 0.4}) == ["b", "a", "c"]
    assert ranked({"a": 0.5 + 1e-12, "b": 0.5, "c": 0.6}) == ["c", "b", "a"]
    assert ranked({"small": -1e300, "big": 1e300}) == ["big", "small"]


@pytest.mark.parametrize("name", ["ndcg", "ndcg@0", "ndcg@-1", "accuracy@5", "@5", ""])
def test_an_unknown_metric_names_those_there_are(name: str) -> None:
    with pytest.raises(WrongUse, match=r"ndcg, recall, mrr, hit with a cut-off, like ndcg@10"):
        Metric.parse(name)
