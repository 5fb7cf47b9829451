"""The measures that compare chunk sizes: they must not favour a size by themselves."""

from __future__ import annotations

import json
import lzma
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from citebot.model import Audience, Conversation, Passage, Person, Question, Readers, ScoredPassage

GOLD = "You may carry over at most five unused days into the next year."
TEXT = [f"Sentence number {n} speaks of thing {n * 7} and of nothing else at all." for n in range(40)]


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "benchmarks"))
    import chunk_scores

    return chunk_scores


@pytest.fixture
def sets(benchmark: ModuleType) -> ModuleType:
    return sys.modules["chunk_sets"]


def hits(document: str, texts: Sequence[str]) -> list[ScoredPassage]:
    everyone = Readers.everyone()
    return [
        ScoredPassage(Passage(n, "s", document, "", "", "", (), text, "paragraph", n, everyone), 1.0 / (n + 1))
        for n, text in enumerate(texts)
    ]


def asked(sets: ModuleType, *, gold: Sequence[str], whole: bool = True) -> Any:
    where, ann = Conversation("cli", "x"), Person("ann")
    question = Question("how many?", ann, where, Audience(frozenset({"everyone"}), "everyone"))
    units = tuple(sets.Unit(str(n), "d", text) for n, text in enumerate(gold))
    one = sets.Asked("q", question, {"d": 1}, tuple(unit.id for unit in units))
    return sets.ChunkSet("set", (), (one,), units, whole=whole)


def values(benchmark: ModuleType, found: Any, shown: Sequence[ScoredPassage]) -> dict[str, float]:
    return {name: one["q"] for name, one in benchmark.scores(found, {"q": shown}).items()}


def test_a_sentence_that_a_cut_parts_is_held_by_no_chunk_but_is_read(benchmark: ModuleType, sets: ModuleType) -> None:
    found = asked(sets, gold=[GOLD])
    whole = values(benchmark, found, hits("d", ["Leave is good.", f"{GOLD} More follows."]))
    parted = values(benchmark, found, hits("d", ["You may carry over at most", "five unused days into the next year."]))
    assert (whole["text mrr@10"], whole["read in 6 passages"]) == (0.5, 1.0)
    assert (parted["text mrr@10"], parted["read in 6 passages"]) == (0.0, 1.0)


def test_the_same_text_read_in_small_and_in_large_chunks_counts_the_same(
    benchmark: ModuleType, sets: ModuleType
) -> None:
    found = asked(sets, gold=[" ".join(TEXT[10:20])], whole=False)
    small = hits("d", [" ".join(TEXT[n : n + 5]) for n in range(0, 40, 5)])
    large = hits("d", [" ".join(TEXT[n : n + 20]) for n in range(0, 40, 20)])
    got = [values(benchmark, found, shown) for shown in (small, large)]
    assert [round(one["read in 1500 tokens"], 3) for one in got] == [1.0, 1.0]
    assert got[0]["text mrr@10"] == pytest.approx(1 / 3)  # two chunks before it hold none of it
    assert got[1]["text mrr@10"] == 1.0


def test_headings_are_no_text_to_be_found(sets: ModuleType) -> None:
    passage = "\nGetting started \n\nFirst of all.\n\n\n\n Second part \n\nSee [the page](https://example.org/a) now."
    assert sets._prose(passage).split() == ["First", "of", "all.", "See", "[the", "page]", "now."]


def test_no_size_shows_more_than_the_budget(benchmark: ModuleType, sets: ModuleType) -> None:
    filler = " ".join(TEXT)
    found = asked(sets, gold=[GOLD])
    early = values(benchmark, found, hits("d", [f"{GOLD} {filler * 6}"]))
    late = values(benchmark, found, hits("d", [f"{filler * 6} {GOLD}"]))
    assert (early["read in 1500 tokens"], late["read in 1500 tokens"]) == (1.0, 0.0)
    assert late["read in 6 passages"] == 1.0


def test_a_document_in_parts_counts_once(benchmark: ModuleType, sets: ModuleType) -> None:
    found = asked(sets, gold=[GOLD])
    shown = [*hits("other@0", ["a"]), *hits("d@0", ["c"]), *hits("other@900", ["b"])]
    assert values(benchmark, found, shown)["document mrr@10"] == 0.5


def test_overlapping_passages_join_to_the_text_they_were_cut_from(sets: ModuleType, tmp_path: Path) -> None:
    page = "Getting started \n\n" + " ".join(TEXT[:12]) + "\n\n\n Second part \n\n" + " ".join(reversed(TEXT))
    cuts = [(0, 900), (700, 1800), (1800, 2500), (2600, len(page))]
    rows = [{"_id": f"page-{start}-{end}", "title": "", "text": f"\n{page[start:end]}"} for start, end in cuts]
    with lzma.open(tmp_path / "passages.jsonl.xz", "wt", encoding="utf-8") as file:
        file.write("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "covered_queries.txt").write_text("q\n")
    (tmp_path / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\nq\tpage-700-1800\t1\n")
    (tmp_path / "cloud_questions.jsonl").write_text(json.dumps({"_id": "q", "text": "|user|: one?\n|user|: two?"}))
    found = sets.mtrag_set(tmp_path, documents=1)
    assert [row["id"] for row in found.rows] == ["page@0", "page@2600"]
    assert {row["title"] for row in found.rows} == {"Getting started"}
    [first, _] = [row["markdown"] for row in found.rows]
    marked = page[:2500].replace("Getting started ", "## Getting started")
    assert first == marked.replace(" Second part ", "## Second part")
    assert found.asked[0].documents == {"page": 1}
    assert [turn.text for turn in found.asked[0].question.history] == ["one?"]
