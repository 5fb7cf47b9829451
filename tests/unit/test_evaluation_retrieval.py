"""Reports of searches and their comparison."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from rich.console import Console

from citebot.errors import IndexUnavailable, WrongUse
from citebot.evaluation import (
    Dataset,
    EvalQuery,
    Metric,
    RetrievalReport,
    compare,
    comparison_table,
    evaluate_retrieval,
    report_table,
)

METRICS = [Metric.parse("ndcg@10"), Metric.parse("hit@1")]


def dataset(count: int = 30) -> Dataset:
    queries = tuple(EvalQuery(f"q{number}", f"question {number}") for number in range(count))
    return Dataset("toy", Path("corpus.jsonl"), queries, {query.id: {f"d{query.id}": 1} for query in queries})


async def perfect(query: EvalQuery) -> Mapping[str, float]:
    return {f"d{query.id}": 2.0, "other": 1.0}


async def second_best(query: EvalQuery) -> Mapping[str, float]:
    return {f"d{query.id}": 1.0, "other": 2.0}


async def sometimes_down(query: EvalQuery) -> Mapping[str, float]:
    if query.id == "q3":
        raise IndexUnavailable("the index is away")
    return await perfect(query)


async def test_a_report_has_means_latency_and_every_question() -> None:
    ticks = iter(range(1000))
    seen: list[tuple[int, int]] = []
    report = await evaluate_retrieval(
        dataset(), perfect, metrics=METRICS, clock=lambda: next(ticks) / 10, progress=lambda *at: seen.append(at)
    )
    assert report.summary()["ndcg@10"].mean == 1.0
    assert report.latency.p95 == pytest.approx(0.1)
    assert seen[-1] == (30, 30)
    assert len(report.to_json()["per_question"]["hit@1"]) == 30


async def test_a_failed_search_counts_as_nothing_found_and_is_listed() -> None:
    report = await evaluate_retrieval(dataset(10), sometimes_down, metrics=METRICS)
    assert report.summary()["hit@1"].mean == pytest.approx(0.9)
    assert report.failures == {"q3": "the index is away"}


async def test_two_reports_are_compared_question_by_question_also_from_a_file() -> None:
    ours = await evaluate_retrieval(dataset(), perfect, metrics=METRICS, system="new")
    written = json.dumps((await evaluate_retrieval(dataset(), second_best, metrics=METRICS, system="old")).to_json())
    theirs = RetrievalReport.from_json(json.loads(written))
    ndcg, hit = compare(ours, theirs)
    assert (hit.better, hit.worse, hit.gain.mean) == (30, 0, 1.0)
    assert ndcg.gain.decided
    assert 0.3 < ndcg.gain.low <= ndcg.gain.high < 0.4
    with pytest.raises(WrongUse, match="share no metric and question"):
        compare(ours, RetrievalReport("else", "toy", {"ndcg@10": {"unknown": 1.0}}))
    with pytest.raises(WrongUse, match="not a retrieval report"):
        RetrievalReport.from_json({"system": "x"})


async def test_the_tables_can_be_read() -> None:
    ours = await evaluate_retrieval(dataset(), perfect, metrics=METRICS, system="new")
    theirs = await evaluate_retrieval(dataset(), second_best, metrics=METRICS, system="old")
    console = Console(file=io.StringIO(), width=120)
    console.print(report_table(ours), comparison_table(compare(ours, theirs), ours="new", theirs="old"))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "ndcg@10" in text
    assert "1.000 to 1.000" in text
    assert "30 / 0" in text
