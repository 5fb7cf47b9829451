"""The sets that chunk sizes are compared on: documents as a source gives them, questions, and which text is right."""

from __future__ import annotations

import json
import lzma
import random
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from quality_mtrag import mtrag_turns
from quality_sample import SAMPLE
from quality_world import question

from citebot.evaluation import EvalQuestion, load_questions, read_qrels
from citebot.evaluation.overlap import contained
from citebot.model import Question

_HEADING = re.compile(r"(?:\A|(?<=\n\n\n)) {0,3}([^\n]{1,150}?) (?=\n\n)")
"""How the set writes headings: the marks are gone, a blank at the end and empty lines before are left."""
_TITLE_WITHIN = 600
"""Characters at the beginning of a document in which its first heading is its title."""
_BEGINS = 60


@dataclass(frozen=True, slots=True)
class Unit:
    """Text that is found or not found as one: a gold sentence, or a passage as the set cuts it."""

    id: str
    document: str
    text: str


@dataclass(frozen=True, slots=True)
class Asked:
    """A question with its gold documents and gold units."""

    id: str
    question: Question
    documents: Mapping[str, int]
    units: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ChunkSet:
    """Documents and questions. A document may come in parts, named `document@part`."""

    name: str
    rows: tuple[dict[str, Any], ...]
    """Lines of an export; none for the sample company, which is read from its files."""
    asked: tuple[Asked, ...]
    units: tuple[Unit, ...]
    whole: bool
    """Whether a chunk must hold a unit as a whole: sentences yes, passages only by half."""
    asking: Mapping[str, Question] = field(default_factory=dict)
    """Questions to be answered, those without an answer too."""


def document_of(name: str) -> str:
    """The document of a part."""
    return name.partition("@")[0]


def sample_set(asking: Mapping[str, Question]) -> ChunkSet:
    """The sample company; `asking` holds each question as its person asks it."""
    texts = _sample_texts()
    asked, units = [], []
    for found in load_questions(SAMPLE / "questions.jsonl"):
        if not found.answerable:
            continue
        own = [_sentence(found, number, texts) for number in range(len(found.gold_sentences))]
        units += own
        gold = dict.fromkeys(found.gold_documents, 1)
        asked.append(Asked(found.id, asking[found.id], gold, tuple(unit.id for unit in own)))
    return ChunkSet("sample company", (), tuple(asked), tuple(units), whole=True, asking=asking)


def clapnq_set(folder: Path) -> ChunkSet:
    """ClapNQ's development passages, each a document; the questions without an answer only bring theirs."""
    rows, asked, units = [], [], []
    for kind in ("answerable", "unanswerable"):
        for row in _lines(folder / f"{kind}.jsonl"):
            name, passage = f"{kind[0]}{row['id']}", row["passages"][0]
            rows.append(_row(name, passage["title"], passage["text"]))
            if kind == "answerable":
                gold = row["output"][0].get("selected_sentences") or ()
                own = [Unit(f"{name} {number}", name, text) for number, text in enumerate(gold)]
                units += own
                asked.append(Asked(name, question(row["input"]), {name: 1}, tuple(unit.id for unit in own)))
    return ChunkSet("ClapNQ development", tuple(rows), tuple(asked), tuple(units), whole=True)


