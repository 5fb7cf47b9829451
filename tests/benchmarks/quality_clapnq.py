"""Answerability and sentence selection on the ClapNQ development questions, through the product's own path.

    python tests/benchmarks/quality_clapnq.py [--data ../shared/data] [--work /tmp/citebot-quality] [--fit]

All passages of both files are indexed together; each question is asked, retrieved and decided. `--fit` prints new
coefficients for `citebot.answering.decide`: fitted on one half of the questions, measured on the other.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import random
from dataclasses import dataclass, replace
from pathlib import Path

from quality_world import Text, World, extractive, open_world, question, table

from citebot.answering import decide, evidence
from citebot.answering.gather import Gathered
from citebot.answering.sentences import sentences
from citebot.answering.trace import Trace
from citebot.evaluation import auroc, brier
from citebot.model import ScoredPassage
from citebot.ports import Draft, GenerationRequest
from citebot.storage import passages
from citebot_plugins.local.embedder import LocalSettings

KINDS = (("vectors", "retrieved"), ("vectors", "given"), ("words", "retrieved"), ("words", "given"))


@dataclass(frozen=True)
class Row:
    """A question with its passage and what of it answers."""

    id: str
    text: str
    title: str
    passage: str
    gold: tuple[str, ...]
    answerable: bool


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--work", type=Path, default=Path("/tmp/citebot-quality"))
    parser.add_argument("--index", default="citebot_plugins.embedded:EmbeddedIndex")
    parser.add_argument("--fit", action="store_true", help="fit the coefficients anew and print them")
    parser.add_argument("--json", type=Path, help="write the figures here as well")
    arguments = parser.parse_args()
    evidence.SECONDS = 600.0  # a busy machine must not change the figures
    folder = arguments.data / "clapnq-dev"
    if not folder.is_dir():
        raise SystemExit(f"{folder} is not there: the data is public, see docs/answering.md for where it comes from.")
    asyncio.run(run(clapnq_rows(folder), arguments))


async def run(rows: list[Row], arguments: argparse.Namespace) -> None:
    texts = [Text(row.id, row.title, row.passage) for row in rows]
    world = await open_world(arguments.work / "clapnq", texts, index=arguments.index, embedder=LocalSettings())
    try:
        features = {kind: [await _features(world, row, *kind) for row in rows] for kind in KINDS}
        selection = [await _selection(world, row) for row in rows if row.answerable]
    finally:
        await world.index.close()
        await world.embedder.close()
        world.database.close()
    labels = [row.answerable for row in rows]
    held_out = _held_out(rows)
    if arguments.fit:
        _fit(features, labels, held_out)
    figures = {" ".join(kind): _figures(found, labels, held_out) for kind, found in features.items()}
    figures["selection"] = {
        name: sum(row[name] for row in selection) / len(selection)
        for name in ("precision", "recall", "f1", "sentences")
    }
    print(table(["search", "AUROC", "held-out half", "Brier", "answered at 0.5", "refused at 0.5"],
                [[name, *(f"{value:.3f}" for value in found.values())] for name, found in figures.items()
                 if name != "selection"]))  # fmt: skip
    print("sentence selection:", {name: round(value, 3) for name, value in figures["selection"].items()})
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2))


async def _features(world: World, row: Row, search: str, where: str) -> dict[str, float]:
    """What the decide stage sees, with retrieval or with the question's own passage alone."""
    gathering = world.path(embedder=search == "vectors")._gathering
    if where == "retrieved":
        return (await gathering.run(question(row.text), Trace())).decision.features
    return (await _given(world, row, gathering)).decision.features


async def _given(world: World, row: Row, gathering) -> Gathered:  # type: ignore[no-untyped-def]
    """As if the search had put this passage first: the other candidates remain for comparison."""
    found = await gathering.search(question(row.text), Trace())
    number = world.ids[row.id]
    own = next((hit for hit in found.passages if hit.passage.id == number), None)
    if own is None:
        with world.database.read() as tx:
            own = ScoredPassage(passages.by_ids(tx, [number])[number], 0.0)
    lexical = decide.Lexical(found.standalone.terms, found.passages)
    vectors = decide.SentenceVectors(world.embedder if found.retrieved.vector else None)
    decision = await gathering._decider.run(
        found.standalone, [own], lexical=lexical, index_hits=found.retrieved.hits, vector=found.retrieved.vector,
        sentence_vectors=vectors,
    )  # fmt: skip
    return Gathered(found.standalone, found.retrieved, (own,), decision, vectors, ())


