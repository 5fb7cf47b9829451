"""Answers to the questions of the sample company, through the product's own path: citations, refusals, own overhead.

python tests/benchmarks/quality_sample.py [--work /tmp/citebot-quality] [--words-only] [--show]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import statistics
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog
from quality_world import extractive, make_index, table

from citebot.access import Directory
from citebot.answering import AnswerPath
from citebot.evaluation import AnswerReport, EvalQuestion, evaluate_answers, load_questions
from citebot.ingest import EmbeddingWorker, Feeder, SyncRunner
from citebot.model import Answer, Conversation, Done, Person, Question
from citebot.ports import PartContext, SourceContext
from citebot.settings import AccessSettings, AnsweringSettings, IngestSettings
from citebot.storage import Database, schema, sources
from citebot_connectors.sources.files import FilesSource
from citebot_connectors.sources.jsonl import JsonlSource
from citebot_plugins.local.embedder import LocalEmbedder, LocalSettings

SAMPLE = Path(__file__).parents[2] / "bot" / "citebot" / "sample"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("/tmp/citebot-quality"))
    parser.add_argument("--index", default="citebot_plugins.embedded:EmbeddedIndex")
    parser.add_argument("--words-only", action="store_true", help="without vectors")
    parser.add_argument("--show", action="store_true", help="print every wrong answer")
    parser.add_argument("--json", type=Path, help="write the figures here as well")
    asyncio.run(run(parser.parse_args()))


async def run(arguments: argparse.Namespace) -> None:
    folder = arguments.work / "sample"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    database = Database(f"sqlite:///{folder / 'citebot.db'}")
    schema.upgrade(database)
    _sync(database, folder)
    embedder = LocalEmbedder(LocalSettings(), PartContext(folder / "embedder"))
    index = make_index(arguments.index, folder / "index")
    await embedder.open()
    await index.open()
    try:
        feeder = Feeder(database, index)
        if not arguments.words_only:
            await EmbeddingWorker(database, embedder, feeder).run_once()
        await feeder.catch_up()
        path = AnswerPath(
            database=database,
            index=index,
            embedder=None if arguments.words_only else embedder,
            reranker=None,
            generator=extractive(),
            settings=AnsweringSettings(),
        )
        await _report(path, database, arguments)
    finally:
        await index.close()
        await embedder.close()
        database.close()


async def _report(path: AnswerPath, database: Database, arguments: argparse.Namespace) -> None:
    people = json.loads((SAMPLE / "people.json").read_text(encoding="utf-8"))
    guests = [person["id"] for person in people["people"] if person.get("guest")]
    directory = Directory(database, AccessSettings(groups=people["groups"], guests=guests))
    traces: list[dict[str, Any]] = []
    answered: dict[str, Answer] = {}

    async def ask(question: EvalQuestion) -> Answer:
        asker = Person(question.person)
        asked = Question(
            text=question.question, asker=asker, conversation=Conversation("cli", "benchmark"),
            audience=directory.audience_of([asker]), history=question.history,
        )  # fmt: skip

        async def keep(answer: Answer, trace: dict[str, Any]) -> None:
            traces.append(trace)

        [answer] = [event.answer async for event in path.answer(asked, keep=keep) if isinstance(event, Done)]
        answered[question.id] = answer
        return answer

    questions = load_questions(SAMPLE / "questions.jsonl")
    await ask(questions[0])  # the model is warm
    traces.clear()
    report = await evaluate_answers(questions, ask)
    own = sorted(trace["own_ms"] for trace in traces if "own_ms" in trace)
    figures = _figures(report) | {"own_ms p50": statistics.median(own), "own_ms p95": own[int(0.95 * len(own))]}
    print(table(["measure", "value"], [[name, f"{value:.3f}"] for name, value in figures.items()]))
    print(json.dumps(report.counts()))
    if arguments.show:
        _show(report, questions, answered)
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2))


def _figures(report: AnswerReport) -> dict[str, float]:
    figures = {name: interval.mean for name, interval in report.measures().items()}
    figures["auroc"] = report.auroc
    figures["dangling"] = float(sum(row.dangling for row in report.rows))
    figures["unsupported"] = float(sum(len(row.unsupported) for row in report.rows))
    figures["leaked"] = float(sum(len(row.leaked) for row in report.rows))
    for kind in sorted({row.kind for row in report.rows}):
        rows = [row for row in report.rows if row.kind == kind]
        figures[f"right reaction: {kind}"] = sum(row.answered == row.expected for row in rows) / len(rows)
    return figures


def _show(report: AnswerReport, questions: tuple[EvalQuestion, ...], answered: dict[str, Answer]) -> None:
    for question, row in zip(questions, report.rows, strict=True):
        wrong = row.answered != row.expected or (row.answered and (row.gold_precision or 0) < 1) or row.unsupported
        if wrong:
            print(f"\n{row.id} {row.kind} expected={row.expected} answered={row.answered} {row.confidence:.2f}")
            print("  Q:", question.question, [turn.text for turn in question.history])
            print("  gold:", question.gold_documents, "| cited:", row.documents, row.unsupported)
            print("  A:", answered[row.id].text[:400].replace("\n", " ⏎ "), answered[row.id].notes)


def _sync(database: Database, folder: Path) -> None:
    pages = FilesSource.Settings(path=SAMPLE, exclude=["README.md"], front_matter_readers=True)
    parts = {
        "handbook": FilesSource(pages, PartContext(folder / "files")),
        "tickets": JsonlSource(JsonlSource.Settings(path=SAMPLE / "tickets.jsonl"), PartContext(folder / "jsonl")),
    }
    for name, part in parts.items():
        with database.write() as tx:
            sources.add(tx, name=name, type=part.name, settings={})
        context = SourceContext(
            state_dir=folder / name, log=structlog.get_logger("benchmark"), stop=lambda: False,
            now=lambda: datetime.now(UTC),
        )  # fmt: skip
        progress = SyncRunner(database, part, source=name, context=context, settings=IngestSettings()).run()
        print(name, progress.counts())


if __name__ == "__main__":
    main()
