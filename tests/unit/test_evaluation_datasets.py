"""Data sets, question files and run files, sound and broken."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from citebot.errors import WrongUse
from citebot.evaluation import load_beir, load_questions, read_run, write_run
from citebot.model import Turn


def lines(*rows: object) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


@pytest.fixture
def beir(tmp_path: Path) -> Path:
    """A small data set in BEIR layout."""
    history = [{"role": "user", "text": "Where are you?"}, {"role": "assistant", "text": "In Lisbon."}]
    tmp_path.joinpath("corpus.jsonl").write_text(
        lines({"_id": "d1", "title": "T", "text": "x"}, {"_id": 2, "text": ""})
    )
    tmp_path.joinpath("queries.jsonl").write_text(
        "\ufeff" + lines({"_id": "q1", "text": "And when?", "history": history}, {"_id": "q2", "text": "?"}) + "\n"
    )
    tmp_path.joinpath("qrels").mkdir()
    tmp_path.joinpath("qrels", "test.tsv").write_text("query-id\tcorpus-id\tscore\nq1\td1\t2\nq1\td 3\t0\n")
    return tmp_path


def test_a_beir_folder_is_read(beir: Path) -> None:
    dataset = load_beir(beir)
    assert [query.id for query in dataset.queries] == ["q1"]
    assert dataset.queries[0].history == (Turn("user", "Where are you?"), Turn("assistant", "In Lisbon."))
    assert dataset.grades == {"q1": {"d1": 2, "d 3": 0}}
    assert dataset.ungraded == 1
    assert [(document.id, document.title) for document in dataset.documents()] == [("d1", "T"), ("2", "")]


def test_the_split_can_be_chosen_and_lies_also_beside(beir: Path) -> None:
    beir.joinpath("qrels", "dev.tsv").write_text("q2 0 d1 1\n")
    assert set(load_beir(beir).grades) == {"q1"}
    assert set(load_beir(beir, split="dev").grades) == {"q2"}
    with pytest.raises(WrongUse, match="has no split 'train': it has dev, test"):
        load_beir(beir, split="train")
    for path in beir.joinpath("qrels").iterdir():
        path.unlink()
    beir.joinpath("qrels.tsv").write_text("q2\td1\t1\n")
    assert set(load_beir(beir).grades) == {"q2"}


def no_corpus(folder: Path) -> None:
    folder.joinpath("corpus.jsonl").unlink()


def no_qrels(folder: Path) -> None:
    folder.joinpath("qrels", "test.tsv").unlink()


def broken_query(folder: Path) -> None:
    folder.joinpath("queries.jsonl").write_text(lines({"_id": "q1", "text": "a"}) + "{oops\n")


def list_query(folder: Path) -> None:
    folder.joinpath("queries.jsonl").write_text("[]\n")


def twice(folder: Path) -> None:
    folder.joinpath("queries.jsonl").write_text(lines(*[{"_id": "q1", "text": "a"}] * 2))


def bad_history(folder: Path) -> None:
    folder.joinpath("queries.jsonl").write_text(lines({"_id": "q1", "text": "a", "history": [{"role": "god"}]}))


def bad_grade(folder: Path) -> None:
    folder.joinpath("qrels", "test.tsv").write_text("q1\td1\t1\nq1\td2\thigh\n")


def stranger(folder: Path) -> None:
    folder.joinpath("qrels", "test.tsv").write_text("q9\td1\t1\n")


def no_utf8(folder: Path) -> None:
    folder.joinpath("queries.jsonl").write_bytes(b'{"_id": "q1", "text": "\xff"}\n')


def empty_qrels(folder: Path) -> None:
    folder.joinpath("qrels", "test.tsv").write_text("")


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (no_corpus, "holds no corpus.jsonl"),
        (no_qrels, "holds no qrels.tsv or qrels/test.tsv"),
        (broken_query, r"queries.jsonl:2 is not JSON"),
        (list_query, r"queries.jsonl:1 is not a JSON object"),
        (twice, r"queries.jsonl:2: question 'q1' is there twice"),
        (bad_history, r"queries.jsonl:1: a turn of the history must look like"),
        (bad_grade, r"test.tsv:2 must be question, document and a whole number"),
        (stranger, "the grades name question 'q9', which queries.jsonl does not have"),
        (no_utf8, "queries.jsonl cannot be read: .*utf-8"),
        (empty_qrels, "holds no graded question"),
    ],
)
def test_a_broken_folder_gets_one_clear_line(beir: Path, fault: Callable[[Path], None], says: str) -> None:
    fault(beir)
    with pytest.raises(WrongUse, match=says) as caught:
        load_beir(beir)
    assert "\n" not in str(caught.value)


def test_run_files_come_back_as_they_were(tmp_path: Path) -> None:
    run = {"q 1": {"docs/a b.md": 0.1 + 0.2, "100%": -3.5, "naïve\u00a0name": 1e-12}, "q2": {"d": 1.0}}
    write_run(tmp_path / "run.trec", run, tag="my run")
    assert read_run(tmp_path / "run.trec") == run
    assert tmp_path.joinpath("run.trec").read_text().splitlines()[0].split()[3] == "1"


def test_run_files_are_those_of_trec(tmp_path: Path) -> None:
    import ir_measures

    run = {"q1": {"a": 2.0, "b": 2.0, "c": 3.0}}
    write_run(tmp_path / "run.trec", run)
    theirs = {hit.doc_id: hit.score for hit in ir_measures.read_trec_run(str(tmp_path / "run.trec"))}
    assert theirs == run["q1"]
    tmp_path.joinpath("bad.trec").write_text("q1 Q0 a 1 2.0 x\nq1 Q0 a one\n")
    with pytest.raises(WrongUse, match=r"bad.trec:2 must be `question Q0 document rank score tag`"):
        read_run(tmp_path / "bad.trec")


def test_questions_are_read_and_broken_ones_named(tmp_path: Path) -> None:
    good = {"id": "1", "kind": "restricted", "question": "How much?", "person": "ada", "gold_documents": ["pay.md"]}
    path = tmp_path / "questions.jsonl"
    path.write_text(lines({**good, "answer": "42"}, {**good, "id": "2", "answer": "", "person": "bob"}))
    first, second = load_questions(path)
    assert (first.answerable, second.answerable) == (True, False)
    assert first.gold_documents == ("pay.md",)
    for change, says in (
        ({"kind": "odd"}, r"questions.jsonl:1: unknown kind 'odd', use one of answerable, multi"),
        ({"gold_documents": "pay.md"}, r"questions.jsonl:1: 'gold_documents' must be a list of texts"),
        ({"person": None}, r"questions.jsonl:1 has no text under 'person'"),
    ):
        path.write_text(lines({**good, **change}))
        with pytest.raises(WrongUse, match=says):
            load_questions(path)
    path.write_text("\n")
    with pytest.raises(WrongUse, match="holds no question"):
        load_questions(path)