def mtrag_set(folder: Path, *, documents: int, others: int = 3, seed: int = 7) -> ChunkSet:
    """Documents put together again from the pooled passages: those with gold passages, and more up to `documents`.

    Overlapping passages join exactly; where the pool leaves a gap, the document goes on as another part. Of a document
    the parts with gold passages are kept and `others` more. The documents without gold passages are drawn from those
    whose beginning, and so whose title, is in the pool.
    """
    with lzma.open(folder / "passages.jsonl.xz", "rt", encoding="utf-8") as file:
        passages = {row["_id"]: row["text"] for row in map(json.loads, file) if row["text"].strip()}
    covered = set((folder / "covered_queries.txt").read_text().split())
    qrels = {query: grades for query, grades in read_qrels(folder / "qrels.tsv").items() if query in covered}
    parts = _parts(passages)
    titles = {name: title for name, (first, *_) in parts.items() if (title := _title(first))}
    gold = {passage for grades in qrels.values() for passage in grades}
    named = {_place(passage)[0] for passage in gold}
    chance = random.Random(seed)
    more = sorted(titles.keys() - named)
    kept: list[tuple[str, _Part]] = []
    for name in sorted(named | set(chance.sample(more, max(0, min(documents - len(named), len(more)))))):
        right = [part for part in parts[name] if gold.intersection(part.made_of)]
        rest = [part for part in parts[name] if part not in right]
        kept += [(name, part) for part in (*right, *chance.sample(rest, min(others, len(rest))))]
    rows = [_row(part.id, titles.get(name, ""), _marked(part.text)) for name, part in kept]
    units = [Unit(one, part.id, _prose(passages[one])) for _, part in kept for one in part.made_of]
    turns = mtrag_turns(folder)
    asked = [_asked(query, turns[query], grades) for query, grades in qrels.items()]
    return ChunkSet("pooled MTRAG Cloud", tuple(rows), tuple(asked), tuple(units), whole=False)


@dataclass(frozen=True, slots=True)
class _Part:
    id: str
    text: str
    made_of: tuple[str, ...]
    start: int


def _parts(passages: Mapping[str, str]) -> dict[str, list[_Part]]:
    places: dict[str, list[tuple[int, int, str]]] = {}
    for one in passages:
        name, start, end = _place(one)
        places.setdefault(name, []).append((start, end, one))
    return {name: list(_joined(name, sorted(found), passages)) for name, found in places.items()}


def _joined(name: str, found: Sequence[tuple[int, int, str]], passages: Mapping[str, str]) -> Iterable[_Part]:
    begin = reached = found[0][0]
    text = ""
    made_of: list[str] = []
    for start, end, one in found:
        if start > reached:
            yield _Part(f"{name}@{begin}", text, tuple(made_of), begin)
            begin, reached, text, made_of = start, start, "", []
        if end > reached:
            # Every passage of the set begins with a line break of its own.
            text += passages[one][1:][reached - start :]
            reached = end
        made_of.append(one)
    yield _Part(f"{name}@{begin}", text, tuple(made_of), begin)


def _asked(query: str, turns: Sequence[str], grades: Mapping[str, int]) -> Asked:
    *history, last = turns
    gold = {_place(passage)[0]: grade for passage, grade in grades.items() if grade > 0}
    return Asked(query, question(last, history), gold, tuple(one for one, grade in grades.items() if grade > 0))


def _place(passage: str) -> tuple[str, int, int]:
    name, start, end = passage.rsplit("-", 2)
    return name, int(start), int(end)


def _title(first: _Part) -> str:
    found = _HEADING.search(first.text[:_TITLE_WITHIN]) if first.start < _BEGINS else None
    return found[1].strip() if found else ""


def _marked(text: str) -> str:
    """The text with its headings marked again; their levels are lost."""
    return _HEADING.sub(lambda found: f"## {found[1].strip()}", text)


def _prose(passage: str) -> str:
    """A passage without its headings and the targets of its links, which an ingest keeps apart or leaves out."""
    return re.sub(r"\]\([^)\s]*\)", "]", _HEADING.sub("", passage[1:]))


def _sentence(found: EvalQuestion, number: int, texts: Mapping[str, str]) -> Unit:
    sentence = found.gold_sentences[number]
    document = max(found.gold_documents, key=lambda name: contained(sentence, texts[name]))
    return Unit(f"{found.id} {number}", document, sentence)


def _sample_texts() -> dict[str, str]:
    texts = {
        str(path.relative_to(SAMPLE)): path.read_text(encoding="utf-8")
        for path in SAMPLE.rglob("*")
        if path.suffix in (".md", ".txt", ".html")
    }
    for row in _lines(SAMPLE / "tickets.jsonl"):
        texts[row["id"]] = json.dumps(row, ensure_ascii=False)
    return texts


def _row(name: str, title: str, text: str) -> dict[str, Any]:
    return {"id": name, "title": title, "markdown": text, "readers": ["everyone"]}


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
