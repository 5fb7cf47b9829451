"""Questions with reference answers, one JSON object a line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from citebot.errors import WrongUse
from citebot.evaluation.reading import history_of, json_lines, text_of, texts_of
from citebot.model import Turn

QuestionKind = Literal["answerable", "multi", "followup", "unanswerable", "restricted", "conflict"]
_KINDS: dict[str, QuestionKind] = {kind: kind for kind in get_args(QuestionKind)}


@dataclass(frozen=True, slots=True)
class EvalQuestion:
    """A question as one person asks it, and what a right answer looks like."""

    id: str
    kind: QuestionKind
    question: str
    person: str
    """Who asks."""
    answer: str = ""
    """The reference answer; empty when this person must be told that the bot does not know."""
    gold_documents: tuple[str, ...] = ()
    """Ids of the documents that hold the answer; of a restricted question also for those who may not read them."""
    gold_sentences: tuple[str, ...] = ()
    history: tuple[Turn, ...] = ()

    @property
    def answerable(self) -> bool:
        """Whether this person should get an answer."""
        return bool(self.answer)


def load_questions(path: Path) -> tuple[EvalQuestion, ...]:
    """Read a question file; raises `WrongUse` naming the line that is wrong."""
    questions: dict[str, EvalQuestion] = {}
    for where, row in json_lines(path):
        kind = _KINDS.get(text_of(where, row, "kind"))
        if kind is None:
            raise WrongUse(f"{where}: unknown kind {row['kind']!r}, use one of {', '.join(_KINDS)}")
        question = EvalQuestion(
            id=text_of(where, row, "id"),
            kind=kind,
            question=text_of(where, row, "question"),
            person=text_of(where, row, "person"),
            answer=text_of(where, row, "answer") if row.get("answer") else "",
            gold_documents=texts_of(where, row, "gold_documents"),
            gold_sentences=texts_of(where, row, "gold_sentences"),
            history=history_of(where, row),
        )
        if question.id in questions:
            raise WrongUse(f"{where}: question {question.id!r} is there twice")
        questions[question.id] = question
    if not questions:
        raise WrongUse(f"{path} holds no question")
    return tuple(questions.values())
