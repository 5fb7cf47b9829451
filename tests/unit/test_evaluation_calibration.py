"""Calibration and AUROC against what they must be."""

from __future__ import annotations

import json
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from citebot.errors import WrongUse
from citebot.evaluation import auroc, brier, fit_calibration, read_calibration
from citebot.evaluation.calibration import Method, Platt

METHODS: list[Method] = ["platt", "isotonic"]


def examples(count: int, seed: int = 0, *, slope: float = 3.0, offset: float = -1.0) -> tuple[list[float], list[bool]]:
    """Scores whose labels follow a logistic curve that we know."""
    random = Random(seed)
    scores = [random.uniform(-3, 3) for _ in range(count)]
    truth = Platt(slope, offset)
    return scores, [random.random() < truth.probability(score) for score in scores]


def by_pairs(scores: list[float], labels: list[bool]) -> float:
    """AUROC as it is defined: over all pairs."""
    wins = [
        (ours > theirs) + (ours == theirs) / 2
        for ours, true in zip(scores, labels, strict=True)
        for theirs, other in zip(scores, labels, strict=True)
        if true and not other
    ]
    return sum(wins) / len(wins) if wins else 0.5


@given(st.lists(st.tuples(st.integers(0, 5).map(float), st.booleans()), max_size=40))
def test_auroc_is_the_share_of_pairs_in_the_right_order(pairs: list[tuple[float, bool]]) -> None:
    scores, labels = [score for score, _ in pairs], [label for _, label in pairs]
    assert auroc(scores, labels) == pytest.approx(by_pairs(scores, labels))


def test_platt_finds_the_curve_that_made_the_labels() -> None:
    fitted = fit_calibration(*examples(4000))
    assert isinstance(fitted, Platt)
    assert fitted.slope == pytest.approx(3.0, rel=0.15)
    assert fitted.offset == pytest.approx(-1.0, rel=0.2)


@pytest.mark.parametrize("method", METHODS)
def test_a_calibration_beats_the_raw_score_on_new_examples(method: Method) -> None:
    fitted = fit_calibration(*examples(2000), method=method)
    scores, labels = examples(2000, seed=9)
    raw = [min(max((score + 3) / 6, 0), 1) for score in scores]
    assert brier([fitted.probability(score) for score in scores], labels) < brier(raw, labels) - 0.02


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("scores", "labels"),
    [
        ([0.0, 1.0], [False, True]),
        ([1e6, 1e6 + 1, 1e6 + 2], [False, True, True]),
        ([1.0, 1.0, 1.0, 1.0], [True, False, True, False]),
        ([0.1] * 50 + [0.9] * 50, [False] * 50 + [True] * 50),
    ],
)
def test_hard_cases_stay_rising_and_between_0_and_1(method: Method, scores: list[float], labels: list[bool]) -> None:
    fitted = fit_calibration(scores, labels, method=method)
    curve = [fitted.probability(score) for score in [-1e9, *sorted(scores), 1e9]]
    assert curve == sorted(curve)
    assert all(0 <= value <= 1 for value in curve)


@pytest.mark.parametrize("method", METHODS)
def test_a_calibration_survives_a_file(method: Method) -> None:
    fitted = fit_calibration(*examples(200), method=method)
    again = read_calibration(json.loads(json.dumps(fitted.to_json())))
    assert [again.probability(x / 7) for x in range(-20, 20)] == [fitted.probability(x / 7) for x in range(-20, 20)]


def test_what_cannot_be_fitted_or_read_says_so() -> None:
    with pytest.raises(WrongUse, match="examples of both kinds"):
        fit_calibration([1.0, 2.0], [True, True])
    with pytest.raises(WrongUse, match="Unknown calibration method 'magic'"):
        read_calibration({"method": "magic"})
    with pytest.raises(WrongUse, match="not a calibration"):
        read_calibration({"slope": 1})
