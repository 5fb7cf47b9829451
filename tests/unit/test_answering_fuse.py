from __future__ import annotations

import pytest

from citebot.answering.fuse import Fusion, Weights
from citebot.ports import IndexHits

WORDS = {1: 9.0, 2: 6.0, 3: 3.0}
VECTORS = {3: 0.9, 2: 0.6, 4: 0.3}


def order(fusion: Fusion, legs: dict[str, dict[int, float]]) -> list[int]:
    return [hit.id for hit in fusion.fuse(IndexHits(legs))]


def test_scores_are_z_scores_weighted_to_one() -> None:
    found = {
        hit.id: hit.score
        for hit in Fusion(Weights(words=1, vectors=1, headings=0)).fuse(IndexHits({"words": WORDS, "vectors": VECTORS}))
    }
    step = 3 / (6**0.5)
    assert found[2] == pytest.approx(0.0)
    # 3 is last by words and first by vectors; 1 is first by words and gets the lowest kept cosine.
    assert found[3] == pytest.approx(0.0)
    assert found[1] == pytest.approx(0.0)
    assert found[4] == pytest.approx(-step)


def test_a_leg_alone_keeps_its_own_order() -> None:
    fusion = Fusion(Weights())
    assert order(fusion, {"words": WORDS}) == [1, 2, 3]
    assert order(fusion, {"vectors": VECTORS}) == [3, 2, 4]
    assert order(fusion, {}) == []


def test_a_heading_adds_its_share_of_the_best_heading() -> None:
    fusion = Fusion(Weights(headings=0.8))
    plain = {hit.id: hit.score for hit in fusion.fuse(IndexHits({"words": WORDS}))}
    lifted = {hit.id: hit.score for hit in fusion.fuse(IndexHits({"words": WORDS, "headings": {3: 4.0, 2: 1.0}}))}
    assert lifted[3] - plain[3] == pytest.approx(0.8)
    assert lifted[2] - plain[2] == pytest.approx(0.2)
    assert lifted[1] == plain[1]


def test_mean_and_deviation_come_from_the_best_alone() -> None:
    tail = dict.fromkeys(range(100, 500), 0.01)
    near = Fusion(Weights(), depth=3).fuse(IndexHits({"vectors": VECTORS | tail}))
    assert [hit.score for hit in near[:3]] == [
        hit.score for hit in Fusion(Weights(), depth=3).fuse(IndexHits({"vectors": VECTORS}))
    ]


def test_a_learned_sparse_leg_counts_when_it_has_a_weight() -> None:
    legs = {"words": WORDS, "sparse": {3: 5.0, 2: 1.0, 1: 0.0}}
    assert order(Fusion(Weights()), legs)[0] == 1
    assert order(Fusion(Weights(sparse=5.0)), legs)[0] == 3


def test_equal_scores_are_ordered_by_id() -> None:
    assert order(Fusion(Weights()), {"words": {7: 1.0, 3: 1.0, 5: 1.0}}) == [3, 5, 7]
