"""The estimate is never below what a real tokenizer counts; docs/answering.md has the figures of others."""

from __future__ import annotations

import base64
import random
import re
from pathlib import Path

import pytest

import citebot
from citebot.prompting import tokens

CHANCE = random.Random(3)
LOWER = "abcdefghijklmnopqrstuvwxyz"
PEOPLE = {
    "Chinese": "员工每年享有二十五天带薪年假。申请须提前两周提交给直属主管，并在系统中登记。",
    "Japanese": "休暇の申請は二週間前までに上司に提出してください。返金は十四日以内に処理されます。",
    "Korean": "휴가 신청은 2주 전까지 상사에게 제출해야 합니다. 환불은 14일 이내에 처리됩니다.",
    "Russian": "Заявление на отпуск подаётся руководителю за две недели. Возврат в течение четырнадцати дней.",
    "Greek": "Η αίτηση άδειας υποβάλλεται στον προϊστάμενο δύο εβδομάδες πριν.",
    "Arabic": "يجب تقديم طلب الإجازة إلى المدير قبل أسبوعين. تتم معالجة المبالغ خلال أربعة عشر يومًا.",
    "Hindi": "छुट्टी का आवेदन दो सप्ताह पहले प्रबंधक को देना होगा।",
    "Finnish": "Lomahakemus on toimitettava esihenkilölle kaksi viikkoa etukäteen järjestelmällisesti.",
    "emoji": "👩‍👩‍👧🎉🚀✅❌🔥💡🇩🇪👍🏽",
}  # fmt: skip
MACHINES = {
    "hex": CHANCE.randbytes(400).hex(),
    "base64": base64.b64encode(CHANCE.randbytes(600)).decode(),
    "digits": "".join(CHANCE.choice("0123456789") for _ in range(500)),
    "no words": " ".join("".join(CHANCE.choice(LOWER) for _ in range(CHANCE.randint(3, 10))) for _ in range(150)),
    "a log": "2026-11-28 12:01:33,120 ERROR [worker-3] com.acme.Foo$Bar - id=9f3a took 0.125ms\n" * 9,
    "a table": "| name | value |\n|---|---|\n| a_b | 12.5 % |\n" * 9,
    "blanks": "a\n\n\n        b      \t\t  c\n" * 20,
    "marks": "!@#$%^&*()_+-=[]{}|;':\",./<>?" * 9,
    "an address": "https://wiki.acme.example/viewpage.action?pageId=123456&src=contextnav#H-3 " * 4,
}


def pieces() -> list[str]:
    """The sample company's documents and our own code, as passages are long."""
    root = Path(citebot.__file__).parent
    files = sorted([*(root / "sample").rglob("*.*"), *(root / "answering").glob("*.py")])
    texts = [path.read_text("utf-8") for path in files if path.suffix in {".md", ".py", ".json", ".jsonl", ".html"}]
    found = [text[start : start + 1200] for text in texts for start in range(0, len(text), 1200)]
    return [piece for piece in CHANCE.sample(found, 150) if len(piece) > 200]


@pytest.mark.parametrize("text", [*PEOPLE.values(), *MACHINES.values()], ids=[*PEOPLE, *MACHINES])
def test_no_kind_of_text_has_more(text: str) -> None:
    assert tokens(text) >= word_pieces(text)


def test_no_passage_has_more_and_few_have_less_than_half() -> None:
    found = [(tokens(piece), word_pieces(piece)) for piece in pieces()]
    assert all(estimate >= real for estimate, real in found)
    assert sum(estimate for estimate, _ in found) <= 2 * sum(real for _, real in found)


def test_what_is_not_ascii_counts_by_its_bytes() -> None:
    assert tokens("የእረፍት") >= len("የእረፍት".encode())
    assert len(PEOPLE["Chinese"]) < tokens(PEOPLE["Chinese"]) < len(PEOPLE["Chinese"].encode())


def test_it_grows_with_the_text_and_takes_anything() -> None:
    whole = "".join([*PEOPLE.values(), *MACHINES.values(), "\ud83d half a pair \x00"])
    counts = [tokens(whole[:length]) for length in range(0, len(whole), 7)]
    assert counts == sorted(counts)
    assert tokens("") == 0


_PIECE = re.compile(r"[^\W_]+|[^\w\s]|_")


def word_pieces(text: str) -> int:
    """As BERT's tokenizer counts, by the vocabulary that we ship: the longest piece first, at worst single letters."""
    return sum(_pieces_of(word) for word in _PIECE.findall(text.casefold()))


def _pieces_of(word: str) -> int:
    count, start = 0, 0
    while start < len(word):
        end = next(
            (e for e in range(len(word), start, -1) if ("##" if start else "") + word[start:e] in VOCABULARY), start + 1
        )
        count, start = count + 1, end
    return count


def _vocabulary() -> frozenset[str]:
    import citebot_plugins.local

    file = Path(citebot_plugins.local.__file__).parent / "vocab.txt"
    return frozenset(file.read_text("utf-8").splitlines())


VOCABULARY = _vocabulary()
