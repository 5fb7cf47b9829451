"""Measures whole answers: right documents, sound citations, honest refusals."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from citebot.errors import CitebotError
from citebot.evaluation.bootstrap import Interval, interval
from citebot.evaluation.calibration import auroc
from citebot.evaluation.citations import check_citations
from citebot.evaluation.overlap import contained, token_f1
from citebot.evaluation.questions import EvalQuestion
from citebot.evaluation.timing import Latency
from citebot.model import Answer

if TYPE_CHECKING:
    from rich.table import Table

Ask = Callable[[EvalQuestion], Awaitable[Answer]]
_SENTENCE_FOUND = 0.8
"""Share of a gold sentence's words that must be in the answer for the sentence to count as found."""


@dataclass(frozen=True, slots=True)
class AnswerRow:
    """One question, what came back, and how good that was. None: does not apply."""

    id: str
    kind: str
    expected: bool
    """Whether an answer was due."""
    answered: bool = False
    confidence: float = 0.0
    seconds: float = 0.0
    failure: str = ""
    text: str = ""
    documents: tuple[str, ...] = ()
    """Cited, in order."""
    statements: int = 0
    uncited: int = 0
    dangling: int = 0
    unsupported: tuple[str, ...] = ()
    leaked: tuple[str, ...] = ()
    """Documents that were shown although this person may not read them."""
    gold_precision: float | None = None
    """Of an answered question: share of the cited documents that hold the answer; 0 when none was due."""
    gold_recall: float | None = None
    sentence_recall: float | None = None
    token_f1: float | None = None


@dataclass(frozen=True, slots=True)
class AnswerReport:
    """All questions of one run."""

    system: str
    rows: tuple[AnswerRow, ...]
    latency: Latency = field(default_factory=Latency)

    def measures(self, *, kind: str = "", seed: int = 0) -> dict[str, Interval]:
        """The means with their intervals, of all questions or of one kind; those that do not apply are left out."""
        rows = [row for row in self.rows if kind in ("", row.kind)]
        series = {
            "answered": [float(row.answered) for row in rows if row.expected],
            "refused": [float(not row.answered) for row in rows if not row.expected],
            "gold_precision": [row.gold_precision for row in rows if row.expected and row.gold_precision is not None],
            "gold_precision_all": [row.gold_precision for row in rows if row.gold_precision is not None],
            "gold_recall": [row.gold_recall for row in rows if row.gold_recall is not None],
            "sentence_recall": [row.sentence_recall for row in rows if row.sentence_recall is not None],
            "token_f1": [row.token_f1 for row in rows if row.token_f1 is not None],
        }
        return {name: interval(values, seed=seed) for name, values in series.items() if values}

    def counts(self) -> dict[str, int]:
        """What must be 0 (except questions, answered, statements and uncited)."""
        return {
            "questions": len(self.rows),
            "answered": sum(row.answered for row in self.rows),
            "failed": sum(bool(row.failure) for row in self.rows),
            "statements": sum(row.statements for row in self.rows),
            "uncited": sum(row.uncited for row in self.rows),
            "dangling": sum(row.dangling for row in self.rows),
            "unsupported": sum(len(row.unsupported) for row in self.rows),
            "leaked": sum(len(row.leaked) for row in self.rows),
        }

    @property
    def auroc(self) -> float:
        """How well confidence tells questions with an answer from questions without."""
        asked = [row for row in self.rows if not row.failure]
        return auroc([row.confidence for row in asked], [row.expected for row in asked])

    def to_json(self) -> dict[str, Any]:
        """For files and `--json`."""
        kinds = sorted({row.kind for row in self.rows})
        return {
            "system": self.system,
            "counts": self.counts(),
            "auroc": self.auroc,
            "measures": _plain(self.measures()),
            "by_kind": {kind: _plain(self.measures(kind=kind)) for kind in kinds},
            "latency": self.latency.to_json(),
            "questions": [asdict(row) for row in self.rows],
        }


async def evaluate_answers(
    questions: Sequence[EvalQuestion],
    ask: Ask,
    *,
    system: str = "citebot",
    progress: Callable[[int, int], None] = lambda done, total: None,
    clock: Callable[[], float] = time.perf_counter,
) -> AnswerReport:
    """Ask every question as its person, one after the other, and judge what comes back."""
    rows = []
    for done, question in enumerate(questions, start=1):
        started = clock()
        try:
            answer = await ask(question)
        except CitebotError as error:
            row = AnswerRow(question.id, question.kind, question.answerable, failure=str(error))
        else:
            row = judge_answer(question, answer, seconds=clock() - started)
        rows.append(row)
        progress(done, len(questions))
    return AnswerReport(system, tuple(rows), Latency.of([row.seconds for row in rows if not row.failure]))


def judge_answer(question: EvalQuestion, answer: Answer, *, seconds: float = 0.0) -> AnswerRow:
    """Compare one answer with what was expected."""
    check = check_citations(answer)
    documents = tuple(dict.fromkeys(citation.passage.document_id for citation in answer.citations))
    shown = {*documents, *(hit.passage.document_id for hit in answer.closest)}
    gold = set(question.gold_documents)
    right = question.answerable and answer.answered
    return AnswerRow(
        id=question.id,
        kind=question.kind,
        expected=question.answerable,
        answered=answer.answered,
        confidence=answer.confidence,
        seconds=seconds,
        text=answer.text,
        documents=documents,
        statements=check.statements if answer.answered else 0,
        uncited=check.uncited if answer.answered else 0,
        dangling=len(check.dangling),
        unsupported=check.unsupported if answer.answered else (),
        leaked=tuple(sorted(shown & gold)) if question.kind == "restricted" and not question.answerable else (),
        gold_precision=_gold_precision(question, documents) if answer.answered else None,
        gold_recall=len(gold.intersection(documents)) / len(gold) if right and gold else None,
        sentence_recall=_sentence_recall(question, answer) if right and question.gold_sentences else None,
        token_f1=token_f1(answer.text, question.answer) if right else None,
    )


def answer_table(report: AnswerReport) -> Table:
    """The summary for a terminal: all questions, then each kind."""
    from rich.table import Table

    kinds = ["", *sorted({row.kind for row in report.rows})]
    names = list(report.measures())
    counts = ", ".join(f"{name} {value}" for name, value in report.counts().items())
    table = Table("kind", "n", *names, title=report.system, caption=f"AUROC {report.auroc:.3f}; {counts}")
    for kind in kinds:
        measures = report.measures(kind=kind)
        count = sum(kind in ("", row.kind) for row in report.rows)
        cells = [f"{measures[name].mean:.3f}" if name in measures else "" for name in names]
        table.add_row(kind or "all", str(count), *cells)
    return table


def _gold_precision(question: EvalQuestion, documents: Sequence[str]) -> float:
    if not question.answerable or not documents:
        return 0.0
    return sum(document in question.gold_documents for document in documents) / len(documents)


def _sentence_recall(question: EvalQuestion, answer: Answer) -> float:
    text = answer.text
    found = sum(contained(sentence, text) >= _SENTENCE_FOUND for sentence in question.gold_sentences)
    return found / len(question.gold_sentences)


def _plain(measures: Mapping[str, Interval]) -> dict[str, dict[str, float]]:
    return {name: {"mean": value.mean, "low": value.low, "high": value.high} for name, value in measures.items()}
