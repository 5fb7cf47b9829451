"""Chunk sizes, and headings in front of chunks, compared on three sets through the product's own path.

    python tests/benchmarks/chunk_sizes.py [--data ../shared/data] [--work /tmp/citebot-quality]

Every set is read, cut, embedded and searched once per setting; each setting is compared with the shipped one question
by question. Vectors are kept in the work folder, so that a second run is quick. The first takes about an hour of two
cores, most of it for embedding MTRAG Cloud (`--documents` takes fewer, `--sets sample` leaves it out).
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from chunk_report import ANSWERS, Report, Result, Setting
from chunk_scores import Values, scores
from chunk_sets import ChunkSet, clapnq_set, mtrag_set, sample_set
from chunk_world import Cut, World, open_world
from quality_sample import SAMPLE

from citebot.access import Directory
from citebot.answering import evidence, retrieve
from citebot.evaluation import AnswerReport, EvalQuestion, evaluate_answers, load_questions
from citebot.model import Answer, Conversation, Done, Person, Question
from citebot.ports import PartContext
from citebot.settings import AccessSettings, IngestSettings
from citebot.storage import Database, schema
from citebot_plugins.local.embedder import LocalEmbedder, LocalSettings

HITS = 100
MUST_BE_ZERO = ("dangling", "unsupported", "leaked")


def main() -> None:
    shipped = IngestSettings()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--work", type=Path, default=Path("/tmp/citebot-quality"))
    parser.add_argument("--sets", default="sample,clapnq,mtrag")
    parser.add_argument("--sizes", default="200,350,500,800", help="tried with headings in and out, beside the shipped")
    parser.add_argument(
        "--more", default="350/0,350/120,350/160,350/200,500/160", help="SIZE/SMALLEST, tried as shipped"
    )
    parser.add_argument("--documents", type=int, default=500, help="of MTRAG Cloud, those with gold passages first")
    parser.add_argument("--json", type=Path, help="write the figures here as well")
    arguments = parser.parse_args()
    evidence.SECONDS = retrieve.EMBED_SECONDS = retrieve.SEARCH_SECONDS = 600.0  # a busy machine must not change them
    sizes = sorted({shipped.chunk_tokens, *map(int, arguments.sizes.split(","))})
    cuts = [Cut(size, shipped.chunk_min_tokens, heading) for heading in (True, False) for size in sizes]
    for more in filter(None, arguments.more.split(",")):
        size, _, least = more.partition("/")
        cuts.append(Cut(int(size), int(least), True))
    default = Setting(Cut(shipped.chunk_tokens, shipped.chunk_min_tokens, True), True)
    arguments.work.mkdir(parents=True, exist_ok=True)
    asyncio.run(run(_sets(arguments), cuts, default, arguments))


def _sets(arguments: argparse.Namespace) -> list[ChunkSet]:
    found = []
    for name in arguments.sets.split(","):
        folder = arguments.data / {"clapnq": "clapnq-dev", "mtrag": "mtrag-cloud"}.get(name, "")
        if not folder.is_dir() and name != "sample":
            raise SystemExit(
                f"{folder} is not there: the data is public, see docs/answering.md for where it comes from."
            )
        if name == "sample":
            found.append(sample_set(_asking(arguments.work)))
        elif name == "clapnq":
            found.append(clapnq_set(folder))
        else:
            found.append(mtrag_set(folder, documents=arguments.documents))
    return found


async def run(sets: Sequence[ChunkSet], cuts: Sequence[Cut], default: Setting, arguments: argparse.Namespace) -> None:
    embedder = LocalEmbedder(LocalSettings(), PartContext(arguments.work / "embedder"))
    await embedder.open()
    figures = {}
    try:
        for found in sets:
            results: list[Result] = []
            for cut in cuts:
                async with open_world(found, cut, embedder=embedder, work=arguments.work) as world:
                    # A smallest size is compared under the shipped headings alone.
                    legs = (True, False) if cut.minimum == default.cut.minimum else (True,)
                    for leg in legs:
                        results.append(await _result(found, world, Setting(cut, leg)))
                        print(f"  {found.name}: {results[-1].setting.name}", flush=True)
            report = Report(found.name, results, default)
            print(report.text(), flush=True)
            figures[found.name] = report.figures()
            if arguments.json:
                arguments.json.write_text(json.dumps(figures, indent=1) + "\n")
    finally:
        await embedder.close()


async def _result(found: ChunkSet, world: World, setting: Setting) -> Result:
    path = world.path(leg=setting.leg)
    hits = {asked.id: (await path.search(asked.question, limit=HITS))[0] for asked in found.asked}
    values, zeros = scores(found, hits), {}
    if not found.rows:
        report = await _answers(found, world, setting)
        values |= _answer_values(report)
        zeros = {name: report.counts()[name] for name in MUST_BE_ZERO}
    return Result(setting, world.stock, values, zeros)


async def _answers(found: ChunkSet, world: World, setting: Setting) -> AnswerReport:
    path = world.path(leg=setting.leg)

    async def keep(answer: Answer, trace: dict[str, Any]) -> None: ...

    async def ask(question: EvalQuestion) -> Answer:
        [answer] = [e.answer async for e in path.answer(found.asking[question.id], keep=keep) if isinstance(e, Done)]
        return answer

    return await evaluate_answers(load_questions(SAMPLE / "questions.jsonl"), ask)


def _answer_values(report: AnswerReport) -> Values:
    values: Values = {"right reaction": {row.id: float(row.answered == row.expected) for row in report.rows}}
    for name in ANSWERS[1:]:
        pairs = {row.id: getattr(row, name) for row in report.rows if row.expected}
        values[name] = {key: value for key, value in pairs.items() if value is not None}
    return values


def _asking(work: Path) -> dict[str, Question]:
    """The sample company's questions as their people ask them."""
    people = json.loads((SAMPLE / "people.json").read_text(encoding="utf-8"))
    guests = [person["id"] for person in people["people"] if person.get("guest")]
    asking = {}
    with TemporaryDirectory(dir=work) as folder, closing(Database(f"sqlite:///{folder}/people.db")) as database:
        schema.upgrade(database)
        directory = Directory(database, AccessSettings(groups=people["groups"], guests=guests))
        for found in load_questions(SAMPLE / "questions.jsonl"):
            asker = Person(found.person)
            asking[found.id] = Question(
                text=found.question, asker=asker, conversation=Conversation("cli", "benchmark"),
                audience=directory.audience_of([asker]), history=found.history,
            )  # fmt: skip
    return asking


if __name__ == "__main__":
    main()
