"""Measures how good answers and searches are. It knows nothing of how they are made: callers bring a function."""

from __future__ import annotations

from citebot.evaluation.answers import AnswerReport, AnswerRow, Ask, answer_table, evaluate_answers, judge_answer
from citebot.evaluation.bootstrap import Interval, interval, paired
from citebot.evaluation.calibration import Calibration, auroc, brier, fit_calibration, read_calibration
from citebot.evaluation.citations import CitationCheck, check_citations
from citebot.evaluation.datasets import Dataset, EvalDocument, EvalQuery, load_beir, read_qrels, read_queries
from citebot.evaluation.metrics import DEFAULT_METRICS, Metric, ranked
from citebot.evaluation.overlap import token_f1
from citebot.evaluation.questions import EvalQuestion, load_questions
from citebot.evaluation.retrieval import (
    Difference,
    RetrievalReport,
    Search,
    compare,
    comparison_table,
    evaluate_retrieval,
    report_table,
    score_run,
)
from citebot.evaluation.runs import read_run, write_run
from citebot.evaluation.timing import Latency

__all__ = [
    "DEFAULT_METRICS",
    "AnswerReport",
    "AnswerRow",
    "Ask",
    "Calibration",
    "CitationCheck",
    "Dataset",
    "Difference",
    "EvalDocument",
    "EvalQuery",
    "EvalQuestion",
    "Interval",
    "Latency",
    "Metric",
    "RetrievalReport",
    "Search",
    "answer_table",
    "auroc",
    "brier",
    "check_citations",
    "compare",
    "comparison_table",
    "evaluate_answers",
    "evaluate_retrieval",
    "fit_calibration",
    "interval",
    "judge_answer",
    "load_beir",
    "load_questions",
    "paired",
    "ranked",
    "read_calibration",
    "read_qrels",
    "read_queries",
    "read_run",
    "report_table",
    "score_run",
    "token_f1",
    "write_run",
]
