"""`citebot index` on an index that is built beside the one that answers, and on one that is not."""

from __future__ import annotations

import asyncio
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("elasticsearch")
sys.path.insert(0, str(Path(__file__).parents[1] / "contract"))

from index_on_elasticsearch import forget

QUESTION = "What does the parking permit cost?"


@pytest.fixture
def searching(citebot: Any, elasticsearch_url: str, tmp_path: Path) -> Iterator[Any]:
    """The command line on a data folder of two documents, in an Elasticsearch."""
    name = f"cli-{uuid.uuid4().hex[:12]}"
    given = {"use": "elasticsearch", "elasticsearch.url": elasticsearch_url, "elasticsearch.name": name}
    given |= {"elasticsearch.replicas": "0", "elasticsearch.search_seconds": "30"}
    citebot.options += tuple(part for key, value in given.items() for part in ("--set", f"index.{key}={value}"))
    citebot.alias = name
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "parking.md").write_text("# Parking\n\nThe parking permit costs 40 euros a month.\n")
    (tmp_path / "docs" / "cats.md").write_text("# Cats\n\nThe office cat is called Mina.\n")
    assert citebot("source", "add", "files", "--name", "docs", "--path", str(tmp_path / "docs")).exit_code == 0
    assert citebot("source", "sync").exit_code == 0
    yield citebot
    asyncio.run(forget(elasticsearch_url, name))


def asked(citebot: Any) -> bool:
    """Whether the answer is found."""
    return "40 euros" in citebot("ask", QUESTION).stdout


@pytest.mark.elasticsearch
@pytest.mark.xdist_group("elasticsearch")
def test_an_index_is_rebuilt_beside_switched_back_and_dropped(searching: Any) -> None:
    status = searching.json("index", "status")
    first = status["place"]
    second = f"{searching.alias}-{int(first.removeprefix(searching.alias + '-')) + 1:06d}"
    assert (status["passages"], status["refused"], status["others"]) == (2, 0, [])
    early = searching("index", "switch")
    assert early.exit_code == 1
    assert early.stderr.count("\n") == 1
    assert "`citebot index rebuild` begins one" in early.stderr

    rebuilt = searching("index", "rebuild")
    assert rebuilt.stdout == f"Built {second}: 2 passages, 0 vectors. Let it answer: citebot index switch\n"
    status = searching.json("index", "status")
    (other,) = status["others"]
    assert (status["place"], other["role"], other["place"], other["share"]) == (first, "next", second, 1.0)
    assert "100.0 %" in searching("index", "status").stdout
    assert asked(searching)

    switched = searching("index", "switch")
    assert switched.stdout.startswith(f"{second} answers now. {first} is kept until")
    assert asked(searching)
    assert searching.json("index", "switch", "--back")["place"] == first
    assert asked(searching)
    assert searching.json("index", "switch", "--back")["place"] == second
    assert searching.json("index", "purge")["others"][0]["place"] == first
    assert searching.json("index", "drop") == {"dropped": first}
    assert searching.json("index", "status")["others"] == []
    assert asked(searching)

    assert searching("index", "rebuild").exit_code == 0
    assert searching("index", "drop", "--unfinished").stdout.startswith(f"Dropped {searching.alias}-")
    nothing = searching("index", "drop")
    assert (nothing.exit_code, nothing.stderr.count("\n")) == (1, 1)


def test_an_index_that_is_rebuilt_in_its_place_has_nothing_to_switch(citebot: Any) -> None:
    for command in ("switch", "drop"):
        result = citebot("index", command)
        assert result.exit_code == 1
        assert "in its own place" in result.stderr
        assert result.stderr.count("\n") == 1


def test_a_standby_or_a_model_before_that_cannot_be_is_refused(citebot: Any) -> None:
    for setting, words in (
        ("index.standby=embedded", "is the chosen one already"),
        ("index.standby=embeded", "embedded"),
        ("embedder.previous=locl", "local"),
        ("embedder.previous=local/other", "has no setting “model”"),
    ):
        result = citebot("--set", setting, "index", "status")
        assert result.exit_code == 2, setting
        assert words in result.stderr, setting
        assert result.stderr.count("\n") == 1, setting
