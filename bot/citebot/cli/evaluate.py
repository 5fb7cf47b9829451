"""`citebot eval`: how good retrieval and answers are, measured on questions with known documents."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from citebot.cli.invocation import Invocation
from citebot.cli.output import json_option, print_json
from citebot.model import Answer, Done

if TYPE_CHECKING:
    from citebot.app import Citebot
    from citebot.evaluation import AnswerReport, Dataset, EvalQuery, EvalQuestion, RetrievalReport


@click.group("eval")
def command() -> None:
    """Measure retrieval and answers."""


@command.command("run")
@click.option(
    "--dataset",
    "folder",
    required=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder in the BEIR layout: corpus.jsonl, queries.jsonl (with optional history), qrels.",
)
@click.option("--split", default="", help="Which qrels file.  [default: test, dev or train, the first there is]")
@click.option(
    "--run-file", type=click.Path(dir_okay=False, path_type=Path), help="Also write the ranking as a TREC run."
)
@click.option("-k", "limit", default=100, show_default=True, type=click.IntRange(1, 200), help="Passages per question.")
@json_option
@click.pass_obj
def run(invocation: Invocation, folder: Path, split: str, run_file: Path | None, limit: int, as_json: bool) -> None:
    """Measure the retrieval on a data set: nDCG, recall, MRR, hits. It is indexed in a folder of its own.

    \b
    Example:
      citebot eval run --dataset ./scifact --run-file scifact.run
    """
    from citebot.evaluation import load_beir, report_table, write_run

    dataset = load_beir(folder, split=split)
    invocation.override({"data_dir": invocation.settings.data_dir / "eval" / dataset.name})
    report = invocation.run(lambda bot: _measure(invocation, bot, dataset, limit=limit, quiet=as_json), owner=True)
    if run_file:
        write_run(run_file, report.run)
    _show(report.to_json() if as_json else report_table(report), as_json=as_json)


@command.command("answers")
@click.option(
    "--questions",
    "path",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="JSON lines: id, kind, question, history, person, gold_documents, gold_sentences, answer.",
)
@json_option
@click.pass_obj
def answers(invocation: Invocation, path: Path, as_json: bool) -> None:
    """Measure answers, citations and refusals. Every question is asked as its person, in what is indexed.

    \b
    Example:
      citebot eval answers --questions questions.jsonl
    """
    from citebot.evaluation import answer_table, load_questions

    questions = load_questions(path)
    report = invocation.run(lambda bot: _ask_all(bot, questions, quiet=as_json))
    _show(report.to_json() if as_json else answer_table(report), as_json=as_json)


async def _measure(
    invocation: Invocation, bot: Citebot, dataset: Dataset, *, limit: int, quiet: bool
) -> RetrievalReport:
    from citebot.app.sources import add_source
    from citebot.cli.progress import bar, sync_sources
    from citebot.evaluation import evaluate_retrieval

    if not await bot.sources():
        values = {"path": str(dataset.corpus), "default_readers": ["everyone"]}
        add_source(bot.database, invocation.plugins, invocation.settings, kind="jsonl", name="corpus", values=values)
    await sync_sources(bot, ("corpus",), allow_removals=True, vectors=True, quiet=quiet)

    async def search(query: EvalQuery) -> dict[str, float]:
        found = await bot.search(query.text, history=query.history, limit=limit)
        best: dict[str, float] = {}
        for hit in found.hits:
            best.setdefault(hit.passage.document_id, hit.score)
        return best

    with bar("Asking", quiet=quiet) as report:
        return await evaluate_retrieval(dataset, search, progress=lambda done, total: report("", done, total))


async def _ask_all(bot: Citebot, questions: tuple[EvalQuestion, ...], *, quiet: bool) -> AnswerReport:
    from citebot.cli.progress import bar
    from citebot.evaluation import evaluate_answers

    async def ask(question: EvalQuestion) -> Answer:
        async for event in bot.ask(question.question, history=question.history, person=question.person):
            if isinstance(event, Done):
                return event.answer
        raise AssertionError("the path always ends with Done")

    with bar("Asking", quiet=quiet) as report:
        return await evaluate_answers(questions, ask, progress=lambda done, total: report("", done, total))


def _show(result: Any, *, as_json: bool) -> None:
    if as_json:
        print_json(result)
    else:
        from rich.console import Console

        Console().print(result)
