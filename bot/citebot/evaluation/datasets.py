"""Retrieval test sets in the layout of BEIR: corpus.jsonl, queries.jsonl and qrels/SPLIT.tsv (or qrels.tsv)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from citebot.errors import WrongUse
from citebot.evaluation.reading import history_of, json_lines, text_of
from citebot.model import Turn

_SPLITS = ("test", "dev", "train")


@dataclass(frozen=True, slots=True)
class EvalDocument:
    """A document of the collection."""

    id: str
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class EvalQuery:
    """A question, and the turns before it."""

    id: str
    text: str
    history: tuple[Turn, ...] = ()


@dataclass(frozen=True, slots=True)
class Dataset:
    """Questions with the grades of their documents; the collection itself stays on disk."""

    name: str
    corpus: Path
    queries: tuple[EvalQuery, ...]
    """Those that have grades."""
    grades: Mapping[str, Mapping[str, int]]
    """Question id to document id to grade."""
    ungraded: int = 0
    """Questions of the file that have no grades and are left out."""

    def documents(self) -> Iterator[EvalDocument]:
        """The collection, one at a time."""
        for where, row in json_lines(self.corpus):
            yield EvalDocument(
                text_of(where, row, "_id", "id"), str(row.get("title") or ""), text_of(where, row, "text")
            )


def load_beir(folder: Path, *, split: str = "") -> Dataset:
    """Open a BEIR folder; raises `WrongUse` naming the file that is missing or the line that is wrong."""
    if not folder.is_dir():
        raise WrongUse(f"{folder} is not a folder: give the folder of a data set in BEIR layout")
    missing = [name for name in ("corpus.jsonl", "queries.jsonl") if not (folder / name).is_file()]
    if missing:
        raise WrongUse(f"{folder} holds no {' and no '.join(missing)}: see the BEIR layout in docs/evaluation.md")
    grades = read_qrels(_qrels(folder, split))
    queries = list(read_queries(folder / "queries.jsonl"))
    known = {query.id for query in queries}
    strangers = [query for query in grades if query not in known]
    if strangers:
        raise WrongUse(f"{folder}: the grades name question {strangers[0]!r}, which queries.jsonl does not have")
    graded = tuple(query for query in queries if query.id in grades)
    if not graded:
        raise WrongUse(f"{folder} holds no graded question: the qrels file is empty")
    return Dataset(folder.resolve().name, folder / "corpus.jsonl", graded, grades, len(queries) - len(graded))


def read_queries(path: Path) -> Iterator[EvalQuery]:
    """Questions of a `queries.jsonl`; a question id that comes twice is refused."""
    seen: set[str] = set()
    for where, row in json_lines(path):
        query = EvalQuery(text_of(where, row, "_id", "id"), text_of(where, row, "text"), history_of(where, row))
        if query.id in seen:
            raise WrongUse(f"{where}: question {query.id!r} is there twice")
        seen.add(query.id)
        yield query


def read_qrels(path: Path) -> dict[str, dict[str, int]]:
    """Grades from a tab-separated file of question, document, grade, or from TREC's four columns."""
    grades: dict[str, dict[str, int]] = {}
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise WrongUse(f"{path} cannot be read: {error}") from error
    for number, line in enumerate(lines, start=1):
        columns = line.split("\t") if "\t" in line else line.split()
        if not columns or (number == 1 and not _is_number(columns[-1])):
            continue
        if len(columns) not in (3, 4) or not _is_number(columns[-1]):
            raise WrongUse(f"{path}:{number} must be question, document and a whole number as the grade")
        grades.setdefault(columns[0], {})[columns[-2]] = int(columns[-1])
    return grades


def _qrels(folder: Path, split: str) -> Path:
    """The file of the wanted split; without a wish the only one, or the test split."""
    found = {path.stem: path for path in sorted((folder / "qrels").glob("*.tsv"))}
    if (folder / "qrels.tsv").is_file():
        found.setdefault("qrels", folder / "qrels.tsv")
    if split:
        if split in found:
            return found[split]
        raise WrongUse(f"{folder} has no split {split!r}: it has {', '.join(found) or 'none'}")
    if len(found) == 1:
        return next(iter(found.values()))
    for name in _SPLITS:
        if name in found:
            return found[name]
    raise WrongUse(f"{folder} holds no qrels.tsv or qrels/test.tsv: see the BEIR layout in docs/evaluation.md")


def _is_number(text: str) -> bool:
    return text.strip().removeprefix("-").isdecimal()
