"""The plan of a cluster: more of everything for more, and never less than the rules it names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from citebot_plugins.elasticsearch.planning import SHARD_BYTES, SHARD_PASSAGES, plan
from citebot_plugins.elasticsearch.privileges import role

KINDS = st.sampled_from(["int8_hnsw", "bbq_hnsw", "hnsw"])


@given(st.integers(1, 10**9), st.integers(1, 10**9), KINDS, st.integers(0, 3))
def test_more_documents_need_no_less(one: int, other: int, kind: str, replicas: int) -> None:
    few, many = (plan(documents=n, vectors=kind, replicas=replicas).facts() for n in sorted((one, other)))
    assert all(few[what] <= many[what] for what in few)


@given(st.integers(1, 10**9), KINDS)
def test_no_shard_is_larger_than_the_rule(documents: int, kind: str) -> None:
    made = plan(documents=documents, vectors=kind)
    assert (made.text_bytes + made.vector_disk_bytes) / made.shards <= SHARD_BYTES
    assert made.passages / made.shards <= SHARD_PASSAGES


@pytest.mark.parametrize(("kind", "bytes_each"), [("int8_hnsw", 452), ("bbq_hnsw", 126), ("hnsw", 1600)])
def test_memory_is_what_elastic_says_for_a_vector_of_384_numbers(kind: str, bytes_each: int) -> None:
    made = plan(documents=1_000, vectors=kind, replicas=0)
    assert made.memory_bytes == made.vectors * bytes_each


def test_the_role_opens_our_indices_alone() -> None:
    (indices,) = role("wiki")["indices"]
    assert indices["names"] == ["wiki", "wiki-*"]
    assert role("wiki")["cluster"] == ["monitor"]
