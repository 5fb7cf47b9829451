"""The plan of a cluster: more of everything for more, and never less than the rules it names."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from citebot_plugins.elasticsearch.planning import SHARD_BYTES, SHARD_PASSAGES, _size, plan
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


@pytest.mark.parametrize("millions", [1, 10, 100, 1_000])
def test_the_documentation_works_it_through(millions: int) -> None:
    page = (Path(__file__).parents[2] / "docs" / "elasticsearch.md").read_text("utf-8")
    int8, bbq = (plan(documents=millions * 10**6 // 3 + 1, vectors=kind) for kind in ("int8_hnsw", "bbq_hnsw"))
    said = {what: value for what, value, _ in int8.lines()}
    less = {what: value for what, value, _ in bbq.lines()}
    one = _size(int8.text_bytes + int8.vector_disk_bytes)
    cells = [one, said["shards"], said["disk"], said["memory for vectors"], less["disk"], less["memory for vectors"]]
    assert f"| {millions:,} million | {' | '.join(cells)} |" in page


def test_the_role_opens_our_indices_alone() -> None:
    (indices,) = role("wiki")["indices"]
    assert indices["names"] == ["wiki", "wiki-*"]
    assert role("wiki")["cluster"] == ["monitor"]
