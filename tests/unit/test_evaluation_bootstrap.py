"""Intervals hold the truth as often as they promise, and pairing sees what unpaired means hide."""

from __future__ import annotations

from random import Random

import pytest

from citebot.evaluation import interval, paired


def test_the_interval_covers_the_true_mean_about_95_times_in_100() -> None:
    random = Random(4)
    covered = 0
    for seed in range(200):
        found = interval([random.gauss(0.3, 0.2) for _ in range(80)], seed=seed, samples=400)
        covered += found.low <= 0.3 <= found.high
    assert 180 <= covered <= 199


def test_the_same_seed_gives_the_same_interval() -> None:
    values = [0.0, 1.0, 0.5, 0.25]
    assert interval(values, seed=3) == interval(values, seed=3)
    assert interval(values).mean == pytest.approx(0.4375)


def test_a_small_gain_on_every_question_is_decided_although_questions_differ_widely() -> None:
    random = Random(1)
    theirs = {f"q{n}": random.random() for n in range(100)}
    ours = {query: value + random.uniform(0.0, 0.04) for query, value in theirs.items()}
    gain = paired(ours, theirs)
    assert gain.decided
    assert 0.01 < gain.low < gain.mean < gain.high < 0.03
    assert interval(list(ours.values())).low < interval(list(theirs.values())).mean


def test_only_shared_questions_are_paired() -> None:
    assert paired({"a": 1.0, "b": 1.0}, {"a": 0.0, "c": 1.0}).mean == 1.0
    assert not paired({"a": 1.0}, {"b": 1.0}).decided


def test_nothing_measured_is_all_zero() -> None:
    assert (interval([]).low, interval([]).high) == (0.0, 0.0)
