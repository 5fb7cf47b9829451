"""Cohere's citations become numbers behind the sentences that they cover."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import pytest

from citebot_plugins.cohere.marking import Marking
from citebot_plugins.cohere.streaming import Cited

NUMBERS = {"1": 1, "2": 2, "3": 3}


def cited(text: str, words: str, *documents: str, shift: int = 0) -> Cited:
    start = text.index(words)
    return Cited(start + shift, start + shift + len(words), words, documents)


def marked(text: str, citations: Sequence[Cited], *, size: int = 1, at_end: bool = False) -> list[str]:
    """What comes out when the text comes in pieces of `size`, and each citation right behind its words."""
    marking = Marking(NUMBERS, all_at_end=at_end)
    waiting = sorted(citations, key=lambda one: one.end)
    out = []
    for begin in range(0, len(text), size):
        out.append(marking.add(text[begin : begin + size]))
        while not at_end and waiting and waiting[0].end <= begin + size:
            marking.cite(waiting.pop(0))
    for late in waiting:
        marking.cite(late)
    return [piece for piece in [*out, marking.end()] if piece]


TWO = "Employees get 26 days. Contractors get none."


@pytest.mark.parametrize("size", [1, 3, 7, 100])
@pytest.mark.parametrize("at_end", [False, True])
def test_a_number_stands_behind_the_sentence_it_covers(size: int, at_end: bool) -> None:
    citations = [cited(TWO, "26 days.", "1"), cited(TWO, "none.", "2", "3")]
    out = "".join(marked(TWO, citations, size=size, at_end=at_end))
    assert out == "Employees get 26 days. [1] Contractors get none. [2][3]"


def test_a_sentence_is_held_back_until_the_next_one_begins_and_no_longer() -> None:
    marking = Marking(NUMBERS)
    assert [marking.add(piece) for piece in ("It", " is", " 26", ".", " ", "No")] == [""] * 6
    marking.cite(Cited(6, 9, "26.", ("1",)))
    assert marking.add(" one") == "It is 26. [1] "
    assert marking.end() == "No one"


def test_a_citation_over_two_sentences_marks_those_that_are_still_here() -> None:
    citations = [cited(TWO, TWO, "2")]
    assert "".join(marked(TWO, citations, at_end=True)) == "Employees get 26 days. [2] Contractors get none. [2]"
    assert "".join(marked(TWO, citations)) == "Employees get 26 days. Contractors get none. [2]"


def test_numbers_that_the_model_wrote_are_not_doubled() -> None:
    text = "Employees get 26 days [1]. Contractors get none. [2] Both ask in Perch [1, 3]."
    citations = [cited(text, "26 days", "1"), cited(text, "none", "2", "3"), cited(text, "Both ask", "3")]
    out = "".join(marked(text, citations))
    assert out == "Employees get 26 days [1]. Contractors get none. [2][3] Both ask in Perch [1, 3]."


def test_documents_that_were_never_given_are_left_out() -> None:
    citations = [cited(TWO, "26", "4", "web-search", "01", "1"), cited(TWO, "none", "")]
    assert "".join(marked(TWO, citations)) == "Employees get 26 days. [1] Contractors get none."


def test_a_citation_that_comes_too_late_costs_no_text() -> None:
    marking = Marking(NUMBERS)
    out = marking.add(TWO) + marking.add(" So")
    marking.cite(cited(TWO, "26 days.", "1"))
    marking.cite(cited(TWO, "none.", "2"))
    assert out + marking.end() == "Employees get 26 days. Contractors get none. [2] So"


def test_offsets_that_count_otherwise_are_found_by_their_words() -> None:
    text = "Ünïcödé 🙂 costs 26 euros. That is all."
    in_bytes = len(text[: text.index("26")].encode()) - text.index("26")
    assert in_bytes > 0
    out = "".join(marked(text, [cited(text, "26 euros.", "1", shift=in_bytes)], at_end=True))
    assert out == "Ünïcödé 🙂 costs 26 euros. [1] That is all."


@pytest.mark.parametrize(("start", "end"), [(-5, -1), (5, 2), (900, 910), (0, 10**9), (-(10**9), 3), (0, 0)])
def test_impossible_offsets_are_harmless(start: int, end: int) -> None:
    out = "".join(marked(TWO, [Cited(start, end, "", ("1",))], at_end=True))
    assert out.replace(" [1]", "") == TWO


def test_code_stays_as_it_is_and_items_get_their_numbers() -> None:
    text = "Run this:\n\n```bash\npg_ctl promote. Now\n\nls\n```\n\n- one\n- two\n\n| a | b |\n| 1 | 2 |\n"
    citations = [
        cited(text, "pg_ctl promote. Now\n\nls", "1"),
        cited(text, "one", "2"),
        cited(text, "two", "2"),
        cited(text, "1 | 2", "3"),
    ]
    out = "".join(marked(text, citations))
    assert "```bash\npg_ctl promote. Now\n\nls\n```\n\n- one [2]\n- two [2]\n\n| a | b |\n| 1 | 2 | [3]\n" in out


def test_other_scripts_end_their_sentences_in_their_own_way() -> None:
    text = "休暇は26日です。契約者にはありません。"
    out = "".join(marked(text, [cited(text, "26日です。", "1"), cited(text, "ありません。", "2")]))
    assert out == "休暇は26日です。 [1]契約者にはありません。 [2]"


def test_without_documents_nothing_is_held_back() -> None:
    marking = Marking({})
    assert [marking.add("I do"), marking.add(" not"), marking.end()] == ["I do", " not", ""]


def test_no_text_is_lost_or_turned_whatever_comes() -> None:
    random = Random(7)
    parts = [
        "word",
        " ",
        "\n",
        "\n\n",
        ".",
        "!",
        "```\n",
        "[",
        "]",
        "[2]",
        "…",
        "e.g.",
        "。",
        "|",
        "- ",
        "\t",
        "é",
        '"',
    ]
    for _ in range(400):
        text = "".join(random.choices(parts, k=random.randrange(60)))
        citations = [
            Cited(start, start + random.randrange(9), "", (random.choice("123"),))
            for start in sorted(random.randrange(len(text) + 3) for _ in range(4))
        ]
        out = "".join(marked(text, citations, size=random.randrange(1, 9), at_end=random.random() < 0.3))
        assert _unmarked(out) == _unmarked(text)


def _unmarked(text: str) -> str:
    for number in NUMBERS:
        text = text.replace(f"[{number}]", "")
    return "".join(text.split())


def test_endless_white_space_takes_no_time() -> None:
    marking = Marking(NUMBERS)
    for _ in range(2000):
        marking.add("\n" * 10)
    out = [marking.add("." * 20_000 + " " * 20_000 + "x"), marking.add("y"), marking.end()]
    assert len("".join(out)) == 60_002