async def _selection(world: World, row: Row) -> dict[str, float]:
    """Which sentences of its passage the extractive generator quotes, against the chosen ones."""
    with world.database.read() as tx:
        number = world.ids[row.id]
        hit = ScoredPassage(passages.by_ids(tx, [number])[number], 1.0)
    request = GenerationRequest(
        question=row.text, original=row.text, passages=(hit,), query_vector=await world.embedder.embed_query(row.text),
        embed=world.embedder.embed_passages,
    )  # fmt: skip
    drafted = "".join([piece.text async for piece in extractive().generate(request) if isinstance(piece, Draft)])
    flat = "".join(drafted.split())
    gold = {sentence for text in row.gold for sentence in sentences(text)}
    quoted = {s for s in sentences(" ".join(row.passage.split())) if "".join(s.split()) in flat}
    hits = sum(any(_same(one, other) for other in gold) for one in quoted)
    found = sum(any(_same(one, other) for other in quoted) for one in gold)
    precision, recall = hits / max(1, len(quoted)), found / max(1, len(gold))
    f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    return {"precision": precision, "recall": recall, "f1": f1, "sentences": float(len(quoted))}


def _same(one: str, other: str) -> bool:
    first, second = "".join(one.split()), "".join(other.split())
    return first in second or second in first


def _figures(found: list[dict[str, float]], labels: list[bool], held_out: list[bool]) -> dict[str, float]:
    scores = [decide.confidence(features) if features else 0.0 for features in found]
    apart = [(score, label) for score, label, out in zip(scores, labels, held_out, strict=True) if out]
    return {
        "auroc": auroc(scores, labels),
        "held_out": auroc([score for score, _ in apart], [label for _, label in apart]),
        "brier": brier(scores, labels),
        "answered": sum(s >= 0.5 for s, y in zip(scores, labels, strict=True) if y) / sum(labels),
        "refused": sum(s < 0.5 for s, y in zip(scores, labels, strict=True) if not y) / (len(labels) - sum(labels)),
    }


def _held_out(rows: list[Row]) -> list[bool]:
    """One half of the questions, the same on every run."""
    chance = random.Random(7)
    return [chance.random() < 0.5 for _ in rows]


def _fit(features: dict[tuple[str, str], list[dict[str, float]]], labels: list[bool], held_out: list[bool]) -> None:
    for search, weights in (("vectors", decide.WITH_VECTORS), ("words", decide.WORDS_ONLY)):
        names = [name for name in weights if name != "bias"]
        inputs, targets = [], []
        for where in ("retrieved", "given"):
            for found, label, out in zip(features[search, where], labels, held_out, strict=True):
                if not out:
                    inputs.append([found.get(name, 0.0) for name in names])
                    targets.append(float(label))
        fitted = _logistic(inputs, targets)
        print(search, {name: round(value, 2) for name, value in zip(["bias", *names], fitted, strict=True)})
        weights.update(zip(["bias", *names], fitted, strict=True))


def _logistic(
    inputs: list[list[float]], targets: list[float], *, ridge: float = 1.0, rounds: int = 4000
) -> list[float]:
    """Weights with a ridge that keep the sign they should have: no feature may count against an answer."""
    weights = [0.0] * (len(inputs[0]) + 1)
    size = len(inputs)
    for step in range(rounds):
        slopes = [0.0] * len(weights)
        for row, target in zip(inputs, targets, strict=True):
            error = 1 / (1 + math.exp(-weights[0] - sum(w * x for w, x in zip(weights[1:], row, strict=True)))) - target
            slopes[0] += error
            for place, value in enumerate(row, start=1):
                slopes[place] += error * value
        rate = 8.0 / (1 + step / 1000)
        weights = [
            w - rate * (slope + (ridge * w if place else 0.0)) / size
            for place, (w, slope) in enumerate(zip(weights, slopes, strict=True))
        ]
        weights[1:] = [max(0.0, w) for w in weights[1:]]
    return weights


def clapnq_rows(folder: Path) -> list[Row]:
    """The questions that can be answered and those that cannot."""
    return [*_read(folder / "answerable.jsonl", True), *_read(folder / "unanswerable.jsonl", False)]


def _read(path: Path, answerable: bool) -> list[Row]:
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        passage = row["passages"][0]
        gold = tuple(row["output"][0].get("selected_sentences") or ()) if answerable else ()
        rows.append(Row(str(row["id"]), row["input"], passage["title"], passage["text"], gold, answerable))
    return [replace(row, id=f"{'a' if answerable else 'u'}{row.id}") for row in rows]


if __name__ == "__main__":
    main()
